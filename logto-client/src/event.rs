//! What happens behind the application's back, to sessions and to what is known of the provider: for logs
//! and alarms.

use std::fmt;

use logto_core::{TokenTarget, error::Endpoint, session::SessionId};

use crate::error::SessionEnd;

/// Something worth knowing. No event holds a token or a handle.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// An access token was fetched.
    Refreshed {
        /// Which session.
        session: SessionId,
        /// What the token is for.
        target: TokenTarget,
        /// Whether the refresh token was replaced.
        rotated: bool,
    },
    /// The answer to a refresh was lost. The refresh token may or may not have been replaced at the
    /// provider.
    RefreshUncertain {
        /// Which session.
        session: SessionId,
    },
    /// A new refresh token could not be written to the storage. It is kept in the ledger of this
    /// process and written with the next use; should the process end before that, the session is lost
    /// if the old token was replaced.
    NotStored {
        /// Which session.
        session: SessionId,
        /// Why, in words.
        reason: String,
    },
    /// A request came with an old cookie whose refresh token is not valid any more: another process has
    /// replaced it, or the provider has ended the session. It was not used. Told once for each token.
    Superseded {
        /// Which session.
        session: SessionId,
    },
    /// A session has ended without a sign-out of ours. Told once.
    SessionEnded {
        /// Which session.
        session: SessionId,
        /// Why.
        reason: SessionEnd,
    },
    /// The provider refuses our credentials. All sessions are kept; correct the configuration.
    ClientRefused,
    /// A refresh token could not be revoked at sign-out. It lives until it expires.
    NotRevoked {
        /// Why, in words.
        reason: String,
    },
    /// The provider's metadata or keys could not be fetched; the last ones serve for up to a day. Told
    /// once for each attempt, not for each request that would have liked newer ones: between attempts are
    /// pauses that grow up to a minute.
    NotFetched {
        /// SessionOwner metadata or keys.
        issuer: String,
        /// Which of them.
        endpoint: Endpoint,
        /// Why, in words.
        reason: String,
    },
    /// The provider has withdrawn keys; tokens that were signed with them are refused from now on. A
    /// rotation withdraws one and leaves others. With none left the provider takes back all its tokens,
    /// or has made a mistake: a reason for an alarm.
    KeysWithdrawn {
        /// SessionOwner keys.
        issuer: String,
        /// How many are gone.
        withdrawn: usize,
        /// How many there are now.
        left: usize,
    },
}

/// Who is told.
pub trait Observer: fmt::Debug + Send + Sync {
    /// Called as things happen, from whatever task they happen in; must return at once.
    fn on_event(&self, event: &Event);
}

/// Tells nobody, unless the feature `tracing` is on: then events go to `tracing`, under the target
/// `logto`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultObserver;

impl Observer for DefaultObserver {
    #[cfg(not(feature = "tracing"))]
    fn on_event(&self, _event: &Event) {}

    #[cfg(feature = "tracing")]
    fn on_event(&self, event: &Event) {
        match event {
            Event::Refreshed {
                target, rotated, ..
            } => {
                tracing::debug!(target: "logto", %target, rotated, "access token fetched");
            }
            Event::RefreshUncertain { .. } => {
                tracing::warn!(target: "logto", "the answer to a refresh was lost");
            }
            Event::NotStored { reason, .. } => {
                tracing::error!(target: "logto", reason, "a refreshed session could not be stored");
            }
            Event::Superseded { .. } => {
                tracing::info!(target: "logto", "an old cookie came; its refresh token is not used");
            }
            Event::SessionEnded { reason, .. } => {
                tracing::info!(target: "logto", %reason, "session ended");
            }
            Event::ClientRefused => {
                tracing::error!(target: "logto", "the provider refuses the client's credentials");
            }
            Event::NotRevoked { reason } => {
                tracing::warn!(target: "logto", reason, "refresh token not revoked");
            }
            Event::NotFetched {
                issuer,
                endpoint,
                reason,
            } => {
                tracing::warn!(target: "logto", issuer, %endpoint, reason, "the last ones serve on");
            }
            Event::KeysWithdrawn {
                issuer, left: 0, ..
            } => {
                tracing::error!(target: "logto", issuer, "the provider has withdrawn all its keys");
            }
            Event::KeysWithdrawn {
                issuer,
                withdrawn,
                left,
            } => {
                tracing::info!(target: "logto", issuer, withdrawn, left, "keys were withdrawn");
            }
        }
    }
}
