//! Whether a refresh token is still the newest one of its session, where only the provider knows.
//!
//! A cookie opens as it was sealed, however old it is, and the refresh token in it may have been replaced
//! in another process. Logto forgives the use of a replaced token for three seconds and ends the grant
//! after that. Introspection tells the same without that price
//! ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)): a token that was replaced, has expired or was
//! revoked is not active.

use std::time::Duration;

use logto_core::{Secret, UnixTime};

use super::{Held, Refresher, lease::HeldLease};
use crate::{
    error::{Error, SessionEnd},
    event::Event,
    ledger,
};

/// A refresh token that was the newest one is believed to be for so long, in whole seconds: who spends
/// it meanwhile elsewhere is less than Logto's three seconds ahead.
const NEWEST_FOR: Duration = Duration::from_secs(2);
/// After so long no request with an old cookie is still on its way: proxies and browsers give up sooner. Who
/// brings it then has no other.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a refresh token is known not to be the newest.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

/// What is known about a refresh token.
#[derive(Clone, Copy, Debug)]
pub(super) enum Standing {
    Newest,
    /// Not any more, as far as is known since then.
    Replaced(UnixTime),
}

impl Refresher {
    /// Whether a refresh under this lease has nobody beside it.
    pub(super) fn knows_newest(&self, lease: &HeldLease) -> bool {
        self.single_process || matches!(lease, HeldLease::Ledger(..))
    }

    /// Notes that a refresh token was the newest one at `now`.
    pub(super) fn note_newest(&self, refresh_token: &Secret, now: UnixTime) {
        if !self.single_process {
            self.note(refresh_token, Standing::Newest, now, NEWEST_FOR);
        }
    }

    /// Fails if the refresh token of a session was replaced elsewhere, or has ended.
    ///
    /// At first that is an error that passes: another cookie of this session may be on its way. Only
    /// when the same token comes again later, the browser has no other, and the session has ended.
    pub(super) async fn assure_newest(&self, held: &Held) -> Result<(), Error> {
        let Some(refresh_token) = held.session.refresh_token() else {
            return Ok(());
        };
        let now = self.provider.now();
        let name = ledger::fingerprint(refresh_token);
        match self.shared.standings.get(&name, now) {
            Some(Standing::Newest) => Ok(()),
            Some(Standing::Replaced(since)) if now.since(since) < PATIENCE => {
                Err(Error::Superseded)
            }
            Some(Standing::Replaced(_)) => Err(Error::SessionEnded(SessionEnd::Superseded)),
            None if self.is_active(refresh_token).await? => {
                self.note_newest(refresh_token, now);
                Ok(())
            }
            None => {
                self.note(refresh_token, Standing::Replaced(now), now, REMEMBERED_FOR);
                self.provider.observer.on_event(&Event::Superseded {
                    session: held.session.id().clone(),
                });
                Err(Error::Superseded)
            }
        }
    }

    /// A provider that does not let this application ask is believed to have nothing to say.
    async fn is_active(&self, refresh_token: &Secret) -> Result<bool, Error> {
        match self.provider.introspect(refresh_token.clone()).await {
            Ok(introspection) => Ok(introspection.active),
            Err(error) if error.advice().is_retry() => {
                self.shared.cooldown.learn(&error, self.provider.now());
                Err(error)
            }
            Err(_) => Ok(true),
        }
    }

    fn note(&self, refresh_token: &Secret, standing: Standing, now: UnixTime, lifetime: Duration) {
        let name = ledger::fingerprint(refresh_token);
        let until = now.plus(lifetime);
        self.shared.standings.insert(name, standing, until, now);
    }
}
