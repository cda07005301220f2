//! From a session to an access token.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;

use crate::{
    claims::IdTokenClaims,
    config::LogtoConfig,
    error::{Error, TokenError, UsageError},
    exchange::{Exchange, Machine, Step},
    grants::{RefreshTokens, Refreshed},
    id_token::IdTokenVerification,
    jwt::KeySet,
    metadata::ProviderMetadata,
    secret::Secret,
    session::{Plan, Session, SessionDelta, VerifiedIdToken},
    sign_in::{KeySearch, ProviderKeys},
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
};

/// Gets an access token: from the session, or by spending its refresh token and verifying the ID token
/// that comes along.
///
/// A new refresh token must not get lost, whatever the rest of the answer is worth. It is in the delta
/// of [`Obtained`] also when the job fails; and when the job still has a request to send after the
/// refresh, [`rotated`](Self::rotated) has it already, to be stored before that request goes out.
#[derive(Debug)]
pub struct ObtainToken {
    config: LogtoConfig,
    issuer: String,
    claims: IdTokenClaims,
    target: TokenTarget,
    keys: KeySearch,
    delta: SessionDelta,
    state: State,
}

#[derive(Debug)]
enum State {
    Refresh(RefreshTokens),
    Verify {
        id_token: Secret,
        refreshed: Refreshed,
    },
    Done(Result<AccessToken, Error>),
    Taken,
}

/// What came of [`ObtainToken`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Obtained {
    /// The token, or why there is none.
    pub token: Result<AccessToken, Error>,
    /// What has to be stored, also when there is no token.
    pub delta: SessionDelta,
    /// The key set, if it was fetched on the way: it replaces the cached one.
    pub keys: Option<Arc<KeySet>>,
}

impl ObtainToken {
    /// A token for `target`, from the session if it holds one that is usable at `now`.
    ///
    /// # Errors
    /// As [`Session::plan`]: the server would refuse, and is not asked.
    pub fn new(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        session: &Session,
        target: &TokenTarget,
        keys: ProviderKeys,
        now: UnixTime,
    ) -> Result<Self, UsageError> {
        let state = match session.plan(config, metadata, target, now)? {
            Plan::Use(token) => State::Done(Ok(token.clone())),
            Plan::Refresh(refresh) => State::Refresh(refresh),
        };
        Ok(Self::in_state(
            config, metadata, session, target, keys, state,
        ))
    }

    /// A new token for `target`, whether or not the session holds a usable one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn anew(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        session: &Session,
        target: &TokenTarget,
        keys: ProviderKeys,
        now: UnixTime,
    ) -> Result<Self, UsageError> {
        let state = State::Refresh(session.refresh(config, metadata, target, now)?);
        Ok(Self::in_state(
            config, metadata, session, target, keys, state,
        ))
    }

    fn in_state(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        session: &Session,
        target: &TokenTarget,
        keys: ProviderKeys,
        state: State,
    ) -> Self {
        Self {
            config: config.clone(),
            issuer: metadata.issuer().to_owned(),
            claims: session.claims().clone(),
            target: target.clone(),
            keys: KeySearch::new(metadata, keys),
            delta: SessionDelta::default(),
            state,
        }
    }

    /// The change that has to be stored before anything else is sent: the refresh token that replaces
    /// the one just spent.
    pub fn rotated(&self) -> Option<&SessionDelta> {
        (!self.delta.is_empty()).then_some(&self.delta)
    }

    /// A refresh token that stayed the same is no change: put in the delta, it would undo a rotation
    /// that another request has stored meanwhile.
    fn accept(&mut self, refreshed: Refreshed, spent: &Secret, now: UnixTime) -> State {
        self.delta.refresh_token = refreshed
            .refresh_token
            .clone()
            .filter(|refresh_token| refresh_token != spent);
        self.delta.at = Some(now);
        match refreshed.id_token.clone() {
            Some(id_token) => State::Verify {
                id_token,
                refreshed,
            },
            None => self.finish(refreshed),
        }
    }

    /// The optional parts of an answer whose refresh token is in the delta already.
    fn finish(&mut self, refreshed: Refreshed) -> State {
        State::Done(
            refreshed
                .access_token
                .map_err(Error::from)
                .inspect(|token| {
                    self.delta.access_token = Some((self.target.clone(), token.clone()));
                }),
        )
    }

    /// OpenID Connect Core 12.2: the same user of the same provider, or the answer is refused. The
    /// session then stays as it was, with the new refresh token.
    fn verify(
        &self,
        id_token: &Secret,
        refreshed: &Refreshed,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<IdTokenClaims, TokenError> {
        let mut verification = IdTokenVerification::new(&self.issuer, self.config.app_id())
            .clock_skew(self.config.clock_skew())
            .trusted_audiences(self.config.trusted_audiences())
            .previous(&self.claims);
        if let Ok(access_token) = &refreshed.access_token {
            verification = verification.access_token(access_token.token.expose());
        }
        verification.verify(id_token.expose(), keys, now)
    }

    fn done(&mut self, token: Result<AccessToken, Error>) -> Step<Obtained> {
        Step::Done(Obtained {
            token,
            delta: std::mem::take(&mut self.delta),
            keys: self.keys.take_fetched(),
        })
    }
}

impl Machine for ObtainToken {
    type Output = Obtained;

    fn poll(&mut self, now: UnixTime) -> Step<Obtained> {
        match std::mem::replace(&mut self.state, State::Taken) {
            State::Refresh(refresh) => {
                let step = Step::send(&refresh);
                self.state = State::Refresh(refresh);
                step
            }
            State::Verify {
                id_token,
                refreshed,
            } => {
                match self
                    .keys
                    .attempt(|keys| self.verify(&id_token, &refreshed, keys, now))
                {
                    None => {
                        self.state = State::Verify {
                            id_token,
                            refreshed,
                        };
                        self.keys.fetch()
                    }
                    Some(Ok(claims)) => {
                        self.delta.id_token = Some(VerifiedIdToken::new(id_token, claims));
                        self.state = self.finish(refreshed);
                        self.poll(now)
                    }
                    Some(Err(error)) => self.done(Err(error.into())),
                }
            }
            State::Done(token) => self.done(token),
            State::Taken => self.done(Err(UsageError::AlreadyDone.into())),
        }
    }

    fn handle(&mut self, response: Response<Bytes>, now: UnixTime) {
        self.state = match std::mem::replace(&mut self.state, State::Taken) {
            State::Refresh(refresh) => {
                let spent = refresh.refresh_token().clone();
                match refresh.accept(response, now) {
                    Ok(refreshed) => self.accept(refreshed, &spent, now),
                    Err(error) => State::Done(Err(error)),
                }
            }
            State::Verify {
                id_token,
                refreshed,
            } => match self.keys.accept(response, now) {
                Ok(()) => State::Verify {
                    id_token,
                    refreshed,
                },
                Err(error) => State::Done(Err(error)),
            },
            state => state,
        };
    }
}
