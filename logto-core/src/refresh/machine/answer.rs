//! Judging a response. Its refresh token is stored before anything else can fail or take time.

use std::time::Duration;

use super::{
    super::{
        Action, IdTokenCheck, Moment, RefreshError,
        state::{Answer, Change, Sending, State, Then},
    },
    Refresh,
};
use crate::{error::TokenError, grants::Refreshed, session::VerifiedIdToken};

impl<F: Clone> Refresh<F> {
    pub(super) fn answered(
        &mut self,
        sending: Sending<F>,
        refreshed: Refreshed,
        sent_at: Duration,
        now: Moment,
    ) -> State<F> {
        let Some(spent) = self.session.refresh_token().cloned() else {
            return self.finish(Err(RefreshError::Superseded), now);
        };
        self.has_spent = true;
        let (mut answer, id_token) = Answer::new(sending, spent, refreshed, sent_at, now.wall);
        let Some(id_token) = id_token else {
            return self.settle(answer, Ok(None), now);
        };
        let access_token = answer.access_token.as_ref().ok();
        answer.check = Some(IdTokenCheck {
            config: self.job.config.clone(),
            issuer: self.issuer(),
            previous: self.session.shared_claims(),
            id_token,
            access_token: access_token.map(|access_token| access_token.token.clone()),
        });
        self.judge(answer)
    }

    pub(super) fn issuer(&self) -> String {
        let metadata = self.metadata.as_ref();
        metadata.map_or_else(String::new, |metadata| metadata.issuer().to_owned())
    }

    /// With cached keys this takes no time, and fails only if the token is invalid.
    pub(super) fn judge(&mut self, answer: Answer) -> State<F> {
        if let Some(check) = answer.check.clone() {
            self.perform(Action::Judge(check));
        }
        State::Judging(answer)
    }

    pub(super) fn judged(
        &mut self,
        mut answer: Answer,
        judged: Result<VerifiedIdToken, TokenError>,
        now: Moment,
    ) -> State<F> {
        match judged {
            Err(error) if error.is_key_not_found() && !answer.has_fetched_keys => {
                answer.has_fetched_keys = true;
                match answer.rotation() {
                    // The fetch may fail or hang. What must not be lost is stored before that.
                    Some(rotation) => self.record(rotation),
                    None => self.fetch_keys(answer),
                }
            }
            Err(error) => self.settle(answer, Err(RefreshError::Protocol(error.into())), now),
            Ok(id_token) => self.settle(answer, Ok(Some(id_token)), now),
        }
    }

    pub(super) fn fetch_keys(&mut self, answer: Answer) -> State<F> {
        self.perform(Action::FetchKeys);
        State::FetchingKeys(answer)
    }

    /// The whole change of the session is known.
    pub(super) fn settle(
        &mut self,
        answer: Answer,
        id_token: Result<Option<VerifiedIdToken>, RefreshError<F>>,
        now: Moment,
    ) -> State<F> {
        let change = answer.settle(id_token);
        match (change.delta.is_empty(), change.then) {
            (true, Then::Finish(token)) => self.finish(token, now),
            (_, then) => self.record(Change { then, ..change }),
        }
    }
}
