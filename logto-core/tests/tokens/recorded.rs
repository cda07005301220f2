//! Every token in the recordings of a real Logto 1.42, verified with the keys of that time.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use logto_core::{
    UnixTime,
    claims::IdTokenClaims,
    error::TokenError,
    id_token::IdTokenVerification,
    jwt::{self, JwsVerifier, KeySet, MAX_TOKEN_LEN, TokenType},
};
use logto_recordings::{Recording, logout_request};
use serde_json::Value;
use url::form_urlencoded;

use crate::support::{VERIFIERS, from_base64url, provider::header};

const ISSUER: &str = "http://localhost:3001/oidc";

/// A JWT somewhere in a recording; each is listed where it appears first.
struct Recorded {
    file: String,
    token: String,
    token_type: TokenType,
    /// When the response was sent. Only the back-channel logout request has no response.
    date: Option<UnixTime>,
    /// The client that made the request.
    client_id: Option<String>,
}

fn recorded_tokens() -> Vec<Recorded> {
    let exchanges = Recording::all();
    let exchanges = exchanges
        .into_iter()
        .map(|it| (it.name, it.request, Some(it.response)));
    let logout = ("back-channel logout".to_owned(), logout_request(), None);
    let mut found: Vec<Recorded> = Vec::new();
    for (file, request, response) in exchanges.chain([logout]) {
        for token in tokens(&format!("{request:?} {response:?}")) {
            if found.iter().all(|known| known.token != token) {
                found.push(Recorded {
                    file: file.clone(),
                    token_type: token_type(token),
                    token: token.to_owned(),
                    date: response.as_ref().map(date),
                    client_id: client_id(&request),
                });
            }
        }
    }
    found
}

fn tokens(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c))
        .filter(|word| word.starts_with("eyJ") && word.split('.').count() == 3)
}

fn token_type(token: &str) -> TokenType {
    let header: Value =
        serde_json::from_slice(&from_base64url(token.split('.').next().unwrap())).unwrap();
    match header.get("typ").and_then(Value::as_str) {
        None => TokenType::IdToken,
        Some("at+jwt") => TokenType::AccessToken,
        Some("logout+jwt") => TokenType::LogoutToken,
        Some(other) => panic!("a recorded token of type {other}"),
    }
}

/// All recordings were made on one day.
fn date(response: &Response<Bytes>) -> UnixTime {
    const MIDNIGHT: i64 = 1_795_305_600;
    let time = response.headers()["date"]
        .to_str()
        .unwrap()
        .strip_prefix("Sun, 22 Nov 2026 ")
        .unwrap()
        .strip_suffix(" GMT")
        .unwrap();
    let seconds = time
        .split(':')
        .fold(0, |sum, part| sum * 60 + part.parse::<i64>().unwrap());
    UnixTime::from_secs(MIDNIGHT + seconds)
}

fn client_id(request: &Request<Bytes>) -> Option<String> {
    let basic = header(request, "authorization").and_then(|it| it.strip_prefix("Basic "));
    if let Some(basic) = basic {
        let credentials = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
        return Some(credentials.split_once(':').unwrap().0.to_owned());
    }
    let mut parameters = form_urlencoded::parse(request.body());
    let client_id = parameters.find(|(name, _)| name == "client_id")?;
    Some(client_id.1.into_owned())
}

fn recorded_keys(number: u16, verifier: &dyn JwsVerifier) -> KeySet {
    let body = Recording::load(number).json().to_string();
    KeySet::parse(body.as_bytes(), verifier).unwrap()
}

#[test]
fn every_recorded_token_verifies_with_the_keys_of_its_time() {
    let tokens = recorded_tokens();
    for verifier in VERIFIERS {
        // The tokens were issued before the rotations of section 15: the first set has their key,
        // the second still has it, the last does not.
        let at_first = recorded_keys(2, verifier);
        let after_rotation = recorded_keys(118, verifier);
        let at_the_end = recorded_keys(119, verifier);
        let mut verified = BTreeMap::new();
        for Recorded {
            file,
            token,
            token_type,
            ..
        } in &tokens
        {
            for keys in [&at_first, &after_rotation] {
                let result = jwt::verify(token, keys, *token_type, MAX_TOKEN_LEN);
                assert_eq!(result.unwrap().claims["iss"], ISSUER, "{file}");
            }
            let result = jwt::verify(token, &at_the_end, *token_type, MAX_TOKEN_LEN);
            assert!(result.unwrap_err().is_key_not_found(), "{file}");
            *verified.entry(format!("{token_type:?}")).or_insert(0) += 1;
        }
        let expected = [("AccessToken", 23), ("IdToken", 22), ("LogoutToken", 1)];
        assert_eq!(
            verified,
            expected
                .map(|(name, count)| (name.to_owned(), count))
                .into()
        );
    }
}

#[test]
fn every_recorded_id_token_is_accepted_for_its_client_at_its_time() {
    for verifier in VERIFIERS {
        let keys = recorded_keys(2, verifier);
        let mut accepted = 0;
        for Recorded {
            file,
            token,
            date,
            client_id,
            ..
        } in id_tokens()
        {
            let (client_id, date) = (client_id.unwrap(), date.unwrap());
            let verification = IdTokenVerification::new(ISSUER, &client_id);
            let claims = verification.verify(&token, &keys, date).unwrap();
            assert_eq!(claims.sub, "dknhv6vsaxt5", "{file}");
            let nonce = claims.nonce.as_deref();
            assert!(
                verification
                    .nonce(nonce)
                    .verify(&token, &keys, date)
                    .is_ok(),
                "{file}"
            );
            accepted += 1;
        }
        assert_eq!(accepted, 22);
    }
}

#[test]
fn c65_c66_c67_c70_every_recorded_id_token_is_refused_elsewhere_and_later() {
    let keys = recorded_keys(2, VERIFIERS[0]);
    for Recorded {
        file,
        token,
        date,
        client_id,
        ..
    } in id_tokens()
    {
        let (client_id, date) = (client_id.unwrap(), date.unwrap());
        let check = |verification: IdTokenVerification<'_>, now| {
            verification.verify(&token, &keys, now).unwrap_err()
        };
        let ours = IdTokenVerification::new(ISSUER, &client_id);
        let slash = format!("{ISSUER}/");
        assert_eq!(
            check(IdTokenVerification::new(&slash, &client_id), date),
            TokenError::Issuer
        );
        assert_eq!(
            check(IdTokenVerification::new(ISSUER, "other"), date),
            TokenError::Audience
        );
        let later = date.plus(Duration::from_secs(3600 + 61));
        assert!(
            matches!(check(ours, later), TokenError::Expired { .. }),
            "{file}"
        );
        let earlier = date.minus(Duration::from_secs(62));
        assert!(
            matches!(check(ours, earlier), TokenError::IssuedInFuture { .. }),
            "{file}"
        );
        let other_nonce = check(ours.nonce("other"), date);
        assert!(
            matches!(
                other_nonce,
                TokenError::Nonce | TokenError::MissingClaim("nonce")
            ),
            "{file}"
        );
    }
}

#[test]
fn c76_every_recorded_refresh_continues_its_sign_in() {
    let keys = recorded_keys(2, VERIFIERS[0]);
    let mut sign_ins: BTreeMap<(String, Option<String>), IdTokenClaims> = BTreeMap::new();
    let mut continued = 0;
    for Recorded {
        file,
        token,
        date,
        client_id,
        ..
    } in id_tokens()
    {
        let (client_id, date) = (client_id.unwrap(), date.unwrap());
        let verification = IdTokenVerification::new(ISSUER, &client_id);
        let claims = verification.verify(&token, &keys, date).unwrap();
        let sign_in = (client_id.clone(), claims.nonce.clone());
        if let Some(previous) = sign_ins.insert(sign_in, claims) {
            let refreshed = verification.previous(&previous).verify(&token, &keys, date);
            assert!(refreshed.is_ok(), "{file}");
            continued += 1;
        }
    }
    assert_eq!(continued, 10);
}

fn id_tokens() -> impl Iterator<Item = Recorded> {
    recorded_tokens()
        .into_iter()
        .filter(|token| token.token_type == TokenType::IdToken)
}
