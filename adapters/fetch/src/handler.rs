//! What a handler asks its request for, and returns.

use std::sync::Arc;

use http::Response;
use logto_client::{
    ReadOnlySession, WritableSession,
    core::{claims::IdTokenClaims, error::UsageError},
    web::{Failure, RequestSession},
};

use crate::Body;

/// What a handler returns that uses the session.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the SDK. Its response is a page for a browser and JSON for a script, with a fixed sentence for
/// each code; the details go to the observer.
#[derive(Clone, Debug)]
pub struct Error(pub logto_client::Error);

impl<E: Into<logto_client::Error>> From<E> for Error {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl Error {
    /// [`RequestSession::finish`] fills it in.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::default());
        response.extensions_mut().insert(Failure(self.0));
        response
    }
}

/// The claims of the signed-in user.
///
/// # Errors
/// [`UsageError::NotSignedIn`] if nobody is signed in: a page is redirected to the sign-in and comes back, a
/// script gets 401, whatever the handler responds. And as [`RequestSession::claims`].
pub async fn user(visit: &RequestSession) -> Result<Arc<IdTokenClaims>> {
    required(visit, visit.claims().await?)
}

/// The session of the signed-in user, to refresh and store.
///
/// # Errors
/// As [`user`], and as [`RequestSession::session`].
pub async fn session(visit: &RequestSession) -> Result<WritableSession> {
    required(visit, visit.session().await?)
}

/// The session of the signed-in user, to look at.
///
/// # Errors
/// As [`user`], and as [`RequestSession::read_only`].
pub async fn read_only(visit: &RequestSession) -> Result<ReadOnlySession> {
    required(visit, visit.read_only().await?)
}

fn required<T>(visit: &RequestSession, found: Option<T>) -> Result<T> {
    if found.is_none() {
        visit.answer_with(RequestSession::ask_to_sign_in);
    }
    Ok(found.ok_or(UsageError::NotSignedIn)?)
}
