//! Requests to the engine made by hand, without the SDK: what the engine answers to these is the truth
//! that the SDK is measured against.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;
use url::{Url, form_urlencoded};

use crate::{
    browser::Browser,
    engine::{Engine, M2M, REDIRECT_URI, SECRET, TRADITIONAL},
};

/// The `code_verifier` of RFC 7636 appendix B.
pub const CODE_VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
/// The S256 `code_challenge` of [`CODE_VERIFIER`].
pub const CODE_CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// What [`RawClient::sign_in`] asks for. The last two count when a resource is asked for too.
pub const SCOPE: &str = "openid offline_access profile read:products write:products";

/// An application without an SDK.
#[derive(Debug)]
pub struct RawClient<'a> {
    engine: &'a Engine,
    client_id: &'static str,
    secret: Option<&'static str>,
    http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, `null` when it is not JSON.
    pub json: Value,
}

impl Answer {
    /// A member of the JSON body that is a string; empty when it is not there.
    pub fn text(&self, member: &str) -> &str {
        self.json
            .get(member)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Fails the test unless this is an OAuth error with this code.
    #[track_caller]
    pub fn assert_refused(&self, error: &str) {
        assert!(self.status.is_client_error(), "{self:?}");
        assert_eq!(self.text("error"), error, "{self:?}");
    }
}

/// The header and the payload of a JWT whose signature nobody checks here.
pub fn decode_jwt(token: &str) -> (Value, Value) {
    let part = |index| {
        let part = token.split('.').nth(index).expect("a JWT has three parts");
        let json = BASE64_URL_SAFE_NO_PAD.decode(part);
        serde_json::from_slice(&json.expect("a part of a JWT is base64url"))
            .expect("the header and the payload of a JWT are JSON")
    };
    (part(0), part(1))
}

impl<'a> RawClient<'a> {
    /// The application with this client id at `engine`.
    pub fn new(engine: &'a Engine, client_id: &'static str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("a plain HTTP client can be built");
        let secret = matches!(client_id, TRADITIONAL | M2M).then_some(SECRET);
        Self {
            engine,
            client_id,
            secret,
            http,
        }
    }

    /// The same application with another client secret.
    pub fn with_secret(self, secret: &'static str) -> Self {
        Self {
            secret: Some(secret),
            ..self
        }
    }

    /// An authorization URL with PKCE, state `s` and nonce `n`; `extra` adds parameters, `scope` among them.
    pub fn authorization_url(&self, extra: &[(&str, &str)]) -> Url {
        let mut url = self.url("auth");
        url.query_pairs_mut()
            .extend_pairs(self.authorization_parameters())
            .extend_pairs(extra);
        url
    }

    /// What [`RawClient::authorization_url`] always sends.
    pub fn authorization_parameters(&self) -> [(&'static str, &'static str); 7] {
        [
            ("client_id", self.client_id),
            ("redirect_uri", REDIRECT_URI),
            ("response_type", "code"),
            ("state", "s"),
            ("nonce", "n"),
            ("code_challenge", CODE_CHALLENGE),
            ("code_challenge_method", "S256"),
        ]
    }

    /// Signs in with a fresh browser and redeems the code, with `prompt=consent` and [`SCOPE`].
    pub async fn sign_in(&self, extra: &[(&str, &str)]) -> Answer {
        self.sign_in_with(&self.engine.browser(), extra).await
    }

    /// [`RawClient::sign_in`] with the user's own browser.
    pub async fn sign_in_with(&self, browser: &Browser, extra: &[(&str, &str)]) -> Answer {
        let mut parameters = vec![("scope", SCOPE), ("prompt", "consent")];
        parameters.extend(extra);
        let landing = browser.open(self.authorization_url(&parameters)).await;
        let code = landing.redirect_parameter("code");
        let code = code.unwrap_or_else(|| panic!("no code: {landing:?}"));
        self.redeem(&code, CODE_VERIFIER).await
    }

    /// Redeems an authorization code.
    pub async fn redeem(&self, code: &str, code_verifier: &str) -> Answer {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", code_verifier),
        ])
        .await
    }

    /// Uses a refresh token; `extra` adds parameters such as `resource`.
    pub async fn refresh(&self, refresh_token: &str, extra: &[(&str, &str)]) -> Answer {
        let mut fields = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token),
        ];
        fields.extend(extra);
        self.token(&fields).await
    }

    /// Posts a form to the token endpoint.
    pub async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        self.post("token", fields).await
    }

    /// Posts a form to an endpoint below the issuer, as this client.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(fields);
        let mut request = self.http.request(Method::POST, self.url(path));
        if let Some(secret) = self.secret {
            request = request.basic_auth(form_encode(self.client_id), Some(form_encode(secret)));
        } else {
            body.append_pair("client_id", self.client_id);
        }
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        read(request.body(body.finish())).await
    }

    /// Asks the userinfo endpoint.
    pub async fn userinfo(&self, access_token: &str) -> Answer {
        self.get(
            "me",
            header::AUTHORIZATION,
            &format!("Bearer {access_token}"),
        )
        .await
    }

    /// Gets a resource below the issuer, with one header.
    pub async fn get(&self, path: &str, name: header::HeaderName, value: &str) -> Answer {
        read(
            self.http
                .request(Method::GET, self.url(path))
                .header(name, value),
        )
        .await
    }

    fn url(&self, path: &str) -> Url {
        let url = format!("{}/{path}", self.engine.issuer());
        url.parse().expect("a path below the issuer is a URL")
    }
}

async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("the engine answers");
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.bytes().await.expect("the answer is complete");
    Answer {
        status,
        headers,
        json: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

fn form_encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
