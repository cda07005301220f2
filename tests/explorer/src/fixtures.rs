//! What the machines are fed with: values, already parsed and judged.

use std::{
    collections::BTreeSet,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use logto_core::{
    AccessToken, Error, Exchange, LogtoConfig, Secret, Session, TokenTarget, UnixTime,
    error::TokenError,
    grants::Refreshed,
    metadata::ProviderMetadata,
    session::{SessionData, SessionDelta, SessionId, SessionParts, VerifiedIdToken},
};
use serde_json::{Value, json};

/// What a token is asked for: 1 and 2 are API resources, 0 is userinfo.
pub(crate) type Target = u8;

/// When the world begins, by the wall clock.
const START: i64 = 1_800_000_000;
/// How long access tokens live.
const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(3_600);

/// The wall clock, `now` milliseconds after the world began, where it is wrong by `offset` seconds.
pub(crate) fn wall(now: u64, offset: i64) -> UnixTime {
    UnixTime::from_secs(START + i64::try_from(now / 1_000).unwrap() + offset)
}

/// The monotonic clock. It did not begin with the world.
pub(crate) fn monotonic(now: u64) -> Duration {
    Duration::from_millis(1_000_000 + now)
}

/// What [`monotonic`] made a time of.
pub(crate) fn since_start(monotonic: Duration) -> u64 {
    u64::try_from(monotonic.as_millis()).unwrap() - 1_000_000
}

pub(crate) fn refresh_token(number: u8) -> Secret {
    Secret::new(format!("r{number}"))
}

/// The number of a refresh token.
pub(crate) fn number(refresh_token: &Secret) -> Option<u8> {
    refresh_token.expose().strip_prefix('r')?.parse().ok()
}

pub(crate) fn holds(session: &Session) -> Option<u8> {
    session.refresh_token().and_then(number)
}

/// The refresh tokens that changes bring.
pub(crate) fn successors<'a>(
    deltas: impl IntoIterator<Item = &'a SessionDelta>,
) -> impl Iterator<Item = u8> {
    let tokens = deltas
        .into_iter()
        .filter_map(|delta| delta.refresh_token.as_ref());
    tokens.filter_map(number)
}

pub(crate) fn target(target: Target) -> TokenTarget {
    match target {
        0 => TokenTarget::user_info(),
        target => TokenTarget::resource(format!("https://api.test/{target}")),
    }
}

/// The number of a target.
pub(crate) fn target_number(target: &TokenTarget) -> Target {
    let resource = target.resource_indicator();
    let number = resource.and_then(|resource| resource.rsplit('/').next()?.parse().ok());
    number.unwrap_or(0)
}

pub(crate) fn access_token(target: Target, issued_at: UnixTime) -> AccessToken {
    AccessToken::new(
        Secret::new(format!("a{target}")),
        BTreeSet::new(),
        issued_at,
        issued_at.plus(ACCESS_TOKEN_LIFETIME),
    )
}

/// The session as the sign-in made it. Its refresh token is number 0, its only access token is opaque.
pub(crate) fn new_session() -> Session {
    let now = wall(0, 0);
    let parts = SessionParts {
        id: SessionId::from_random([7; 16]),
        id_token: ID_TOKEN.into(),
        refresh_token: Some(refresh_token(0)),
        refresh_token_issued_at: Some(now),
        access_tokens: vec![(target(0), access_token(0, now))],
        requested_scopes: BTreeSet::new(),
        requested_resources: [1, 2, 3]
            .map(|target| format!("https://api.test/{target}"))
            .into(),
        granted_scopes: BTreeSet::new(),
        data: None,
        began_at: now,
        created_at: now,
        changed_at: now,
    };
    parts.try_into().unwrap()
}

/// What the application keeps in a new session.
pub(crate) fn data() -> SessionData {
    SessionData::new(&1).unwrap()
}

/// `{}` and `{"iss":"i","sub":"s","aud":"a","exp":1,"iat":0}`, signed by nobody.
const ID_TOKEN: &str = "e30.eyJpc3MiOiJpIiwic3ViIjoicyIsImF1ZCI6ImEiLCJleHAiOjEsImlhdCI6MH0.c2ln";

pub(crate) static CONFIG: LazyLock<LogtoConfig> = LazyLock::new(|| {
    let config = LogtoConfig::builder("https://logto.test", "app").app_secret("secret");
    config.build().unwrap()
});

/// The answer of a refresh. It has an ID token only where that matters.
pub(crate) fn refreshed(token: u8, target: Target, at: UnixTime, has_id_token: bool) -> Refreshed {
    static ANSWER: LazyLock<Refreshed> = LazyLock::new(|| {
        let body = json!({ "access_token": "a", "token_type": "Bearer" });
        read(200, body.to_string()).unwrap()
    });
    let mut answer = ANSWER.clone();
    answer.refresh_token = Some(refresh_token(token));
    answer.id_token = has_id_token.then(|| Secret::from(ID_TOKEN));
    answer.access_token = Ok(access_token(target, at));
    answer
}

/// What is wrong with an ID token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Flaw {
    /// The key set lacks its key.
    UnknownKey,
    BadSignature,
}

/// The judgement on an ID token.
pub(crate) fn judged(flaw: Option<Flaw>) -> Result<VerifiedIdToken, TokenError> {
    match flaw {
        // The header of the token has no `kid`.
        Some(Flaw::UnknownKey) => Err(TokenError::KeyNotFound { kid: None }),
        Some(Flaw::BadSignature) => Err(TokenError::BadSignature),
        None => Ok(Secret::from(ID_TOKEN).try_into().unwrap()),
    }
}

pub(crate) static METADATA: LazyLock<Arc<ProviderMetadata>> = LazyLock::new(|| {
    let Value::Object(document) = json!({
        "issuer": "https://logto.test/oidc",
        "authorization_endpoint": "https://logto.test/oidc/auth",
        "token_endpoint": "https://logto.test/oidc/token",
        "jwks_uri": "https://logto.test/oidc/jwks",
    }) else {
        panic!("an object");
    };
    Arc::new(ProviderMetadata::from_document(&CONFIG, document).unwrap())
});

/// What Logto, or something in front of it, says instead of giving a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// The refresh token is not good any more.
    InvalidGrant,
    /// The tenant's script for custom claims refuses this access token, after the refresh token was
    /// replaced.
    AccessDenied,
    TooManyRequests,
    ServerError,
}

/// The error that the core makes of it.
pub(crate) fn error(refusal: Refusal) -> Error {
    static ERRORS: LazyLock<[Error; 4]> = LazyLock::new(|| {
        let oauth = |error: &str| json!({ "error": error }).to_string();
        [
            (400, oauth("invalid_grant")),
            (403, oauth("access_denied")),
            (429, String::new()),
            (503, String::new()),
        ]
        .map(|(status, body)| read(status, body).unwrap_err())
    });
    ERRORS[refusal as usize].clone()
}

/// A literal response, as the core reads it.
fn read(status: u16, body: String) -> Result<Refreshed, Error> {
    let exchange = new_session().refresh(&CONFIG, &METADATA, &target(1), wall(0, 0));
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    let response = match status {
        429 => response.header("retry-after", "30"),
        _ => response,
    };
    let response = response.body(Bytes::from(body)).unwrap();
    exchange.unwrap().accept(response, wall(0, 0))
}
