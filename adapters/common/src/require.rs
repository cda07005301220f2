//! Functions for adapters without extractors: the user and the session that a request requires.

use std::sync::Arc;

use logto_client::{
    Error, ReadOnlySession, WritableSession,
    core::{claims::IdTokenClaims, error::UsageError},
    web::RequestSession,
};

/// The claims of the signed-in user.
///
/// # Errors
/// [`UsageError::NotSignedIn`] if no user is signed in: a page is redirected to the sign-in, which leads back,
/// and a script receives 401, whatever the handler responds. The errors of [`RequestSession::claims`].
pub async fn user(request: &RequestSession) -> Result<Arc<IdTokenClaims>, Error> {
    required(request, request.claims().await?)
}

/// The session of the signed-in user, to refresh and store.
///
/// # Errors
/// As [`user`], and as [`RequestSession::session`].
pub async fn session(request: &RequestSession) -> Result<WritableSession, Error> {
    required(request, request.session().await?)
}

/// The session of the signed-in user, read-only.
///
/// # Errors
/// As [`user`], and as [`RequestSession::read_only`].
pub async fn read_only(request: &RequestSession) -> Result<ReadOnlySession, Error> {
    required(request, request.read_only().await?)
}

fn required<T>(request: &RequestSession, found: Option<T>) -> Result<T, Error> {
    found.ok_or_else(|| {
        request.answer_with(RequestSession::ask_to_sign_in);
        UsageError::NotSignedIn.into()
    })
}
