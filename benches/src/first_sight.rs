//! Verify a token at first sight, with the provider's keys at hand.

use std::sync::Arc;

use aws_lc_rs::signature::ParsedPublicKey;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Validation;
use logto_core::{UnixTime, api_token::AccessTokenVerification, id_token::IdTokenVerification};

use crate::{
    claims::{self, API, APP_ID, AccessToken, Borrowed, ISSUER, IdToken, NONCE, NOW},
    contest::Contest,
    keys::{ALGORITHMS, Key},
};

const NOW_TIME: UnixTime = UnixTime::from_secs(NOW + 1);

/// An ID token and an access token for each algorithm.
pub fn contests() -> Vec<Contest> {
    let of = |algorithm| {
        let key = Arc::new(Key::generate(algorithm));
        [id_token(&key), access_token(&key)]
    };
    ALGORITHMS.into_iter().flat_map(of).collect()
}

/// The signature, the parties, the times and the nonce.
fn id_token(key: &Key) -> Contest {
    let token: Arc<str> = key.sign(None, &claims::id_token(NOW, 2)).into();
    let (ours, floor, peer) = (Arc::clone(&token), Arc::clone(&token), Arc::clone(&token));
    let (keys, decoding) = (key.set([]), key.decoding());
    let validation = validation(key, APP_ID);
    let verification = IdTokenVerification::new(ISSUER, APP_ID).nonce(NONCE);
    of_key(key, "ID token", &token)
        .enter("by hand: aws-lc-rs, borrowed claims", {
            let key = key.parsed();
            move || by_hand(&floor, &key, APP_ID, |claims| claims.nonce == Some(NONCE))
        })
        .enter("logto", move || {
            verification
                .verify(&ours, &keys, NOW_TIME)
                .expect("a good token")
        })
        .enter("jsonwebtoken, aws_lc_rs", move || {
            let claims = jsonwebtoken::decode::<IdToken>(&*peer, &decoding, &validation)
                .expect("a good token")
                .claims;
            assert!(claims.nonce.as_deref() == Some(NONCE) && is_current(claims.exp, claims.iat));
            claims
        })
}

/// The signature, the parties, the times and a scope.
fn access_token(key: &Key) -> Contest {
    let token: Arc<str> = key
        .sign(Some("at+jwt"), &claims::access_token(ISSUER, NOW, ""))
        .into();
    let (ours, floor, peer) = (Arc::clone(&token), Arc::clone(&token), Arc::clone(&token));
    let (keys, decoding) = (key.set([]), key.decoding());
    let validation = validation(key, API);
    let verification = AccessTokenVerification::api(ISSUER, API).require_scopes(["read:products"]);
    let permits = |scope: &str| scope.split(' ').any(|scope| scope == "read:products");
    of_key(key, "access token", &token)
        .enter("by hand: aws-lc-rs, borrowed claims", {
            let key = key.parsed();
            move || {
                by_hand(&floor, &key, API, |claims| {
                    claims.client_id.is_some() && claims.scope.is_some_and(permits)
                })
            }
        })
        .enter("logto", move || {
            verification
                .verify(&ours, &keys, NOW_TIME)
                .expect("a good token")
        })
        .enter("jsonwebtoken, aws_lc_rs", move || {
            let claims = jsonwebtoken::decode::<AccessToken>(&*peer, &decoding, &validation)
                .expect("a good token")
                .claims;
            assert!(permits(&claims.scope) && is_current(claims.exp, claims.iat));
            claims
        })
}

/// The limit: nothing but the check of the signature.
fn of_key(key: &Key, kind: &str, token: &str) -> Contest {
    let (signed, signature) = token.rsplit_once('.').expect("a JWT");
    let (signed, signature) = (
        signed.to_owned(),
        URL_SAFE_NO_PAD.decode(signature).expect("base64url"),
    );
    let key_pair = key.parsed();
    Contest::new(format!(
        "{:?}, {kind} of {} bytes at first sight",
        key.algorithm,
        token.len()
    ))
    .enter("limit: aws-lc-rs, signature only", move || {
        key_pair
            .verify_sig(signed.as_bytes(), &signature)
            .expect("a good signature")
    })
}

fn by_hand(
    token: &str,
    key: &ParsedPublicKey,
    audience: &str,
    fits: impl Fn(&Borrowed<'_>) -> bool,
) {
    let (signed, signature) = token.rsplit_once('.').expect("a JWT");
    let (_, payload) = signed.split_once('.').expect("a JWT");
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    key.verify_sig(signed.as_bytes(), &signature)
        .expect("a good signature");
    let payload = URL_SAFE_NO_PAD.decode(payload).expect("base64url");
    let claims: Borrowed<'_> = serde_json::from_slice(&payload).expect("claims");
    assert!(
        claims.iss == ISSUER
            && claims.aud == audience
            && is_current(claims.exp, claims.iat)
            && fits(&claims)
    );
}

fn is_current(exp: i64, iat: i64) -> bool {
    iat <= NOW + 61 && NOW < exp
}

fn validation(key: &Key, audience: &str) -> Validation {
    let mut validation = Validation::new(key.algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[audience]);
    // It asks the system for the time; the tokens are of another time, which `is_current` knows.
    validation.validate_exp = false;
    validation
}
