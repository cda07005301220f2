//! Silent sign-in with `prompt=none`.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, header};
use logto_client::{
    SignIn, TokenTarget,
    seal::{KeyRing, SealKey},
    web::{
        CallbackAnswer, CallbackOutcome, LogtoWeb,
        cookies::{CookieCodec, CookieOptions},
    },
};
use logto_storage::MemoryStorage;
use logto_tests::{visitor::request_with, world::World};
use url::Url;

struct Silent {
    world: World,
    web: LogtoWeb,
    /// The browser at Logto.
    at_logto: logto_testkit::Browser,
}

impl Silent {
    fn new() -> Self {
        let world = World::new();
        let client = world.client(MemoryStorage::new());
        let web = LogtoWeb::new(client, codec(&world), KeyRing::new(SealKey::new(&[7; 32])));
        let at_logto = world.logto.browser();
        Self {
            world,
            web,
            at_logto,
        }
    }

    /// Starts a silent sign-in: its URL, and the cookies that the browser then has.
    async fn start(&self) -> (Url, HeaderMap) {
        let response = self
            .web
            .sign_in(&request_with(HeaderMap::new()), &SignIn::silent())
            .await
            .unwrap();
        let location = response.headers()[header::LOCATION].to_str().unwrap();
        let cookies: Vec<&str> = response
            .headers()
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap())
            .collect();
        let mut headers = HeaderMap::new();
        let cookies = HeaderValue::from_str(&cookies.join("; ")).unwrap();
        headers.insert(header::COOKIE, cookies);
        (Url::parse(location).unwrap(), headers)
    }

    async fn callback(&self, url: &Url, cookies: HeaderMap) -> CallbackAnswer {
        let path = format!("{}?{}", url.path(), url.query().unwrap());
        let mut request = Request::get(path).body(()).unwrap();
        *request.headers_mut() = cookies;
        self.web
            .callback(&request.into_parts().0, &Bytes::new())
            .await
    }

    /// What comes of a silent sign-in in this browser.
    async fn answer(&self) -> CallbackAnswer {
        let (url, cookies) = self.start().await;
        let callback = self
            .at_logto
            .visit(&url)
            .unwrap()
            .expect("nobody is asked anything");
        self.callback(&callback, cookies).await
    }

    /// Signs alice in, seen by everybody.
    async fn sign_in(&self) -> logto_client::WritableSession {
        let client = self.web.client();
        let (url, pending) = client.sign_in(&SignIn::new()).await.unwrap();
        let callback = self.at_logto.sign_in(&url, "alice").unwrap();
        let callback = logto_tests::world::callback_of(&callback);
        client
            .complete_sign_in(Some(pending), callback, None)
            .await
            .unwrap()
            .session
    }
}

fn codec(world: &World) -> CookieCodec {
    let config = world.config();
    CookieOptions::new(config.base_url().unwrap(), config.app_id())
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn c22_a_session_at_logto_signs_in_without_a_question() {
    let silent = Silent::new();
    silent.sign_in().await;
    let answer = silent.answer().await;
    assert!(!answer.needs_interaction());
    let CallbackOutcome::SignedIn(completed) = answer.outcome.unwrap() else {
        panic!("it is completed")
    };
    assert_eq!(completed.session.claims().sub, "user-alice");
}

#[tokio::test(start_paused = true)]
async fn c22_nobody_at_logto_is_login_required() {
    let answer = Silent::new().answer().await;
    assert!(answer.needs_interaction());
    assert_eq!(answer.outcome.unwrap_err().code(), "login_required");
}

#[tokio::test(start_paused = true)]
async fn c22_a_missing_consent_is_consent_required_and_ends_no_session() {
    let silent = Silent::new();
    let session = silent.sign_in().await;
    let token = session
        .access_token(&TokenTarget::user_info())
        .await
        .unwrap();
    let refresh_token = session.snapshot().refresh_token().unwrap().clone();
    silent.world.logto.revoke_grant(refresh_token.expose());
    let answer = silent.answer().await;
    assert!(answer.needs_interaction());
    assert_eq!(answer.outcome.unwrap_err().code(), "consent_required");
    assert!(
        silent
            .web
            .client()
            .session(&session.handle())
            .await
            .unwrap()
            .is_some()
    );
    assert_eq!(
        session
            .access_token(&TokenTarget::user_info())
            .await
            .unwrap(),
        token
    );
}

#[tokio::test(start_paused = true)]
async fn c22_every_answer_of_the_provider_is_told_apart() {
    let silent = Silent::new();
    let cases = [
        ("login_required", true),
        ("consent_required", true),
        ("interaction_required", true),
        ("account_selection_required", true),
        ("invalid_request", false),
        ("server_error", false),
        ("temporarily_unavailable", false),
        ("something_new", false),
    ];
    for (error, needs_interaction) in cases {
        let (url, cookies) = silent.start().await;
        let state = url
            .query_pairs()
            .find(|(name, _)| name == "state")
            .unwrap()
            .1;
        let mut callback = Url::parse("http://localhost:3000/callback").unwrap();
        callback
            .query_pairs_mut()
            .append_pair("error", error)
            .append_pair("state", &state)
            .append_pair("iss", silent.world.logto.issuer());
        let answer = silent.callback(&callback, cookies).await;
        assert_eq!(answer.needs_interaction(), needs_interaction, "{error}");
        assert_eq!(answer.outcome.unwrap_err().code(), error);
    }
    assert_eq!(silent.world.token_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn c22_a_refusal_is_told_apart_from_a_need_for_the_user() {
    let silent = Silent::new();
    let (url, cookies) = silent.start().await;
    let callback = silent.world.logto.deny(&url, "access_denied").unwrap();
    let answer = silent.callback(&callback, cookies).await;
    assert!(!answer.needs_interaction());
    let CallbackOutcome::Cancelled { error, return_to } = answer.outcome.unwrap() else {
        panic!("it is refused")
    };
    assert_eq!((error.code(), return_to.as_str()), ("access_denied", "/"));
}
