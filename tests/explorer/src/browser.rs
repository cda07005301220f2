//! The browser: one cookie, requests that carry it, and responses that change it.

use std::sync::Arc;

use logto_core::Session;

use crate::{
    fixtures::{Target, new_session},
    part::fingerprint,
};

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Browser {
    /// The session that the cookie holds or, where sessions live in a store, stands for.
    pub(crate) cookie: Option<Arc<Session>>,
    /// Whether it has the record that the callback is done.
    pub(crate) has_record: bool,
    /// Requests on their way, each with the session as it was opened.
    pub(crate) requests: Vec<Request>,
    /// Responses on their way. They arrive in any order.
    pub(crate) responses: Vec<Response>,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Request {
    pub(crate) want: Want,
    pub(crate) session: Arc<Session>,
    /// The version of the record, where sessions live in a store.
    pub(crate) version: Option<u32>,
}

/// What a job is for: a request of the browser, mostly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Want {
    Token {
        target: Target,
        is_stored: bool,
    },
    /// Forgetting an access token.
    Forget {
        target: Target,
    },
    /// A page that only needs to know who is signed in.
    Look,
    /// Asking whether the session goes on, before requests open it.
    Confirm,
    SignOut {
        /// Only here: the job ends when the refresh token is revoked.
        is_local: bool,
    },
    /// Writing what the ledger knows and the storage does not, before anything else.
    WriteBack,
    /// Replacing the session by that of a new sign-in.
    Replace,
    /// Redeeming the code of a callback.
    Callback {
        /// Whether the browser has a record of how this callback ended.
        is_recorded: bool,
    },
}

impl Want {
    /// Whether the session is opened for writing.
    pub(crate) fn opens_to_write(self) -> bool {
        match self {
            Self::Token { is_stored, .. } => is_stored,
            Self::Forget { .. } | Self::SignOut { .. } => true,
            _ => false,
        }
    }

    /// Whether the job waits for no other job on the session.
    pub(crate) fn takes_no_turn(self) -> bool {
        matches!(self, Self::Confirm | Self::WriteBack)
    }

    pub(crate) fn is_sign_out(self) -> bool {
        matches!(self, Self::SignOut { .. })
    }
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Response {
    pub(crate) cookie: Option<SetCookie>,
    pub(crate) told: Told,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum SetCookie {
    Session(Arc<Session>),
    /// The session of a sign-in, and the record that its callback is done.
    SignedIn(Arc<Session>),
    Clear,
}

/// What a request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    Done,
    SessionEnded,
    TryAgain,
}

/// A request with the code of a sign-in.
pub(crate) fn callback(is_recorded: bool) -> Request {
    Request {
        want: Want::Callback { is_recorded },
        session: Arc::new(new_session()),
        version: None,
    }
}

impl Response {
    pub(crate) const TRY_AGAIN: Self = Self {
        cookie: None,
        told: Told::TryAgain,
    };
    pub(crate) const DONE: Self = Self {
        cookie: None,
        told: Told::Done,
    };
    pub(crate) const OVER: Self = Self {
        cookie: Some(SetCookie::Clear),
        told: Told::SessionEnded,
    };

    /// The session in the cookie that it sets.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        match &self.cookie {
            Some(SetCookie::Session(session) | SetCookie::SignedIn(session)) => Some(session),
            _ => None,
        }
    }
}

impl Browser {
    pub(crate) fn is_waiting(&self) -> bool {
        !self.requests.is_empty() || !self.responses.is_empty()
    }

    /// A response that changes nothing.
    pub(crate) fn empty_response(&self) -> Option<usize> {
        self.responses
            .iter()
            .position(|response| response.cookie.is_none())
    }

    pub(crate) fn receive(&mut self, response: &Response) {
        match &response.cookie {
            Some(SetCookie::Session(session)) => self.cookie = Some(Arc::clone(session)),
            Some(SetCookie::SignedIn(session)) => {
                self.cookie = Some(Arc::clone(session));
                self.has_record = true;
            }
            Some(SetCookie::Clear) => self.cookie = None,
            None => {}
        }
    }

    /// What is on its way has no order, so it is kept in one.
    pub(crate) fn sort(&mut self) {
        self.requests.sort_by_cached_key(fingerprint);
        self.responses.sort_by_cached_key(fingerprint);
    }
}
