//! What a test can observe of the provider.

use crate::{
    journal::{Endpoint, RequestRecord},
    logout_token::LogoutToken,
    logto::Logto,
};

impl Logto {
    /// Every request since the beginning or since [`Logto::reset_counts`], in the order of arrival.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.state().journal.clone()
    }

    /// How many requests an endpoint received.
    pub fn count(&self, endpoint: Endpoint) -> usize {
        self.state()
            .journal
            .iter()
            .filter(|record| record.endpoint() == endpoint)
            .count()
    }

    /// Forgets the requests so far.
    pub fn reset_counts(&self) {
        self.state().journal.clear();
    }

    /// Whether the grant of a refresh token is still valid. The token itself may have been consumed. `false`
    /// for a token that was never issued.
    pub fn grant_is_alive(&self, refresh_token: &str) -> bool {
        self.with(|cx| {
            let store = &cx.state.store;
            let token = store.refresh_tokens.get(refresh_token);
            token.is_some_and(|token| store.is_alive(&token.authority, cx.now))
        })
    }

    /// Whether a refresh with this token would succeed now.
    pub fn refresh_token_is_usable(&self, refresh_token: &str) -> bool {
        self.with(|cx| {
            cx.state
                .store
                .usable_refresh_token(refresh_token, cx.now)
                .is_some()
        })
    }

    /// The newest refresh token from the same sign-in as this one, after any number of rotations. `None` for
    /// a token that was never issued.
    pub fn latest_refresh_token(&self, refresh_token: &str) -> Option<String> {
        self.state()
            .store
            .latest_refresh_token(refresh_token)
            .map(str::to_owned)
    }

    /// How often a refresh token was used again later than three seconds after it was consumed: each time, a
    /// user was signed out.
    pub fn late_replays(&self) -> usize {
        self.state().store.late_replays
    }

    /// The logout tokens that Logto would have sent since the last call.
    pub fn take_logout_tokens(&self) -> Vec<LogoutToken> {
        std::mem::take(&mut self.state().logout_tokens)
    }
}
