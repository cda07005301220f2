//! The device authorization grant ([RFC 8628](https://www.rfc-editor.org/rfc/rfc8628)): signing in on
//! a device without a browser.

use std::{collections::BTreeSet, fmt, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value};
use url::Url;

use super::{
    ResumedSignIn, ReturnTo,
    complete::{Expected, State},
    requested::{Additions, Requested},
};
use crate::{
    client_authentication::ClientEndpoint,
    config::LogtoConfig,
    error::{Endpoint, Error, OAuthErrorCode, UsageError},
    exchange::{self, Exchange},
    grants::UnverifiedTokens,
    json::Given as _,
    metadata::ProviderMetadata,
    secret::Secret,
    session::SessionId,
    time::UnixTime,
    vocabulary::Prompt,
};

/// The interval between two polls if the server does not name one; Logto never does ([RFC 8628 section
/// 3.2](https://www.rfc-editor.org/rfc/rfc8628#section-3.2)).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);
/// What `slow_down` adds to the interval, permanently.
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// The largest interval after lost responses.
const MAX_BACK_OFF: Duration = Duration::from_secs(60);
/// The largest interval that a server can impose.
const MAX_INTERVAL: Duration = Duration::from_secs(3600);

/// A sign-in on this device, to be approved in a browser on another one.
///
/// Settings that are not set here come from the [`LogtoConfig`]. Register the application at Logto as a
/// native one that uses the device flow.
///
/// ```
/// # use logto_core::{grants::UnverifiedTokens, metadata::ProviderMetadata, sign_in::*, *};
/// # fn sign_in(
/// #     config: &LogtoConfig, metadata: &ProviderMetadata,
/// #     send: impl Fn(http::Request<bytes::Bytes>) -> http::Response<bytes::Bytes>,
/// #     wait_until: impl Fn(UnixTime) -> UnixTime, now: UnixTime,
/// # ) -> Result<Option<UnverifiedTokens>, Error> {
/// let authorize = DeviceSignIn::new().start(config, metadata, now)?;
/// let response = send(authorize.request());
/// let mut device = authorize.accept(response, now)?;
/// println!("Visit {} and enter {}", device.verification_uri, device.user_code);
/// loop {
///     let now = wait_until(device.next_poll());
///     let poll = device.poll(config, metadata, now);
///     let response = send(poll.request());
///     match poll.accept(response, now)? {
///         DevicePoll::Approved(tokens) => return Ok(Some(tokens)),
///         DevicePoll::Denied | DevicePoll::Expired => return Ok(None),
///         answer => device.note(&answer, now),
///     }
/// }
/// # }
/// ```
///
/// [`DeviceAuthorization::resume`] takes the tokens, and [`CompleteSignIn`](super::CompleteSignIn) turns them
/// into a session.
#[derive(Clone, Debug, Default)]
pub struct DeviceSignIn {
    additions: Additions,
}

/// Requests a device code and a user code.
#[derive(Clone, Debug)]
pub struct AuthorizeDevice {
    endpoint: ClientEndpoint,
    config: LogtoConfig,
    issuer: String,
    requested: Requested,
    prompts: Vec<Prompt>,
    requested_at: UnixTime,
}

/// A device sign-in that waits for the user's approval: what to display, and when to poll.
///
/// The caller waits and sends the polls; [`note`](Self::note) and [`back_off`](Self::back_off) keep
/// [`next_poll`](Self::next_poll) as the RFC requires.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceAuthorization {
    /// The code that the user enters, for example `TFTB-LPCC`.
    pub user_code: String,
    /// Where the user enters it.
    pub verification_uri: Url,
    /// The same URL including the user code, for a QR code.
    pub verification_uri_complete: Option<Url>,
    /// When both codes expire. Logto's live for ten minutes.
    pub expires_at: UnixTime,
    issuer: String,
    client_id: String,
    requested: Requested,
    device_code: Secret,
    interval: Duration,
    next_poll: UnixTime,
}

/// Polls whether the user has approved.
#[derive(Clone, Debug)]
pub struct PollDevice {
    endpoint: ClientEndpoint,
    device_code: Secret,
    requested_scopes: BTreeSet<String>,
    requested_at: UnixTime,
}

/// The response to [`PollDevice`].
#[derive(Debug)]
#[non_exhaustive]
pub enum DevicePoll {
    /// The user has not decided yet.
    Pending,
    /// The user has not decided yet, and this device polls too often.
    SlowDown,
    /// The user did not decide in time. Start again.
    Expired,
    /// The user, or the server, denied the sign-in.
    Denied,
    /// The user approved. The device code is spent; the ID token is not yet verified.
    Approved(UnverifiedTokens),
}

impl DeviceSignIn {
    /// A sign-in as configured.
    pub fn new() -> Self {
        Self::default()
    }

    /// Scopes in addition to the configured ones.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.additions.add_scopes(scopes);
        self
    }

    /// API resources in addition to the configured ones.
    #[must_use]
    pub fn resources<S: Into<String>>(mut self, resources: impl IntoIterator<Item = S>) -> Self {
        self.additions.add_resources(resources);
        self
    }

    /// Prompts that replace the configured ones. Logto issues no refresh token without `consent`.
    #[must_use]
    pub fn prompt(mut self, prompts: impl IntoIterator<Item = Prompt>) -> Self {
        self.additions.set_prompts(prompts);
        self
    }

    /// The exchange that starts the sign-in, at `now`.
    ///
    /// # Errors
    /// [`UsageError::EndpointNotAdvertised`]; [`UsageError::InvalidParameter`] for a malformed scope.
    pub fn start(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        now: UnixTime,
    ) -> Result<AuthorizeDevice, UsageError> {
        Ok(AuthorizeDevice {
            endpoint: ClientEndpoint::new(
                metadata.endpoint(Endpoint::DeviceAuthorization)?,
                config,
            ),
            config: config.clone(),
            issuer: metadata.issuer().to_owned(),
            requested: self.additions.merge(config)?,
            prompts: self.additions.prompts(config)?.to_vec(),
            requested_at: now,
        })
    }
}

impl Exchange for AuthorizeDevice {
    const ENDPOINT: Endpoint = Endpoint::DeviceAuthorization;

    type Output = DeviceAuthorization;

    fn request(&self) -> Request<Bytes> {
        let scope = self.requested.scopes.join(" ");
        let prompts: Vec<&str> = self.prompts.iter().map(|prompt| prompt.as_str()).collect();
        let prompt = prompts.join(" ");
        let mut parameters = vec![("scope", scope.as_str())];
        parameters.extend(
            self.requested
                .resources
                .iter()
                .map(|resource| ("resource", resource.as_str())),
        );
        if !prompt.is_empty() {
            parameters.push(("prompt", &prompt));
        }
        self.endpoint.post(&parameters)
    }

    fn accept(
        self,
        response: Response<Bytes>,
        now: UnixTime,
    ) -> Result<DeviceAuthorization, Error> {
        let members = exchange::json_object(Self::ENDPOINT, &response, now)?;
        self.read(&members, now)
            .map_err(|problem| exchange::unusable(Self::ENDPOINT, &response, problem).into())
    }
}

impl AuthorizeDevice {
    fn read(
        self,
        members: &Map<String, Value>,
        now: UnixTime,
    ) -> Result<DeviceAuthorization, &'static str> {
        let text = |name| members.given(name).and_then(Value::as_str);
        let web_url = |text| {
            Url::parse(text)
                .ok()
                .filter(|url| self.config.allows_transport(url))
        };
        let interval = match members.given("interval") {
            None => DEFAULT_INTERVAL,
            Some(interval) => {
                exchange::seconds(interval).ok_or("`interval` is not a number of seconds")?
            }
        }
        .clamp(Duration::from_secs(1), MAX_INTERVAL);
        Ok(DeviceAuthorization {
            user_code: text("user_code")
                .filter(|code| is_printable(code))
                .ok_or("`user_code` is missing or nothing to show to a person")?
                .to_owned(),
            verification_uri: text("verification_uri")
                .and_then(web_url)
                .ok_or("`verification_uri` is missing or not an https URL")?,
            verification_uri_complete: text("verification_uri_complete")
                .map(|text| web_url(text).ok_or("`verification_uri_complete` is not an https URL"))
                .transpose()?,
            expires_at: members
                .given("expires_in")
                .and_then(exchange::seconds)
                .map(|lifetime| self.requested_at.plus(lifetime))
                .ok_or("`expires_in` is missing or not a number of seconds")?,
            device_code: text("device_code")
                .filter(|code| !code.is_empty())
                .map(Secret::from)
                .ok_or("`device_code` is missing or not a string")?,
            issuer: self.issuer,
            client_id: self.config.app_id().to_owned(),
            requested: self.requested,
            interval,
            next_poll: now.plus(interval),
        })
    }
}

impl DeviceAuthorization {
    /// The secret that this device polls with. No other sign-in on a device has it.
    pub fn device_code(&self) -> &Secret {
        &self.device_code
    }

    /// The earliest time of the next poll.
    pub fn next_poll(&self) -> UnixTime {
        self.next_poll
    }

    /// Whether the codes have expired at `now`, by our clock. Stop polling then.
    pub fn is_expired(&self, now: UnixTime) -> bool {
        now >= self.expires_at
    }

    /// The exchange that polls, at `now`, whether the user has approved.
    pub fn poll(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        now: UnixTime,
    ) -> PollDevice {
        PollDevice {
            endpoint: ClientEndpoint::new(metadata.token_endpoint(), config),
            device_code: self.device_code.clone(),
            requested_scopes: self.requested.scopes.iter().cloned().collect(),
            requested_at: now,
        }
    }

    /// Resumes the sign-in with the `tokens` of [`DevicePoll::Approved`]. `session_id` consists of fresh
    /// random bytes.
    pub fn resume(self, tokens: UnverifiedTokens, session_id: SessionId) -> ResumedSignIn {
        ResumedSignIn {
            state: State::Verify(tokens),
            expected: Expected {
                issuer: self.issuer,
                client_id: self.client_id,
                nonce: None,
                max_age: None,
                acr_values: Vec::new(),
                session_id,
                scopes: self.requested.scopes,
                resources: self.requested.resources,
            },
            return_to: ReturnTo::root(),
            app_state: None,
        }
    }

    /// Records a response that was received at `now`. [`next_poll`](Self::next_poll) is one interval later;
    /// [`DevicePoll::SlowDown`] permanently makes the interval five seconds longer.
    pub fn note(&mut self, answer: &DevicePoll, now: UnixTime) {
        if matches!(answer, DevicePoll::SlowDown) {
            self.interval = self.interval.saturating_add(SLOW_DOWN);
        }
        self.next_poll = now.plus(self.interval);
    }

    /// Records that there was no response, by `now`. The interval doubles, up to a minute
    /// ([RFC 8628 section 3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5)). The next poll waits at least
    /// for `retry_after`, but for no more than a minute: the codes live for ten.
    pub fn back_off(&mut self, retry_after: Option<Duration>, now: UnixTime) {
        let doubled = self.interval.saturating_mul(2).min(MAX_BACK_OFF);
        self.interval = self.interval.max(doubled);
        let asked_for = retry_after.unwrap_or_default().min(MAX_BACK_OFF);
        self.next_poll = now.plus(self.interval.max(asked_for));
    }
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorization")
            .field("verification_uri", &self.verification_uri.as_str())
            .field("expires_at", &self.expires_at)
            .field("interval", &self.interval)
            .field("next_poll", &self.next_poll)
            .finish_non_exhaustive()
    }
}

impl Exchange for PollDevice {
    const ENDPOINT: Endpoint = Endpoint::Token;

    type Output = DevicePoll;

    fn request(&self) -> Request<Bytes> {
        self.endpoint.post(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", self.device_code.expose()),
        ])
    }

    /// # Errors
    /// The errors of any exchange, for a response that is neither a decision of the user nor a reason to wait.
    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<DevicePoll, Error> {
        let tokens =
            UnverifiedTokens::read(&response, &self.requested_scopes, self.requested_at, now);
        match tokens {
            Ok(tokens) => Ok(DevicePoll::Approved(tokens)),
            Err(Error::Server(error)) => match error.error {
                OAuthErrorCode::AuthorizationPending => Ok(DevicePoll::Pending),
                OAuthErrorCode::SlowDown => Ok(DevicePoll::SlowDown),
                OAuthErrorCode::ExpiredToken => Ok(DevicePoll::Expired),
                OAuthErrorCode::AccessDenied => Ok(DevicePoll::Denied),
                _ => Err(Error::Server(error)),
            },
            Err(error) => Err(error),
        }
    }
}

/// Short, and without characters that control a terminal.
fn is_printable(code: &str) -> bool {
    (1..=64).contains(&code.len()) && !code.chars().any(char::is_control)
}
