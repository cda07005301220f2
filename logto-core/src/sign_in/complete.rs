//! From a verified callback, or an approved device, to a session.

use std::{fmt, mem, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::{
    ReturnTo,
    key_search::{KeySearch, ProviderKeys},
};
use crate::{
    claims::IdTokenClaims,
    config::LogtoConfig,
    error::{Error, TokenError, UsageError},
    exchange::{Exchange, Machine, Step},
    grants::{RedeemCode, UnverifiedTokens},
    id_token::IdTokenVerification,
    jwt::KeySet,
    metadata::ProviderMetadata,
    secret::Secret,
    session::{Session, SessionId, VerifiedIdToken},
    time::UnixTime,
};

/// A sign-in that can be completed, once: its callback passed all checks, or the user approved it on
/// another device.
///
/// [`PendingSignIn::resume`](super::PendingSignIn::resume) and
/// [`DeviceAuthorization::resume`](super::DeviceAuthorization::resume) return one.
pub struct ResumedSignIn {
    pub(super) state: State,
    pub(super) expected: Expected,
    pub(super) return_to: ReturnTo,
    pub(super) app_state: Option<Value>,
}

/// What the ID token must match, and what the session starts with.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) issuer: String,
    pub(super) client_id: String,
    /// `None` for a device. A nonce detects a code that an attacker injected into the callback; a device has
    /// no callback, and polls with a code that only it knows.
    pub(super) nonce: Option<Secret>,
    pub(super) max_age: Option<Duration>,
    pub(super) acr_values: Vec<String>,
    pub(super) session_id: SessionId,
    pub(super) scopes: Vec<String>,
    pub(super) resources: Vec<String>,
}

#[derive(Debug)]
pub(super) enum State {
    Redeem(RedeemCode),
    Verify(UnverifiedTokens),
    Failed(Error),
    Done,
}

/// Completes a sign-in: redeems the code of a callback, and verifies the ID token. Fetches the key set if
/// there is none or it lacks the token's key.
///
/// No token of the response is available until all checks have passed.
#[derive(Debug)]
pub struct CompleteSignIn {
    config: LogtoConfig,
    keys: KeySearch,
    sign_in: ResumedSignIn,
}

/// A completed sign-in.
#[derive(Debug)]
#[non_exhaustive]
pub struct SignedIn {
    /// The new session. Store it under a new, unpredictable handle.
    pub session: Session,
    /// Where the user wanted to go. For a device: the root.
    pub return_to: ReturnTo,
    /// The value given to [`SignIn::app_state`](super::SignIn::app_state).
    pub app_state: Option<Value>,
    /// The key set, if it was fetched. It replaces the cached one.
    pub keys: Option<Arc<KeySet>>,
}

impl CompleteSignIn {
    /// Completes `sign_in`, starting with `keys`.
    pub fn new(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        sign_in: ResumedSignIn,
        keys: ProviderKeys,
    ) -> Self {
        Self {
            config: config.clone(),
            keys: KeySearch::new(metadata, keys),
            sign_in,
        }
    }

    fn verify(
        &self,
        tokens: &UnverifiedTokens,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<IdTokenClaims, TokenError> {
        let expected = &self.sign_in.expected;
        IdTokenVerification::new(&expected.issuer, &expected.client_id)
            .nonce(expected.nonce.as_ref().map(Secret::expose))
            .max_age(expected.max_age)
            .acr_values(&expected.acr_values)
            .clock_skew(self.config.clock_skew())
            .trusted_audiences(self.config.trusted_audiences())
            .access_token(tokens.access_token.token.expose())
            .verify(tokens.id_token.expose(), keys, now)
    }

    fn signed_in(
        &mut self,
        tokens: UnverifiedTokens,
        claims: IdTokenClaims,
        now: UnixTime,
    ) -> SignedIn {
        let expected = &self.sign_in.expected;
        SignedIn {
            session: Session::start(
                expected.session_id.clone(),
                VerifiedIdToken::new(tokens.id_token.clone(), claims),
                tokens,
                &expected.scopes,
                &expected.resources,
                now,
            ),
            return_to: self.sign_in.return_to.clone(),
            app_state: self.sign_in.app_state.take(),
            keys: self.keys.take_fetched(),
        }
    }
}

impl Machine for CompleteSignIn {
    type Output = Result<SignedIn, Error>;

    fn poll(&mut self, now: UnixTime) -> Step<Self::Output> {
        match mem::replace(&mut self.sign_in.state, State::Done) {
            State::Redeem(redeem) => {
                let step = Step::send(&redeem);
                self.sign_in.state = State::Redeem(redeem);
                step
            }
            State::Verify(tokens) => {
                match self.keys.attempt(|keys| self.verify(&tokens, keys, now)) {
                    None => {
                        self.sign_in.state = State::Verify(tokens);
                        self.keys.fetch()
                    }
                    Some(Ok(claims)) => Step::Done(Ok(self.signed_in(tokens, claims, now))),
                    Some(Err(error)) => Step::Done(Err(error.into())),
                }
            }
            State::Failed(error) => Step::Done(Err(error)),
            State::Done => Step::Done(Err(UsageError::AlreadyDone.into())),
        }
    }

    fn handle(&mut self, response: Response<Bytes>, now: UnixTime) {
        self.sign_in.state = match mem::replace(&mut self.sign_in.state, State::Done) {
            State::Redeem(redeem) => match redeem.accept(response, now) {
                Ok(tokens) => State::Verify(tokens),
                Err(error) => State::Failed(error),
            },
            State::Verify(tokens) => match self.keys.accept(response, now) {
                Ok(()) => State::Verify(tokens),
                Err(error) => State::Failed(error),
            },
            state => state,
        };
    }
}

/// Without the application's state, which may be confidential.
impl fmt::Debug for ResumedSignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumedSignIn")
            .field("state", &self.state)
            .field("expected", &self.expected)
            .field("return_to", &self.return_to)
            .finish_non_exhaustive()
    }
}
