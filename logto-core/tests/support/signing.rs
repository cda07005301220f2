//! A provider's keys, and claims of its ID tokens.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use logto_core::{
    jwt::{AwsLcVerifier, KeySet},
    sign_in::ProviderKeys,
};
use serde_json::{Value, json};

use super::{
    SigningKey, jwks,
    provider::{self, ISSUER, NOW, response},
};

pub fn provider_keys(keys: Option<KeySet>) -> ProviderKeys {
    ProviderKeys::new(keys.map(Arc::new), Arc::new(AwsLcVerifier))
}

/// The keys that sign everything here.
pub fn keys() -> ProviderKeys {
    provider_keys(Some(SigningKey::es384().key_set(&AwsLcVerifier)))
}

pub fn jwks_response(keys: &[&SigningKey]) -> Response<Bytes> {
    let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
    response(200, "application/jwk-set+json", jwks(&keys))
}

pub fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "alice",
        "aud": "app-id",
        "exp": NOW.as_secs() + 3600,
        "iat": NOW.as_secs(),
        "nonce": "the-nonce",
    })
}

pub fn claims_with(member: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[member] = value;
    claims
}

pub fn claims_without(member: &str) -> Value {
    let mut claims = provider::object(claims());
    claims.remove(member);
    Value::Object(claims)
}

pub fn id_token(claims: &Value) -> String {
    SigningKey::es384().sign(claims)
}
