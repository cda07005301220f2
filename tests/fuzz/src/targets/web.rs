//! A whole request to an application, at any host, and its answer: that of a route, or of a page that requires a user.
//!
//! The lines are: method and target; the `Cookie` header; other headers in one line, separated by tabs. Then comes the
//! body. In all of them, `{state}`, `{browser}` and `{session}` stand for those of a sign-in that is under way and of a
//! session, `{preview}` for the state of a sign-in at a preview host, and `{logout}` for a logout token.

mod page;
mod seeds;

use std::{
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use logto_client::{
    Context, LogtoClient, Session,
    clock::Clock,
    http::{TransportError, http_fn},
    runtime::{BoxFuture, Runtime},
    seal::{Purpose, SealContext},
    storage::SessionStorage as _,
    web::{LogtoApp, LogtoWeb},
};
use logto_core::{Secret, SignIn, UnixTime};
use serde_json::{Value, json};
use url::Url;

pub use self::seeds::seeds;
use super::{
    cookies::codec,
    logout_token,
    record::{NoEntropy, storage},
};
use crate::{
    Verdict,
    application::{
        APP_ID, ISSUER, NOW, config, document, header as jwt_header, id_token, id_token_claims,
        public_jwk, seal_keys, signed_text, stored_session,
    },
    input::{lines, text},
    requested,
};

/// Hosts of the application.
const MAIN: &str = "shop.example.com";
const PREVIEW: &str = "pr-7.preview.example.com";

/// Tokens of the session and of the provider's answers: none of them leaves the server in clear.
const SECRETS: [&str; 4] = [
    "the-access-token-1",
    "the-access-token-2",
    "the-refresh-token-1",
    "the-verifier",
];

#[derive(Debug)]
struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> UnixTime {
        NOW
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// Nothing waits, and nothing goes on in the background.
#[derive(Debug)]
struct NoRuntime;

impl Runtime for NoRuntime {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let _ = task.now_or_never();
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// The `nonce` of the sign-in under way, which the provider puts into its ID token.
type Nonce = Arc<Mutex<String>>;

/// An application without a past: what one input does is over with it.
struct Application {
    app: LogtoApp,
    nonce: Nonce,
}

impl Application {
    fn new() -> Self {
        let nonce = Nonce::default();
        let shared = Arc::clone(&nonce);
        let http = http_fn(move |request: Request<Bytes>| {
            let answer = provider_answers(&request, &shared);
            async move { answer }
        });
        let context = Context::new(http)
            .clock(FixedClock)
            .entropy(NoEntropy)
            .runtime(NoRuntime);
        let client = LogtoClient::builder(config().clone(), context, storage().clone()).build();
        let client = client.expect("the client is complete");
        let web = LogtoWeb::new(client, codec().clone(), seal_keys().clone());
        let app = LogtoApp::builder(web)
            .webhook("/webhook", Secret::from("the-signing-key-1"))
            .sign_out_links()
            .build();
        Self { app, nonce }
    }

    /// Starts a sign-in at a host, and returns its `state` and the browser's cookie.
    fn start(&self, host: &str, return_to: &str) -> (String, String) {
        let sign_in = SignIn::new().return_to(return_to);
        let request = Request::get("/sign-in").header(header::HOST, host);
        let (parts, ()) = request.body(()).expect("it is valid").into_parts();
        let started = self.app.web().sign_in(&parts, &sign_in).now_or_never();
        let started = started.expect("nothing to wait for").expect("it starts");
        let location = started.headers()[header::LOCATION].to_str().expect("a URL");
        let url = Url::parse(location).expect("a URL");
        let parameter = |name: &str| {
            let mut all = url.query_pairs().filter(|(other, _)| other == name);
            all.next()
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        *self.nonce.lock().expect("nobody else has it") = parameter("nonce");
        let cookie = started.headers()[header::SET_COOKIE]
            .to_str()
            .expect("a cookie");
        let pair = cookie.split(';').next().unwrap_or_default();
        (parameter("state"), pair.to_owned())
    }

    /// Answers as an adapter does.
    fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (parts, body) = request.into_parts();
        let response = match self.app.route(parts.uri.path()) {
            Some(route) => {
                let answer = self.app.answer(route, &parts, &body).now_or_never();
                answer.expect("nothing to wait for")
            }
            None => page::visit(&self.app, &parts),
        };
        check(&parts, &response);
        response
    }
}

fn provider_answers(
    request: &Request<Bytes>,
    nonce: &Nonce,
) -> Result<Response<Bytes>, TransportError> {
    let body = match request.uri().path() {
        "/oidc/.well-known/openid-configuration" => Value::Object(document()),
        "/oidc/jwks" => json!({ "keys": [public_jwk()] }),
        "/oidc/token" => {
            let mut claims = id_token_claims();
            claims["nonce"] = json!(*nonce.lock().expect("nobody else has it"));
            json!({
                "access_token": "the-access-token-2",
                "token_type": "Bearer",
                "expires_in": 3600,
                "scope": "openid profile",
                "refresh_token": "the-refresh-token-1",
                "id_token": id_token(&claims),
            })
        }
        path => return Err(TransportError::NotSent(path.to_owned())),
    };
    let response = Response::builder()
        .header("content-type", "application/json")
        .body(body.to_string().into());
    Ok(response.expect("the response is valid"))
}

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let application = Application::new();
    let (preview, _) = application.start(PREVIEW, "/orders?page=2");
    let (state, browser) = application.start(MAIN, "/orders?page=2");
    let filled_in = |part: &[u8]| {
        text(part)
            .replace("{state}", &state)
            .replace("{preview}", &preview)
            .replace("{browser}", &browser)
            .replace("{session}", &session_cookies())
            .replace("{logout}", &logout_token())
    };
    let [line, cookie, others, body] = lines(data).map(filled_in);
    let Some(request) = request(&line, &cookie, &others, body) else {
        return Verdict::Refused;
    };
    let response = application.answer(request);
    let is_accepted = response.status().is_redirection() || response.status() == StatusCode::OK;
    Verdict::accepted_if(is_accepted)
}

fn request(line: &str, cookie: &str, others: &str, body: String) -> Option<Request<Bytes>> {
    let (method, target) = line.split_once(' ')?;
    let mut request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).ok()?)
        .uri(target);
    if !cookie.is_empty() {
        request = request.header(header::COOKIE, cookie);
    }
    for header in others.split('\t').filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(':')?;
        request = request.header(name.trim(), value.trim());
    }
    request.body(body.into()).ok()
}

/// What holds for every answer.
fn check(parts: &Parts, response: &Response<Bytes>) {
    let headers = response.headers();
    assert_ne!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        headers.get(header::CACHE_CONTROL),
        Some(&HeaderValue::from_static("no-store"))
    );
    let base_url = requested::base_url(parts);
    if let Some(location) = headers.get(header::LOCATION) {
        let location = location.to_str().expect("a location is ASCII");
        let url = base_url.join(location).expect("a browser can go there");
        let is_own = url.origin() == base_url.origin();
        let is_issuer = location.starts_with(ISSUER) && !url.path().contains("//");
        assert!(is_own || is_issuer, "an open redirect to {location}");
        // Logto sends the browser, and the code of a sign-in, to where the request was sent.
        for (name, value) in url.query_pairs().filter(|_| is_issuer) {
            if ["redirect_uri", "post_logout_redirect_uri"].contains(&&*name) {
                let back = Url::parse(&value).expect("it is a URL");
                assert_eq!(back.origin(), base_url.origin());
            }
        }
        assert_eq!(
            headers.get(header::REFERRER_POLICY),
            Some(&HeaderValue::from_static("no-referrer"))
        );
    }
    for cookie in headers.get_all(header::SET_COOKIE) {
        let cookie = cookie.to_str().expect("a cookie is ASCII");
        assert!(
            cookie.starts_with(codec().name()),
            "a cookie of another name: {cookie}"
        );
        assert!(cookie.contains("; Secure") && cookie.contains("; HttpOnly"));
    }
    let body = text(response.body());
    let shown = format!("{headers:?}{body}");
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{secret} leaves the server");
    }
}

/// The answer to a callback whose `state` holds this, sealed with the right key.
pub(super) fn callback(state: &[u8], browser_cookie: &str) -> Response<Bytes> {
    let state = sealed(codec().name(), state);
    let iss = "iss=https%3A%2F%2Ftenant.logto.app%2Foidc";
    let line = format!("GET /callback?code=the-code-1&state={state}&{iss}");
    let request = request(&line, browser_cookie, "", String::new());
    let request = request.expect("the request is valid");
    let application = Application::new();
    // The provider takes part in the sign-in that has the same random seed.
    let _ = application.start(MAIN, "/");
    application.answer(request)
}

/// The cookie of the browser with this id.
pub(super) fn browser_cookie(id: &[u8; 16]) -> String {
    let name = format!("{}.browser", codec().name());
    let value = sealed(&name, id);
    format!("{name}={value}")
}

/// What is in the `state` of a sign-in.
pub(super) fn started_state(return_to: &str) -> Vec<u8> {
    let (state, _) = Application::new().start(MAIN, return_to);
    let sealed = URL_SAFE_NO_PAD.decode(state).expect("a state is base64url");
    let opened = seal_keys().open(&context(codec().name()), &sealed);
    opened.expect("it opens").to_vec()
}

fn sealed(name: &str, plaintext: &[u8]) -> String {
    let sealed = seal_keys().seal(&context(name), plaintext, &NoEntropy);
    URL_SAFE_NO_PAD.encode(sealed.expect("it can be sealed"))
}

fn context(name: &str) -> SealContext<'_> {
    SealContext {
        purpose: Purpose::PendingSignIn,
        name,
        issuer: ISSUER,
        app_id: APP_ID,
    }
}

/// The cookies of a session.
fn session_cookies() -> String {
    static COOKIES: LazyLock<String> = LazyLock::new(|| {
        let session: Session = serde_json::from_value(stored_session()).expect("it is a session");
        let written = storage()
            .create(&session, NOW)
            .now_or_never()
            .expect("nothing to wait for");
        let (handle, _) = written.expect("it fits");
        let cookies = codec().write(&codec().read(&HeaderMap::new()), &handle, 0);
        let set_cookies = cookies.expect("they fit").set_cookies;
        let pairs: Vec<String> = set_cookies
            .iter()
            .map(|value| text(value.as_bytes()))
            .filter_map(|value| value.split(';').next().map(str::to_owned))
            .collect();
        pairs.join("; ")
    });
    COOKIES.clone()
}

fn logout_token() -> String {
    static TOKEN: LazyLock<String> = LazyLock::new(|| {
        let header = jwt_header(Some("logout+jwt"));
        signed_text(
            header.as_bytes(),
            logout_token::claims().to_string().as_bytes(),
        )
    });
    TOKEN.clone()
}
