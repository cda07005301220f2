//! Which sessions a logout ends.

use logto_core::{Session, UnixTime, session::SessionId};

/// An owner of sessions. A storage must find sessions by owner, besides by handle.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SessionOwner {
    /// All sessions of this user (`sub`).
    Subject(String),
    /// The sessions that belong to this session at the provider (`sid`).
    ProviderSession(String),
}

/// A logout at the provider. It determines which sessions
/// [`SessionStorage::remove_all`](super::SessionStorage::remove_all) removes.
///
/// If both the logout and a session name the session at the provider, the session ends if the two are equal.
/// Otherwise, all sessions of the user end that began before the logout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logout {
    /// The session at the provider that ended. `None` for all of the user.
    pub sid: Option<String>,
    /// The user.
    pub sub: Option<String>,
    /// When, by the provider's clock.
    pub at: UnixTime,
}

impl Logout {
    /// Whether `session` ends.
    pub fn ends(&self, session: &Session) -> bool {
        Ended::by(self).any(|ended| ended.includes(session, self.at))
    }

    /// The owners whose sessions include all that end.
    pub fn owners(&self) -> impl Iterator<Item = SessionOwner> {
        let provider_session = self.sid.clone().map(SessionOwner::ProviderSession);
        let subject = self.sub.clone().map(SessionOwner::Subject);
        provider_session.into_iter().chain(subject)
    }
}

/// Sessions that have ended. A logout ends two kinds of them, and three may include a session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ended {
    /// This session.
    Session(SessionId),
    /// Those of this session at the provider, which has ended for good.
    ProviderSession(String),
    /// Those of this user that began before the end.
    User(String),
    /// Those of this user that began before the end and do not name their session at the provider.
    UserWithoutProviderSession(String),
}

impl Ended {
    /// What `logout` ends.
    pub(crate) fn by(logout: &Logout) -> impl Iterator<Item = Self> + use<> {
        let provider_session = logout.sid.clone().map(Self::ProviderSession);
        let user = logout.sub.clone().map(match logout.sid {
            Some(_) => Self::UserWithoutProviderSession,
            None => Self::User,
        });
        provider_session.into_iter().chain(user)
    }

    /// The ends that may include `session`.
    pub(crate) fn of(session: &Session) -> [Self; 3] {
        let claims = session.claims();
        [
            Self::Session(session.id().clone()),
            Self::User(claims.sub.clone()),
            match claims.sid.clone() {
                Some(sid) => Self::ProviderSession(sid),
                None => Self::UserWithoutProviderSession(claims.sub.clone()),
            },
        ]
    }

    /// Whether this end includes `session`, if it happened at `at` by the provider's clock.
    pub(crate) fn includes(&self, session: &Session, at: UnixTime) -> bool {
        let claims = session.claims();
        let began_before = session.began_at() <= at;
        match self {
            Self::Session(id) => id == session.id(),
            Self::ProviderSession(sid) => claims.sid.as_ref() == Some(sid),
            Self::User(sub) => claims.sub == *sub && began_before,
            Self::UserWithoutProviderSession(sub) => {
                claims.sub == *sub && claims.sid.is_none() && began_before
            }
        }
    }
}
