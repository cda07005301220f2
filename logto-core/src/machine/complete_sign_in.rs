//! From a checked callback to a session.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde_json::Value;

use super::key_search::{KeySearch, ProviderKeys};
use crate::{
    claims::IdTokenClaims,
    config::LogtoConfig,
    error::{Error, UsageError},
    exchange::{Exchange, Machine, Step},
    grants::{RedeemCode, RedeemedTokens},
    id_token::IdTokenVerification,
    jwt::{KeySet, TokenError},
    metadata::ProviderMetadata,
    session::{Session, VerifiedIdToken},
    sign_in::{PendingSignIn, ResumedSignIn, ReturnTo},
    time::UnixTime,
};

/// Redeems the code of a callback and verifies the ID token; fetches the key set if there is none or
/// it lacks the token's key.
///
/// Until everything has passed no token of the response is to be had.
#[derive(Debug)]
pub struct CompleteSignIn {
    config: LogtoConfig,
    pending: PendingSignIn,
    keys: KeySearch,
    state: State,
}

#[derive(Debug)]
enum State {
    Redeem(RedeemCode),
    Verify(RedeemedTokens),
    Failed(Error),
    Taken,
}

/// A completed sign-in.
#[derive(Debug)]
#[non_exhaustive]
pub struct SignedIn {
    /// The session to be stored, under a handle that nobody knew before.
    pub session: Session,
    /// Where the user wanted to go.
    pub return_to: ReturnTo,
    /// What [`SignIn::app_state`](crate::sign_in::SignIn::app_state) was given.
    pub app_state: Option<Value>,
    /// The key set, if it was fetched on the way: it replaces the cached one.
    pub keys: Option<Arc<KeySet>>,
}

impl CompleteSignIn {
    /// Continues a sign-in whose callback was checked.
    pub fn new(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        resumed: ResumedSignIn,
        keys: ProviderKeys,
    ) -> Self {
        Self {
            config: config.clone(),
            keys: KeySearch::new(metadata, keys),
            state: State::Redeem(resumed.redeem),
            pending: resumed.pending,
        }
    }

    fn verify(
        &self,
        tokens: &RedeemedTokens,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<IdTokenClaims, TokenError> {
        let mut verification =
            IdTokenVerification::new(&self.pending.issuer, &self.pending.client_id)
                .nonce(self.pending.nonce.expose())
                .clock_skew(self.config.clock_skew())
                .trusted_audiences(self.config.trusted_audiences())
                .access_token(tokens.access_token.token.expose())
                .acr_values(&self.pending.acr_values);
        if let Some(max_age) = self.pending.max_age {
            verification = verification.max_age(max_age);
        }
        verification.verify(tokens.id_token.expose(), keys, now)
    }

    fn session(&self, tokens: RedeemedTokens, claims: IdTokenClaims, now: UnixTime) -> Session {
        Session::start(
            self.pending.session_id.clone(),
            VerifiedIdToken::new(tokens.id_token.clone(), claims),
            tokens,
            &self.pending.scopes,
            &self.pending.resources,
            now,
        )
    }
}

impl Machine for CompleteSignIn {
    type Output = Result<SignedIn, Error>;

    fn poll(&mut self, now: UnixTime) -> Step<Self::Output> {
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Redeem(redeem) => {
                let step = Step::send(&redeem);
                self.state = State::Redeem(redeem);
                step
            }
            State::Verify(tokens) => {
                match self.keys.attempt(|keys| self.verify(&tokens, keys, now)) {
                    None => {
                        self.state = State::Verify(tokens);
                        self.keys.fetch()
                    }
                    Some(Ok(claims)) => Step::Done(Ok(SignedIn {
                        session: self.session(tokens, claims, now),
                        return_to: self.pending.return_to.clone(),
                        app_state: self.pending.app_state.clone(),
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
        self.state = match std::mem::replace(&mut self.state, State::Taken) {
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
