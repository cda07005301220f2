//! Events for logs and alarms: what happens to sessions, and to the provider's cached metadata and keys.

use std::fmt;

use logto_core::{TokenTarget, error::Endpoint, session::SessionId};

use crate::{
    error::SessionEnd,
    runtime::{MaybeSend, MaybeSync},
};

/// An event for operators. No event contains a token or a handle.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A user has signed in, and the browser receives the session.
    SignedIn {
        /// The session.
        session: SessionId,
        /// The user's id at Logto.
        user: String,
    },
    /// The application has refused a user who signed in at Logto; see
    /// [`SignInHook`](crate::web::SignInHook). A callback that is refused for another reason is a
    /// [`RequestFailed`](Self::RequestFailed).
    SignInRefused {
        /// The user's id at Logto.
        user: String,
        /// The reason that is shown to the user.
        reason: String,
    },
    /// A user has signed out in this application.
    SignedOut {
        /// The session.
        session: SessionId,
        /// The user's id at Logto.
        user: String,
    },
    /// An access token was fetched.
    Refreshed {
        /// The session.
        session: SessionId,
        /// What the token is for.
        target: TokenTarget,
        /// Whether the refresh token was replaced.
        rotated: bool,
    },
    /// The response to a refresh was lost. The provider may or may not have replaced the refresh token.
    RefreshUncertain {
        /// The session.
        session: SessionId,
    },
    /// A new refresh token could not be written to the storage. The ledger of this process keeps it,
    /// and the next use of the session writes it. If the process ends before that, the session is lost.
    NotStored {
        /// The session.
        session: SessionId,
        /// The error, as text.
        reason: String,
    },
    /// A request carried an old session cookie whose refresh token is no longer valid: another process
    /// has replaced it, or the provider has ended the session. The token was not used. Reported once for
    /// each token.
    Superseded {
        /// The session.
        session: SessionId,
    },
    /// A session has ended without a sign-out in this application. Reported once.
    SessionEnded {
        /// The session.
        session: SessionId,
        /// The reason.
        reason: SessionEnd,
    },
    /// The provider refuses the client authentication. All sessions are kept; correct the configuration.
    ClientRefused,
    /// A refresh token could not be revoked at sign-out. It stays valid until it expires.
    NotRevoked {
        /// The error, as text.
        reason: String,
    },
    /// A session that was signed out could not be removed from the storage. This process refuses it and
    /// tries again for twenty minutes. If that fails too, the session stays there until it expires.
    NotRemoved {
        /// The error, as text.
        reason: String,
    },
    /// A back-channel logout or a webhook has ended sessions in cookies, and the processes share nothing: after
    /// a restart, and in other processes, copies of the cookies open again. Share a ledger, or keep sessions in
    /// a store on the server.
    LogoutNotShared,
    /// A session in cookies was opened although it may have ended: more sessions ended than this process can
    /// remember, and the provider did not answer whether this one is still active. The request is repeated
    /// after a minute, or after a day if this application may not introspect tokens. Raise
    /// [`LedgerLimits::max_ends`](crate::ledger::LedgerLimits::max_ends), or share a ledger.
    SessionNotConfirmed {
        /// The session.
        session: SessionId,
        /// Why there was no answer, as text.
        reason: String,
    },
    /// A request was answered with an error. The visitor received a fixed sentence; the details are here.
    RequestFailed {
        /// The stable code, as [`Error::code`](crate::Error::code) gives it.
        code: String,
        /// The HTTP status.
        status: u16,
        /// The error, as text. It may name hosts and users of a storage.
        detail: String,
    },
    /// A sign-in could not be completed as it was started, and the browser was redirected to Logto again. The
    /// user usually does not notice it; many of these in a row mean that the token endpoint fails.
    SignInStartedAgain {
        /// Why, as text.
        reason: String,
    },
    /// The headers of a response exceed the response limit of the cookies, although everything optional was
    /// left out. A proxy with smaller buffers replaces the response with a 502.
    ResponseTooLarge {
        /// The size of the headers, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The provider's metadata or keys could not be fetched; the cached ones are used for up to a day.
    /// Reported once for each attempt, not for each request that needs them. The pauses between attempts
    /// grow up to a minute.
    NotFetched {
        /// The provider.
        issuer: String,
        /// What was to be fetched.
        endpoint: Endpoint,
        /// The error, as text.
        reason: String,
    },
    /// The provider has withdrawn keys; tokens that were signed with them are refused from now on. A
    /// rotation withdraws one key and leaves others. If none is left, the provider has revoked all its
    /// tokens or made a mistake: raise an alarm.
    KeysWithdrawn {
        /// The provider.
        issuer: String,
        /// How many keys were withdrawn.
        withdrawn: usize,
        /// How many keys are left.
        left: usize,
    },
}

/// Receives events.
pub trait Observer: fmt::Debug + MaybeSend + MaybeSync {
    /// Handles an event, in the task in which it occurs. Must not block.
    fn on_event(&self, event: &Event);
}

/// Sends events to `tracing`, under the target `logto`, if the feature `tracing` is enabled. Without it,
/// events are dropped.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DefaultObserver;

impl Observer for DefaultObserver {
    #[cfg(not(feature = "tracing"))]
    fn on_event(&self, _event: &Event) {}

    #[cfg(feature = "tracing")]
    #[rustfmt::skip] // a table: one line for each event
    fn on_event(&self, event: &Event) {
        macro_rules! log {
            ($level:ident, $($content:tt)*) => {
                tracing::$level!(target: "logto", $($content)*)
            };
        }
        match event {
            Event::SignedIn { user, .. } => log!(info, user, "signed in"),
            Event::SignInRefused { user, reason } => log!(warn, user, reason, "sign-in refused by the application"),
            Event::SignedOut { user, .. } => log!(info, user, "signed out"),
            Event::Refreshed { target, rotated, .. } => log!(debug, %target, rotated, "access token fetched"),
            Event::RefreshUncertain { .. } => log!(warn, "the response to a refresh was lost"),
            Event::NotStored { reason, .. } => log!(error, reason, "a refreshed session could not be stored"),
            Event::Superseded { .. } => log!(info, "stale session cookie; its refresh token is not used"),
            Event::SessionEnded { reason, .. } => log!(info, %reason, "session ended"),
            Event::ClientRefused => log!(error, "the provider refuses the client authentication"),
            Event::NotRevoked { reason } => log!(warn, reason, "refresh token not revoked"),
            Event::NotRemoved { reason } => log!(error, reason, "signed-out session not removed"),
            Event::LogoutNotShared => log!(warn, "back-channel logout not shared with other processes"),
            Event::SessionNotConfirmed { reason, .. } => log!(warn, reason, "session opened; whether it has ended is unknown"),
            Event::RequestFailed { code, status: status @ 500.., detail } => log!(warn, code, status, detail, "request failed"),
            // Anyone can cause the others, as often as they like.
            Event::RequestFailed { code, status, detail } => log!(debug, code, status, detail, "request refused"),
            Event::SignInStartedAgain { reason } => log!(warn, reason, "sign-in started again"),
            Event::ResponseTooLarge { size, limit } => log!(warn, size, limit, "response headers exceed the limit"),
            Event::NotFetched { issuer, endpoint, reason } => log!(warn, issuer, %endpoint, reason, "fetch failed; serving the cached response"),
            Event::KeysWithdrawn { issuer, left: 0, .. } => log!(error, issuer, "the provider has withdrawn all its keys"),
            Event::KeysWithdrawn { issuer, withdrawn, left } => log!(info, issuer, withdrawn, left, "the provider has withdrawn keys"),
        }
    }
}

#[cfg(test)]
#[cfg(feature = "tracing")]
mod tests {
    use std::{
        fmt::Write,
        sync::{Arc, Mutex},
    };

    use tracing::{
        Metadata, Subscriber,
        field::Field,
        span::{Attributes, Id, Record},
    };

    use super::*;

    /// What is logged: the level, the target and the fields.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<String>>);

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn event(&self, event: &tracing::Event<'_>) {
            let mut log = self.0.lock().unwrap();
            let metadata = event.metadata();
            write!(log, "{} {}", metadata.level(), metadata.target()).unwrap();
            event.record(&mut |field: &Field, value: &dyn fmt::Debug| {
                write!(log, " {field}={value:?}").unwrap();
            });
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    fn logged(event: &Event) -> String {
        let log = Log::default();
        tracing::subscriber::with_default(log.clone(), || DefaultObserver.on_event(event));
        std::mem::take(&mut *log.0.lock().unwrap())
    }

    /// With `text` for everything that an event says.
    #[test]
    fn each_event_has_its_level_and_says_what_happened() {
        let text = || "text".to_owned();
        let session = || SessionId::from_random([7; 16]);
        let failed = |status| Event::RequestFailed {
            code: text(),
            status,
            detail: text(),
        };
        let withdrawn = |left| Event::KeysWithdrawn {
            issuer: text(),
            withdrawn: 1,
            left,
        };
        let (user, reason) = (text, text);
        for (event, level, fields) in [
            (
                Event::SignedIn {
                    session: session(),
                    user: user(),
                },
                "INFO",
                "user=\"text\"",
            ),
            (
                Event::SignInRefused {
                    user: user(),
                    reason: reason(),
                },
                "WARN",
                "reason=\"text\"",
            ),
            (
                Event::SignedOut {
                    session: session(),
                    user: user(),
                },
                "INFO",
                "user=\"text\"",
            ),
            (
                Event::Refreshed {
                    session: session(),
                    target: TokenTarget::organization("acme"),
                    rotated: true,
                },
                "DEBUG",
                "target=organization acme rotated=true",
            ),
            (
                Event::RefreshUncertain { session: session() },
                "WARN",
                "lost",
            ),
            (
                Event::NotStored {
                    session: session(),
                    reason: reason(),
                },
                "ERROR",
                "reason=\"text\"",
            ),
            (Event::Superseded { session: session() }, "INFO", "stale"),
            (
                Event::SessionEnded {
                    session: session(),
                    reason: SessionEnd::Removed,
                },
                "INFO",
                "reason=",
            ),
            (Event::ClientRefused, "ERROR", "client authentication"),
            (
                Event::NotRevoked { reason: reason() },
                "WARN",
                "reason=\"text\"",
            ),
            (failed(503), "WARN", "status=503"),
            (failed(403), "DEBUG", "status=403"),
            (
                Event::SignInStartedAgain { reason: reason() },
                "WARN",
                "reason=\"text\"",
            ),
            (
                Event::ResponseTooLarge {
                    size: 9_000,
                    limit: 4_096,
                },
                "WARN",
                "size=9000 limit=4096",
            ),
            (Event::LogoutNotShared, "WARN", "not shared"),
            (
                Event::SessionNotConfirmed {
                    session: session(),
                    reason: reason(),
                },
                "WARN",
                "reason=\"text\"",
            ),
            (
                Event::NotRemoved { reason: reason() },
                "ERROR",
                "reason=\"text\"",
            ),
            (
                Event::NotFetched {
                    issuer: text(),
                    endpoint: Endpoint::Keys,
                    reason: reason(),
                },
                "WARN",
                "endpoint=jwks reason=\"text\"",
            ),
            (withdrawn(0), "ERROR", "all its keys"),
            (withdrawn(2), "INFO", "withdrawn=1 left=2"),
        ] {
            let line = logged(&event);
            assert!(line.starts_with(&format!("{level} logto ")), "{line}");
            assert!(line.contains(fields), "{line}");
        }
    }
}
