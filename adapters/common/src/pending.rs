//! The state of a request until its response is finished.

use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, request::Parts};
use logto_client::{
    Error,
    core::{self, error::UsageError},
    web::{Failure, LogtoApp, RequestSession},
};

use crate::parts;

/// A request until its response is finished: its session, which begins when it is first requested, and whether
/// a required user is missing.
///
/// A request that never uses its session is not converted.
#[derive(Debug)]
pub struct Pending {
    app: LogtoApp,
    session: OnceLock<RequestSession>,
    lacks_user: AtomicBool,
}

/// How a response is completed.
#[derive(Debug)]
pub struct Finished {
    /// The headers to remove.
    pub removed: Vec<HeaderName>,
    /// The headers to append afterwards.
    pub appended: Vec<(HeaderName, HeaderValue)>,
    /// Status and body of the response that is sent instead, if the request has failed.
    pub replacement: Option<(u16, Bytes)>,
}

impl Pending {
    /// The state for a request to this application.
    pub fn new(app: LogtoApp) -> Self {
        Self {
            app,
            session: OnceLock::new(),
            lacks_user: AtomicBool::new(false),
        }
    }

    /// The session of the request. The first call converts its head.
    pub fn begin(&self, head: impl FnOnce() -> Parts) -> &RequestSession {
        self.session.get_or_init(|| {
            let head = head();
            self.app.begin(&head.method, &head.uri, &head.headers)
        })
    }

    /// Whether the session was used.
    pub fn has_begun(&self) -> bool {
        self.session.get().is_some()
    }

    /// The value of an extractor that requires a user. An error becomes the response: see [`fail`](Self::fail).
    ///
    /// # Errors
    /// As the session, and [`UsageError::NotSignedIn`].
    pub fn require<T>(&self, opened: Result<Option<T>, Error>) -> Result<T, Error> {
        let not_signed_in = || UsageError::NotSignedIn.into();
        let required = opened.and_then(|opened| opened.ok_or_else(not_signed_in));
        required.map_err(|error| self.fail(error))
    }

    /// Records an error, which becomes the response when it is finished: frameworks discard the errors of
    /// extractors behind `Option`, and of request guards. The first one counts.
    pub fn fail(&self, error: Error) -> Error {
        if matches!(
            error,
            Error::Protocol(core::Error::Usage(UsageError::NotSignedIn))
        ) {
            self.lacks_user.store(true, Ordering::Relaxed);
        } else if let Some(session) = self.session.get() {
            session.answer_with(|session| session.refusal(&error));
        }
        error
    }

    /// Finishes the response: see [`RequestSession::finish`]. `failure` is the error of the handler. An
    /// extractor's error that no user is signed in counts only if the handler, or the framework in its place,
    /// responds with 401. Otherwise the extractor was optional.
    ///
    /// `None` if the session was never used: the response is not changed.
    pub fn finish<N, V>(
        &self,
        failure: Option<Failure>,
        status: u16,
        headers: impl IntoIterator<Item = (N, V)>,
    ) -> Option<Finished>
    where
        N: AsRef<[u8]>,
        V: AsRef<[u8]>,
    {
        let session = self.session.get()?;
        let (mut response, ()) = Response::new(()).into_parts();
        response.status = StatusCode::from_u16(status).unwrap_or_default();
        response.headers = parts::header_map(headers);
        let before = response.headers.clone();
        let is_refused =
            response.status == StatusCode::UNAUTHORIZED && self.lacks_user.load(Ordering::Relaxed);
        if is_refused {
            session.answer_with(RequestSession::ask_to_sign_in);
        }
        if let Some(failure) = failure {
            response.extensions.insert(failure);
        }
        let body = session.finish(&mut response);
        let removed = parts::changed(&before, &response.headers);
        let after = removed.iter().flat_map(|name| {
            let values = response.headers.get_all(name).iter();
            values.map(|value| (name.clone(), value.clone()))
        });
        Some(Finished {
            appended: after.collect(),
            removed,
            replacement: body.map(|body| (response.status.as_u16(), body)),
        })
    }
}
