#![doc = include_str!("../README.md")]
//!
//! # Functions
//!
//! | function | value | if no user is signed in |
//! |---|---|---|
//! | [`user`] | the claims of the ID token, or `None` | the page is shown |
//! | [`require_user`] | the claims of the ID token | the response is a redirect to the sign-in, which leads back; a script receives 401 |
//! | [`require_session`] | the session, to get tokens with | the same |
//! | [`require_read_only`] | the session, read-only | the same |
//! | [`use_request`] | the session of the request, before it is opened | |

mod error;

use std::{ops::Deref, sync::Arc};

use http::request::Parts;
use leptos::prelude::use_context;
use logto_client::{
    ReadOnlySession, WritableSession, core::claims::IdTokenClaims, storage::StorageError,
    web::RequestSession,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use error::{Error, Result};

/// The claims of the signed-in user. It can be the value of a resource.
#[derive(Clone, Debug)]
pub struct User(pub Arc<IdTokenClaims>);

/// The session of the request before it is opened. As every `use_` function of Leptos, call it before the first
/// `await`.
///
/// # Errors
/// If the router lacks `with_logto`, or there is no request.
pub fn use_request() -> Result<RequestSession> {
    let parts = use_context::<Parts>();
    let session = parts.and_then(|parts| logto_tower::session_of(&parts.extensions).cloned());
    session.ok_or_else(|| {
        let problem = "there is no request, or its route is not below `with_logto`";
        StorageError::Misconfigured(problem.to_owned()).into()
    })
}

/// The signed-in user. `None` if no user is signed in.
///
/// # Errors
/// As [`RequestSession::claims`].
pub async fn user() -> Result<Option<User>> {
    Ok(use_request()?.claims().await?.map(User))
}

/// The signed-in user. If no user is signed in, and the response has not begun, the response is a redirect to
/// the sign-in.
///
/// # Errors
/// [`UsageError::NotSignedIn`](logto_client::core::error::UsageError::NotSignedIn), and as [`RequestSession::claims`].
pub async fn require_user() -> Result<User> {
    let request = use_request()?;
    Ok(User(logto_adapter_common::user(&request).await?))
}

/// The session of the signed-in user, to refresh and store. If no user is signed in, as [`require_user`].
///
/// # Errors
/// [`UsageError::NotSignedIn`](logto_client::core::error::UsageError::NotSignedIn), and as [`RequestSession::session`].
pub async fn require_session() -> Result<WritableSession> {
    let request = use_request()?;
    Ok(logto_adapter_common::session(&request).await?)
}

/// The session of the signed-in user, read-only. If no user is signed in, as [`require_user`].
///
/// # Errors
/// [`UsageError::NotSignedIn`](logto_client::core::error::UsageError::NotSignedIn), and as
/// [`RequestSession::read_only`].
pub async fn require_read_only() -> Result<ReadOnlySession> {
    let request = use_request()?;
    Ok(logto_adapter_common::read_only(&request).await?)
}

impl Deref for User {
    type Target = IdTokenClaims;

    fn deref(&self) -> &IdTokenClaims {
        &self.0
    }
}

impl Serialize for User {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let claims = IdTokenClaims::deserialize(deserializer)?;
        Ok(Self(Arc::new(claims)))
    }
}
