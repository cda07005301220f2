//! The end of a session: by the provider's word, by a sign-out here, by back-channel logout.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use logto_core::{
    Secret, Session, UnixTime, error::Endpoint, revocation::RevokeRefreshToken, session::SessionId,
};

use super::{Held, Persist, Refresher};
use crate::{
    error::{Error, SessionEnd},
    event::Event,
    provider::Provider,
    storage::Whose,
};

/// How long a session that ended is refused by name. Its cookie may have been copied; whoever needs more
/// than that keeps sessions in a store on the server.
const OVER_LIFETIME: Duration = Duration::from_secs(24 * 3600);

impl Refresher {
    /// The provider's word that a session is over.
    pub(super) async fn refused(&self, held: &Held, persist: Persist) -> Error {
        if persist == Persist::Stored {
            // A record that cannot be removed ends at its next use, by the same word.
            let _ = self.storage.remove(&held.handle).await;
        }
        self.ended(held.session.id(), SessionEnd::RefreshTokenRefused)
    }

    /// Ends a session for good in this process and waits for a refresh under way, so that `held` has
    /// its last refresh token.
    pub(crate) async fn sign_out(&self, held: &mut Held) {
        self.mark_over(held.session.id());
        let _turn = self.turns.take(held.session.id().clone()).await;
        self.ledger.catch_up(&mut held.session, self.provider.now());
        if let Some(refresh_token) = held.session.refresh_token() {
            self.ledger.forget(refresh_token);
        }
    }

    /// Removes a session that a new sign-in of the same browser has replaced. Its refresh token is not
    /// revoked: Logto may have given the new session the same grant, which would go along.
    pub(crate) async fn retire(&self, held: &mut Held) {
        self.sign_out(held).await;
        // Not while another process refreshes it: that one would revoke what it got.
        let ttl = self.lease_time();
        if let Ok(Some(lease)) = self.storage.lease(&held.handle, ttl).await {
            // The new session is there; an old one that cannot be removed ends by its age.
            let _ = self.storage.remove(&held.handle).await;
            let _ = self.storage.release(&held.handle, lease).await;
        }
    }

    /// Whether a session has ended in this process.
    pub(crate) fn is_over(&self, session: &Session) -> bool {
        let now = self.provider.now();
        let claims = session.claims();
        let ended_since = |whose| {
            self.logged_out
                .get(&whose, now)
                .is_some_and(|at| session.created_at() <= at)
        };
        self.over.get(session.id(), now).is_some()
            || ended_since(Whose::Subject(claims.sub.clone()))
            || claims
                .sid
                .clone()
                .is_some_and(|sid| ended_since(Whose::ProviderSession(sid)))
    }

    /// Ends all sessions of a user or of a session at the provider that began until `at`, and says how
    /// many the storage knew.
    pub(crate) async fn log_out(&self, whose: Whose, at: UnixTime) -> Result<Option<u64>, Error> {
        let now = self.provider.now();
        self.logged_out
            .insert(whose.clone(), at, now.plus(OVER_LIFETIME), now);
        Ok(self.storage.remove_all(&whose).await?)
    }

    fn mark_over(&self, session: &SessionId) -> bool {
        let now = self.provider.now();
        self.over
            .insert(session.clone(), (), now.plus(OVER_LIFETIME), now)
    }

    pub(super) fn ended(&self, session: &SessionId, reason: SessionEnd) -> Error {
        if self.mark_over(session) {
            self.observer.on_event(&Event::SessionEnded {
                session: session.clone(),
                reason,
            });
        }
        Error::SessionEnded(reason)
    }

    /// Revokes a refresh token in the background. Nobody waits for it and nobody is hurt if it fails.
    pub(crate) fn revoke(&self, refresh_token: Option<Secret>) {
        let Some(refresh_token) = refresh_token else {
            return;
        };
        self.ledger.forget(&refresh_token);
        let (provider, observer) = (Arc::clone(&self.provider), Arc::clone(&self.observer));
        self.provider.runtime.spawn(
            async move {
                if let Err(error) = revoke(&provider, refresh_token).await {
                    observer.on_event(&Event::NotRevoked {
                        reason: error.to_string(),
                    });
                }
            }
            .boxed(),
        );
    }
}

/// Revokes a refresh token.
pub(crate) async fn revoke(provider: &Arc<Provider>, refresh_token: Secret) -> Result<(), Error> {
    let metadata = provider.metadata().await?;
    let revocation = RevokeRefreshToken::new(&provider.config, &metadata, refresh_token)?;
    provider.exchange(Endpoint::Revocation, revocation).await
}
