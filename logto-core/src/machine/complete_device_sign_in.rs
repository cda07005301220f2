//! From an approved device code to a session.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use super::key_search::{KeySearch, ProviderKeys};
use crate::{
    claims::IdTokenClaims,
    config::{LogtoConfig, Requested},
    error::{Error, UsageError},
    exchange::{Machine, Step},
    grants::{DeviceAuthorization, RedeemedTokens},
    id_token::IdTokenVerification,
    jwt::{KeySet, TokenError},
    metadata::ProviderMetadata,
    session::{Session, SessionId, VerifiedIdToken},
    time::UnixTime,
};

/// Verifies the ID token of an approved [`DeviceAuthorization`]; fetches the key set if there is none
/// or it lacks the token's key.
///
/// There is no `nonce` to compare: the device itself asked for the token with a code that only it
/// knows.
#[derive(Debug)]
pub struct CompleteDeviceSignIn {
    config: LogtoConfig,
    issuer: String,
    session_id: SessionId,
    requested: Requested,
    keys: KeySearch,
    state: State,
}

#[derive(Debug)]
enum State {
    Verify(RedeemedTokens),
    Failed(Error),
    Taken,
}

/// A completed sign-in on a device.
#[derive(Debug)]
#[non_exhaustive]
pub struct DeviceSignedIn {
    /// The session to be stored.
    pub session: Session,
    /// The key set, if it was fetched on the way: it replaces the cached one.
    pub keys: Option<Arc<KeySet>>,
}

impl CompleteDeviceSignIn {
    /// Completes the sign-in of `device` with the `tokens` of
    /// [`DevicePoll::Approved`](crate::grants::DevicePoll::Approved). `session_id` is made of fresh
    /// random bytes.
    pub fn new(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        device: DeviceAuthorization,
        tokens: RedeemedTokens,
        session_id: SessionId,
        keys: ProviderKeys,
    ) -> Self {
        Self {
            config: config.clone(),
            issuer: metadata.issuer().to_owned(),
            session_id,
            requested: device.requested,
            keys: KeySearch::new(metadata, keys),
            state: State::Verify(tokens),
        }
    }

    fn verify(
        &self,
        tokens: &RedeemedTokens,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<IdTokenClaims, TokenError> {
        IdTokenVerification::new(&self.issuer, self.config.app_id())
            .clock_skew(self.config.clock_skew())
            .trusted_audiences(self.config.trusted_audiences())
            .access_token(tokens.access_token.token.expose())
            .verify(tokens.id_token.expose(), keys, now)
    }

    fn session(&self, tokens: RedeemedTokens, claims: IdTokenClaims, now: UnixTime) -> Session {
        Session::start(
            self.session_id.clone(),
            VerifiedIdToken::new(tokens.id_token.clone(), claims),
            tokens,
            &self.requested.scopes,
            &self.requested.resources,
            now,
        )
    }
}

impl Machine for CompleteDeviceSignIn {
    type Output = Result<DeviceSignedIn, Error>;

    fn poll(&mut self, now: UnixTime) -> Step<Self::Output> {
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Verify(tokens) => {
                match self.keys.attempt(|keys| self.verify(&tokens, keys, now)) {
                    None => {
                        self.state = State::Verify(tokens);
                        self.keys.fetch()
                    }
                    Some(Ok(claims)) => Step::Done(Ok(DeviceSignedIn {
                        session: self.session(tokens, claims, now),
                        keys: self.keys.take_fetched(),
                    })),
                    Some(Err(error)) => Step::Done(Err(error.into())),
                }
            }
            State::Failed(error) => Step::Done(Err(error)),
            State::Taken => Step::Done(Err(UsageError::AlreadyDone.into())),
        }
    }

    fn handle(&mut self, response: Response<Bytes>, now: UnixTime) {
        if matches!(self.state, State::Verify(_)) {
            if let Err(error) = self.keys.accept(response, now) {
                self.state = State::Failed(error);
            }
        }
    }
}
