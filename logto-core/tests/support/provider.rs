//! An application, its provider, and literal responses.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use logto_core::{
    LogtoConfig, Machine, Step, UnixTime,
    config::LogtoConfigBuilder,
    metadata::ProviderMetadata,
    sign_in::{Callback, PendingSignIn, ResumedSignIn, SIGN_IN_RANDOM_BYTES},
};
use logto_recordings::Recording;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

pub const ISSUER: &str = "https://tenant.logto.app/oidc";
pub const APP_ID: &str = "app-id";
pub const APP_SECRET: &str = "app-secret";
/// Within the hour that the recorded tokens are good for.
pub const NOW: UnixTime = UnixTime::from_secs(1_795_335_765);

pub fn builder() -> LogtoConfigBuilder {
    LogtoConfig::builder("https://tenant.logto.app", APP_ID)
        .app_secret(APP_SECRET)
        .base_url("https://shop.example.com")
}

pub fn config() -> LogtoConfig {
    builder().build().unwrap()
}

/// The discovery document of [`ISSUER`], as far as the core reads it.
pub fn document() -> Map<String, Value> {
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

pub fn document_with(member: &str, value: Value) -> Map<String, Value> {
    let mut document = document();
    document.insert(member.to_owned(), value);
    document
}

pub fn metadata() -> ProviderMetadata {
    metadata_from(document())
}

pub fn metadata_from(document: Map<String, Value>) -> ProviderMetadata {
    ProviderMetadata::from_document(&config(), document).unwrap()
}

pub fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else {
        panic!("not an object: {value}");
    };
    object
}

/// The bytes 0, 1, 2 and so on: no two of the values made of them are alike.
pub fn random() -> [u8; SIGN_IN_RANDOM_BYTES] {
    std::array::from_fn(|index| u8::try_from(index).unwrap())
}

pub fn response(status: u16, content_type: &str, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(body.into())
        .unwrap()
}

pub fn json_response(status: u16, body: &Value) -> Response<Bytes> {
    response(status, "application/json", body.to_string())
}

/// The parameters of a form request; no name may appear twice.
pub fn form(request: &Request<Bytes>) -> BTreeMap<String, String> {
    parameters(request.body())
}

pub fn parameters(encoded: &[u8]) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(encoded).into_owned() {
        let before = parameters.insert(name.clone(), value);
        assert_eq!(before, None, "{name} is there twice");
    }
    parameters
}

pub fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap())
}

/// A stored pending sign-in, in which a test can change what it likes.
pub fn pending_record(config: &LogtoConfig) -> Value {
    json!({
        "issuer": config.issuer(),
        "client_id": config.app_id(),
        "redirect_uri": config.redirect_uri().unwrap(),
        "state": "the-state",
        "nonce": "the-nonce",
        "code_verifier": "the-verifier",
        "session_id": vec![7; 16],
        "scopes": ["openid", "offline_access", "profile"],
        "resources": [],
        "return_to": "/",
        "sign_in": {},
        "created_at": NOW,
    })
}

/// The pending sign-in of `record`, with a good callback that brings `code`.
pub fn resumed(
    record: Value,
    config: &LogtoConfig,
    metadata: &ProviderMetadata,
    code: &str,
) -> ResumedSignIn {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("state", record["state"].as_str().unwrap())
        .append_pair("iss", metadata.issuer())
        .append_pair("code", code)
        .finish();
    let pending: PendingSignIn = serde_json::from_value(record).unwrap();
    let callback = Callback::from_query(&query).unwrap();
    pending.resume(callback, config, metadata, NOW).unwrap()
}

/// What a machine wants to send now.
pub fn sent(machine: &mut impl Machine) -> Request<Bytes> {
    match machine.poll(NOW) {
        Step::Send { request, .. } => request,
        Step::Wait(pause) => panic!("waits for {pause:?}"),
        Step::Done(_) => panic!("nothing to send"),
    }
}

/// What a machine ended with.
pub fn done<M: Machine>(machine: &mut M) -> M::Output {
    match machine.poll(NOW) {
        Step::Done(output) => output,
        step => panic!("not done: {}", described(&step)),
    }
}

/// How long a machine wants to wait now.
pub fn pause(machine: &mut impl Machine) -> Duration {
    match machine.poll(NOW) {
        Step::Wait(pause) => pause,
        step => panic!("no pause: {}", described(&step)),
    }
}

fn described<T>(step: &Step<T>) -> String {
    match step {
        Step::Send { request, .. } => format!("{} {}", request.method(), request.uri()),
        Step::Wait(pause) => format!("waits for {pause:?}"),
        Step::Done(_) => "done".to_owned(),
    }
}

/// The application of most recordings.
pub fn recorded_builder() -> LogtoConfigBuilder {
    recorded_app("q5z3x46nt51n2jydi4jkh").app_secret("jjpOZBx3GoL24m10JcYaXDjlzzcIfNqA")
}

pub fn recorded_app(app_id: &str) -> LogtoConfigBuilder {
    LogtoConfig::builder("http://localhost:3001", app_id).base_url("http://localhost:4000")
}

pub fn recorded_metadata() -> ProviderMetadata {
    let config = recorded_builder().build().unwrap();
    ProviderMetadata::from_document(&config, object(Recording::load(1).json())).unwrap()
}
