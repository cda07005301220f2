//! The application, its provider and their keys: the same in every run.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use logto_client::seal::{KeyRing, SealKey};
use logto_core::{
    LogtoConfig, UnixTime,
    jwt::{AwsLcVerifier, KeySet},
    metadata::ProviderMetadata,
};
use serde_json::{Map, Value, json};

pub(crate) const ISSUER: &str = "https://tenant.logto.app/oidc";
pub(crate) const APP_ID: &str = "app-id";
pub(crate) const API: &str = "https://api.example.com";
/// The moment of every input, within the hour that the recorded tokens are good for.
pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_795_335_765);

const KEY_ID: &str = "fuzz";

static SIGNING_KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed has 32 bytes"));

static CONFIG: LazyLock<LogtoConfig> = LazyLock::new(|| {
    LogtoConfig::builder("https://tenant.logto.app", APP_ID)
        .app_secret("app-secret")
        .base_url("https://shop.example.com")
        .other_hosts(["app.example.de", "*.preview.example.com"])
        .build()
        .expect("the configuration is valid")
});

static METADATA: LazyLock<ProviderMetadata> = LazyLock::new(|| {
    ProviderMetadata::from_document(config(), document()).expect("the document is valid")
});

static KEYS: LazyLock<Arc<KeySet>> = LazyLock::new(|| {
    let jwks = json!({ "keys": [public_jwk()] }).to_string();
    Arc::new(KeySet::parse(jwks.as_bytes(), &AwsLcVerifier).expect("the key is valid"))
});

static SEAL_KEYS: LazyLock<KeyRing> = LazyLock::new(|| KeyRing::new(SealKey::new(&[7; 32])));

pub(crate) fn config() -> &'static LogtoConfig {
    &CONFIG
}

pub(crate) fn metadata() -> &'static ProviderMetadata {
    &METADATA
}

/// The provider's keys.
pub(crate) fn keys() -> &'static Arc<KeySet> {
    &KEYS
}

/// The keys of sealed cookies and records.
pub(crate) fn seal_keys() -> &'static KeyRing {
    &SEAL_KEYS
}

/// The discovery document of [`ISSUER`].
pub(crate) fn document() -> Map<String, Value> {
    object(json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://tenant.logto.app/oidc/auth",
        "token_endpoint": "https://tenant.logto.app/oidc/token",
        "jwks_uri": "https://tenant.logto.app/oidc/jwks",
        "userinfo_endpoint": "https://tenant.logto.app/oidc/me",
        "revocation_endpoint": "https://tenant.logto.app/oidc/token/revocation",
        "introspection_endpoint": "https://tenant.logto.app/oidc/token/introspection",
        "end_session_endpoint": "https://tenant.logto.app/oidc/session/end",
        "device_authorization_endpoint": "https://tenant.logto.app/oidc/device/auth",
        "pushed_authorization_request_endpoint": "https://tenant.logto.app/oidc/request",
        "authorization_response_iss_parameter_supported": true,
    }))
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}

/// The provider's key as it publishes it.
pub fn public_jwk() -> Value {
    let x = URL_SAFE_NO_PAD.encode(SIGNING_KEY.public_key());
    json!({"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA", "kid": KEY_ID, "use": "sig"})
}

/// The header of a token of this type.
pub(crate) fn header(typ: Option<&str>) -> String {
    match typ {
        Some(typ) => json!({"alg": "EdDSA", "kid": KEY_ID, "typ": typ}),
        None => json!({"alg": "EdDSA", "kid": KEY_ID}),
    }
    .to_string()
}

/// A token with any header and payload, JSON or not, signed with the provider's key.
pub fn signed_text(header: &[u8], payload: &[u8]) -> String {
    let (header, payload) = (
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload),
    );
    let message = format!("{header}.{payload}");
    let signature = SIGNING_KEY.sign(message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// An ID token for the application.
pub(crate) fn id_token_claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": "alice",
        "aud": APP_ID,
        "exp": NOW.as_secs() + 3600,
        "iat": NOW.as_secs(),
        "nonce": "the-nonce",
    })
}

pub(crate) fn id_token(claims: &Value) -> String {
    signed_text(header(None).as_bytes(), claims.to_string().as_bytes())
}

/// A stored session.
pub(crate) fn stored_session() -> Value {
    let token = |token: &str| {
        json!({
            "token": token,
            "scopes": ["read:orders"],
            "issued_at": NOW,
            "expires_at": NOW.as_secs() + 3600,
            "last_used": NOW,
        })
    };
    json!({
        "id": vec![7; 16],
        "id_token": id_token(&id_token_claims()),
        "refresh_token": "the-refresh-token-1",
        "access_tokens": [
            [{}, token("the-access-token-1")],
            [{"resource": API}, token("the-access-token-2")],
        ],
        "requested_scopes": ["openid", "offline_access", "read:orders"],
        "requested_resources": [API],
        "granted_scopes": ["openid", "offline_access"],
        "began_at": NOW,
        "created_at": NOW,
        "changed_at": NOW,
    })
}

/// A stored session with data of the application.
pub(crate) fn stored_session_with_data() -> Value {
    let mut stored = stored_session();
    stored["data"] = json!(json!({"user_id": "the-local-user-1"}).to_string());
    stored
}

/// A stored pending sign-in, which [`good_callback`] completes.
pub(crate) fn pending_sign_in() -> Value {
    json!({
        "issuer": ISSUER,
        "client_id": APP_ID,
        "redirect_uri": config().redirect_uri().expect("it is configured"),
        "state": "the-state",
        "nonce": "the-nonce",
        "code_verifier": "the-verifier",
        "session_id": vec![7; 16],
        "scopes": ["openid", "offline_access", "profile"],
        "resources": [],
        "return_to": "/orders?page=2",
        "sign_in": {},
        "created_at": NOW,
    })
}

pub(crate) fn good_callback() -> &'static str {
    "code=the-code-1&state=the-state&iss=https%3A%2F%2Ftenant.logto.app%2Foidc"
}
