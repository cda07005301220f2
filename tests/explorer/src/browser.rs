//! The browser: one cookie, requests that carry it, and responses that change it.

use std::sync::Arc;

use logto_core::Session;

use crate::{part::fingerprint, process::Want};

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Browser {
    /// The session that the cookie holds or, where sessions live in a store, stands for.
    pub(crate) cookie: Option<Arc<Session>>,
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

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) struct Response {
    pub(crate) cookie: Option<SetCookie>,
    pub(crate) told: Told,
}

#[derive(Clone, Debug, PartialEq, Hash)]
pub(crate) enum SetCookie {
    Session(Arc<Session>),
    Clear,
}

/// What a request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    Done,
    SessionEnded,
    TryAgain,
}

impl Response {
    pub(crate) const TRY_AGAIN: Self = Self {
        cookie: None,
        told: Told::TryAgain,
    };
}

impl Response {
    /// The session in the cookie that it sets.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        match &self.cookie {
            Some(SetCookie::Session(session)) => Some(session),
            _ => None,
        }
    }
}

impl Browser {
    pub(crate) fn is_waiting(&self) -> bool {
        !self.requests.is_empty() || !self.responses.is_empty()
    }

    pub(crate) fn receive(&mut self, response: &Response) {
        match &response.cookie {
            Some(SetCookie::Session(session)) => self.cookie = Some(Arc::clone(session)),
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
