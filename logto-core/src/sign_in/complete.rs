//! From a verified callback, or an approved device, to a session.

use std::{fmt, mem, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::{
    Retries, ReturnTo,
    key_search::{KeySearch, ProviderKeys},
};
use crate::{
    claims::IdTokenClaims,
    config::LogtoConfig,
    error::{Advice, Endpoint, Error, NoResponse, OAuthErrorCode, TokenError, UsageError},
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
    /// `None` for a device. A nonce detects a code that an attacker injected into the callback. A device has no
    /// callback, and polls with a code that only it knows.
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
    Failed(IncompleteSignIn),
    Done,
}

/// Completes a sign-in: redeems the code of a callback, and verifies the ID token. Fetches the key set if
/// there is none or it lacks the token's key.
///
/// A code is sent once. Only a request that certainly did not spend it is sent again, within four seconds: one
/// that was not sent, or that was refused with 429. A key set that cannot be fetched, or still lacks the key,
/// is fetched again for up to 15 seconds, because the code is spent by then and the machine holds its response.
///
/// No token of the response is available until all checks have passed.
#[derive(Debug)]
pub struct CompleteSignIn {
    config: LogtoConfig,
    keys: KeySearch,
    sign_in: ResumedSignIn,
    redemption: Retries,
    key_fetches: Retries,
    pause: Option<Duration>,
}

/// Why a sign-in was not completed, and what can be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
#[non_exhaustive]
pub struct IncompleteSignIn {
    /// The error.
    pub error: Error,
    /// How to continue.
    pub remedy: Remedy,
}

/// What can be done about a sign-in that was not completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Remedy {
    /// The code is not spent. While it is valid, a minute at Logto, the same callback can be completed with the
    /// same [`PendingSignIn`](super::PendingSignIn).
    SameCallback,
    /// The code may be spent. It must not be sent again, which would end the grant; a new sign-in, as
    /// [`PendingSignIn::again`](super::PendingSignIn::again) gives it, replaces this one.
    NewSignIn,
    /// None: another attempt would end in the same way.
    None,
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
            redemption: Retries::before_redemption(),
            key_fetches: Retries::with_tokens(),
            pause: None,
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

impl CompleteSignIn {
    /// The code is not spent: the request was not sent, or was refused.
    fn not_redeemed(&mut self, redeem: RedeemCode, error: Error, now: UnixTime) -> State {
        self.pause = self.redemption.after_failure(retry_after(&error), now);
        match self.pause {
            Some(_) => State::Redeem(redeem),
            None => State::failed(error, Remedy::SameCallback),
        }
    }

    /// The code is spent, and the key set could not be fetched, or it lacks the key: a cache in front of the
    /// provider may be outdated. Whatever the response was, the next one may differ.
    fn not_verified(&mut self, tokens: UnverifiedTokens, error: Error, now: UnixTime) -> State {
        self.pause = self.key_fetches.after_failure(retry_after(&error), now);
        match self.pause {
            Some(_) => State::Verify(tokens),
            None => State::failed(error, Remedy::NewSignIn),
        }
    }
}

impl State {
    const fn failed(error: Error, remedy: Remedy) -> Self {
        Self::Failed(IncompleteSignIn { error, remedy })
    }

    /// A response to a code that is not a success, or cannot be read.
    fn refused(error: Error) -> Self {
        let may_be_spent = match &error {
            // Another process, or an earlier request, was faster, or the callback came too late.
            Error::Server(server) if server.error == OAuthErrorCode::InvalidGrant => true,
            error => error.advice().is_retry(),
        };
        let remedy = match may_be_spent {
            true => Remedy::NewSignIn,
            false => Remedy::None,
        };
        Self::failed(error, remedy)
    }
}

fn retry_after(error: &Error) -> Option<Duration> {
    match error.advice() {
        Advice::Retry { after } => after,
        _ => None,
    }
}

impl Machine for CompleteSignIn {
    type Output = Result<SignedIn, IncompleteSignIn>;

    fn poll(&mut self, now: UnixTime) -> Step<Self::Output> {
        if let Some(pause) = self.pause.take() {
            return Step::Wait(pause);
        }
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
                    Some(Err(error)) if error.is_key_not_found() => {
                        self.keys.forget_fetched();
                        self.sign_in.state = self.not_verified(tokens, error.into(), now);
                        self.poll(now)
                    }
                    Some(Err(error)) => Step::Done(Err(IncompleteSignIn {
                        error: error.into(),
                        remedy: Remedy::None,
                    })),
                }
            }
            State::Failed(incomplete) => Step::Done(Err(incomplete)),
            State::Done => Step::Done(Err(IncompleteSignIn {
                error: UsageError::AlreadyDone.into(),
                remedy: Remedy::None,
            })),
        }
    }

    fn handle(&mut self, response: Response<Bytes>, now: UnixTime) {
        self.sign_in.state = match mem::replace(&mut self.sign_in.state, State::Done) {
            State::Redeem(redeem) => match RedeemCode::turned_away(&response, now) {
                Some(error) => self.not_redeemed(redeem, error.into(), now),
                None => match redeem.accept(response, now) {
                    Ok(tokens) => State::Verify(tokens),
                    Err(error) => State::refused(error),
                },
            },
            State::Verify(tokens) => match self.keys.accept(response, now) {
                Ok(()) => State::Verify(tokens),
                Err(error) => self.not_verified(tokens, error, now),
            },
            state => state,
        };
    }

    fn handle_failure(&mut self, failure: NoResponse, now: UnixTime) {
        let error = |endpoint| Error::NoResponse { endpoint, failure };
        self.sign_in.state = match (mem::replace(&mut self.sign_in.state, State::Done), failure) {
            (State::Redeem(redeem), NoResponse::NotSent) => {
                self.not_redeemed(redeem, error(Endpoint::Token), now)
            }
            (State::Redeem(_), NoResponse::Lost) => {
                State::failed(error(Endpoint::Token), Remedy::NewSignIn)
            }
            (State::Verify(tokens), _) => self.not_verified(tokens, error(Endpoint::Keys), now),
            (state, _) => state,
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
