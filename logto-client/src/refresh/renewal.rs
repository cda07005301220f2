//! Spending an unused refresh token before it expires.

use std::{sync::Arc, time::Duration};

use logto_core::{
    TokenTarget,
    refresh::{Demand, Persist, Wanted, is_renewal_due},
};

use super::{LoadedSession, Refresher};
use crate::provider::WaitingBudget;

/// How long a failed renewal is not repeated. The refresh token has days left.
const RENEWAL_PAUSE: Duration = Duration::from_secs(6 * 3600);

impl Refresher {
    /// Renews the refresh token of a session in cookies, if it is due, and returns the session in that case.
    /// The response still has to set the new cookie, so this waits. A failure changes nothing.
    pub(crate) async fn renew_in_cookies(
        self: &Arc<Self>,
        loaded: LoadedSession,
    ) -> Option<LoadedSession> {
        if self.stores_on_server() || !self.begins_renewal(&loaded) {
            return None;
        }
        let budget = WaitingBudget::default();
        Some(self.obtain(loaded, renewal(), &budget).await.loaded)
    }

    /// Renews the refresh token of a session on the server in the background, if it is due.
    pub(crate) fn renew_on_server(self: &Arc<Self>, loaded: &LoadedSession) {
        if self.stores_on_server() && self.begins_renewal(loaded) {
            drop(self.start(loaded, &renewal()));
        }
    }

    fn begins_renewal(&self, loaded: &LoadedSession) -> bool {
        let (renewals, now) = (&self.memory.renewals, self.provider.now());
        let (id, until) = (loaded.session.id(), now.plus(RENEWAL_PAUSE));
        is_renewal_due(&loaded.session, self.options.refresh_token_lifetime, now)
            && renewals.get(id, now).is_none()
            && renewals.insert(id.clone(), (), until, now)
    }
}

fn renewal() -> Wanted {
    Wanted {
        target: TokenTarget::user_info(),
        demand: Demand::Renewal,
        persist: Persist::Storage,
    }
}
