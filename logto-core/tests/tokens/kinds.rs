//! Token confusion: a token of one kind in place of another.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use logto_core::{
    Exchange, LogtoConfig, TokenTarget, UnixTime,
    api_token::AccessTokenVerification,
    client_assertion::ClientAssertionSigner,
    client_authentication::authenticate,
    config::ClientAuthentication,
    error::SigningError,
    grants::ClientCredentials,
    id_token::IdTokenVerification,
    jwt::{Algorithm, AwsLcVerifier, KeySet},
    logout_token::LogoutTokenVerification,
    user_info::FetchUserInfo,
};
use logto_recordings::{Recording, logout_request};
use serde_json::{Value, json};

use crate::support::{
    SigningKey,
    provider::{self, APP_ID, ISSUER, form, metadata},
};

const NOW: UnixTime = UnixTime::from_secs(1010);
const PLACES: [&str; 3] = ["ID token", "access token", "logout token"];

/// Where a token is accepted.
fn accepted(
    token: &str,
    keys: &KeySet,
    issuer: &str,
    app: &str,
    now: UnixTime,
) -> Vec<&'static str> {
    let answers = [
        IdTokenVerification::new(issuer, app)
            .verify(token, keys, now)
            .is_ok(),
        AccessTokenVerification::api(issuer, app)
            .verify(token, keys, now)
            .is_ok(),
        LogoutTokenVerification::new(issuer, app)
            .verify(token, keys, now)
            .is_ok(),
    ];
    let places = PLACES.into_iter().zip(answers);
    places
        .filter(|(_, is_accepted)| *is_accepted)
        .map(|(place, _)| place)
        .collect()
}

/// A payload that has what every kind of token needs and nothing that one of them forbids.
fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "user-1",
        "aud": APP_ID,
        "iat": 1000,
        "exp": 1120,
        "jti": "token-1",
        "sid": "session-1",
        "client_id": APP_ID,
        "scope": "read",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    })
}

#[test]
fn v8_l8_r1_even_the_same_claims_are_accepted_in_one_place_only() {
    let key = SigningKey::es384();
    let keys = key.key_set(&AwsLcVerifier);
    let kinds: [(Option<&str>, &[&str]); 7] = [
        (None, &["ID token"]),
        (Some("JWT"), &["ID token"]),
        (Some("at+jwt"), &["access token"]),
        (Some("logout+jwt"), &["logout token"]),
        (Some("client-authentication+jwt"), &[]),
        (Some("token-introspection+jwt"), &[]),
        (Some("dpop+jwt"), &[]),
    ];
    for (typ, expected) in kinds {
        let mut header = key.header();
        if let Some(typ) = typ {
            header["typ"] = json!(typ);
        }
        let token = key.sign_with_header(&header, &claims());
        assert_eq!(
            accepted(&token, &keys, ISSUER, APP_ID, NOW),
            expected,
            "{typ:?}"
        );
    }
}

/// The provider's own key, used by a client: the worst case.
#[derive(Debug)]
struct ProvidersKey;

impl ClientAssertionSigner for ProvidersKey {
    fn algorithm(&self) -> Algorithm {
        Algorithm::Es384
    }

    fn key_id(&self) -> Option<&str> {
        Some("es384")
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        Ok(SigningKey::es384().signature(message))
    }
}

fn assertion(authentication: ClientAuthentication) -> String {
    let config: LogtoConfig = provider::config()
        .with_client_authentication(authentication)
        .unwrap();
    let target = TokenTarget::resource("https://shop.example.com/api");
    let exchange = ClientCredentials::new(&config, &metadata(), target, NOW).unwrap();
    let request: Request<Bytes> = authenticate(exchange.request(), &config, NOW, &[7; 16]).unwrap();
    form(&request)["client_assertion"].clone()
}

#[test]
fn v8_a_client_assertion_is_accepted_nowhere() {
    let keys = SigningKey::es384().key_set(&AwsLcVerifier);
    let signed = assertion(ClientAuthentication::PrivateKeyJwt(Arc::new(ProvidersKey)));
    let with_secret = assertion(ClientAuthentication::SecretJwt("x".repeat(32).into()));
    for token in [signed, with_secret] {
        assert!(accepted(&token, &keys, APP_ID, ISSUER, NOW).is_empty());
        assert!(accepted(&token, &keys, ISSUER, APP_ID, NOW).is_empty());
    }
}

#[test]
fn v8_l8_recorded_tokens_are_accepted_in_their_own_place_only() {
    let issuer = "http://localhost:3001/oidc";
    let app = "q5z3x46nt51n2jydi4jkh";
    let now = UnixTime::from_secs(1_795_335_864);
    let keys = Recording::load(2).json().to_string();
    let keys = KeySet::parse(keys.as_bytes(), &AwsLcVerifier).unwrap();
    let answer = Recording::load(14).json();
    let logout = logout_request().into_body();
    let logout = std::str::from_utf8(&logout).unwrap();
    let logout = logout.strip_prefix("logout_token=").unwrap();

    let id_token = answer["id_token"].as_str().unwrap();
    assert_eq!(accepted(id_token, &keys, issuer, app, now), ["ID token"]);
    let access_token = answer["access_token"].as_str().unwrap();
    let api = "https://shopping.your-app.com/api";
    assert_eq!(
        accepted(access_token, &keys, issuer, api, now),
        ["access token"]
    );
    assert!(accepted(access_token, &keys, issuer, app, now).is_empty());
    assert_eq!(accepted(logout, &keys, issuer, app, now), ["logout token"]);
}

#[test]
fn v8_a_token_is_no_answer_of_the_userinfo_endpoint() {
    let key = SigningKey::es384();
    let answer = json!({"access_token": "opaque", "token_type": "Bearer"});
    let target = TokenTarget::resource("https://shop.example.com/api");
    let opaque = ClientCredentials::new(&provider::config(), &metadata(), target, NOW)
        .unwrap()
        .accept(provider::json_response(200, &answer), NOW)
        .unwrap();
    for content_type in ["application/jwt", "application/json"] {
        let exchange = FetchUserInfo::new(&metadata(), &opaque, "user-1").unwrap();
        let response = provider::response(200, content_type, key.sign(&claims()));
        assert!(exchange.accept(response, NOW).is_err(), "{content_type}");
    }
}
