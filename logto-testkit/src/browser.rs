//! The parts of a sign-in that happen in a browser, without a real one.

mod device;
mod sign_in;
mod sign_out;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header::CONTENT_TYPE};
use url::{Url, form_urlencoded};

use crate::{
    error::OAuthError,
    logto::Logto,
    request::{Incoming, Params},
};

/// A browser that keeps its session at Logto from one request to the next.
///
/// Clones are the same browser.
#[derive(Clone, Debug)]
pub struct Browser {
    logto: Logto,
    session: Arc<Mutex<Option<String>>>,
}

/// Why a browser could not return to the application. Errors that Logto sends to the application, such as
/// `invalid_target`, are not among them: they arrive at the callback URL.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// The URL is not one of this provider's.
    #[error("the URL is for {0}, not for this provider")]
    OtherProvider(String),
    /// Logto showed an error page, because it may not redirect: an unknown client, an unregistered redirect
    /// URI, an `id_token_hint` that nobody signed.
    #[error("Logto showed an error page with status {status}: {error}: {description}")]
    ErrorPage {
        /// The page's status.
        status: StatusCode,
        /// The OAuth error code.
        error: &'static str,
        /// The error's description.
        description: String,
    },
    /// There is no such user, or they are suspended.
    #[error("there is no user {0:?} who may sign in")]
    UnknownUser(String),
    /// Logto showed the page "Invalid link": the one-time token of the request signs nobody in.
    #[error("Logto showed an invalid link: {0}")]
    InvalidLink(
        /// Logto's error code, such as `one_time_token.token_expired`.
        &'static str,
    ),
    /// The consent page does not offer this organization: the user is not a member of it, or the application
    /// does not ask for organizations.
    #[error("the consent page does not offer the organization {0:?}")]
    UnknownOrganization(String),
    /// No device waits with this user code: it is unknown, has ended or was used.
    #[error("no device waits with the user code {0:?}")]
    UnknownUserCode(String),
    /// The request asks for `response_mode=form_post`: use [`Browser::sign_in_form_post`].
    #[error("the answer is a form post, not a redirect")]
    FormPost,
    /// The request does not ask for `response_mode=form_post`: use [`Browser::sign_in`].
    #[error("the answer is a redirect, not a form post")]
    Redirect,
}

/// What a browser posts to the application with `response_mode=form_post`.
#[derive(Clone, Debug)]
pub struct FormPost {
    /// The redirect URI.
    pub action: Url,
    /// The fields in their order: `code`, `state`, `iss`.
    pub fields: Vec<(String, String)>,
}

impl FormPost {
    /// The request that the browser sends to the application.
    ///
    /// # Errors
    ///
    /// When the redirect URI is no HTTP URI.
    pub fn to_request(&self) -> Result<Request<Bytes>, http::Error> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.fields)
            .finish();
        Request::builder()
            .method(Method::POST)
            .uri(self.action.as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(body))
    }
}

impl Logto {
    /// A browser without a session.
    pub fn browser(&self) -> Browser {
        Browser {
            logto: self.clone(),
            session: Arc::default(),
        }
    }

    /// Opens an authorization URL in a browser of its own, signs the user in and consents. Gives the
    /// callback URL that the browser is sent to.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn sign_in(&self, authorization_url: &Url, username: &str) -> Result<Url, BrowserError> {
        self.browser().sign_in(authorization_url, username)
    }

    /// As [`Logto::sign_in`], for `response_mode=form_post`.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn sign_in_form_post(
        &self,
        authorization_url: &Url,
        username: &str,
    ) -> Result<FormPost, BrowserError> {
        self.browser()
            .sign_in_form_post(authorization_url, username)
    }

    /// Opens an authorization URL and sends the browser back with an error, such as `access_denied`.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn deny(&self, authorization_url: &Url, error: &'static str) -> Result<Url, BrowserError> {
        self.browser().fail(authorization_url, error)
    }

    /// Opens an end-session URL in a browser without a session. Gives the URL that it ends at.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn sign_out(&self, end_session_url: &Url) -> Result<Url, BrowserError> {
        self.browser().sign_out(end_session_url)
    }

    /// Signs a user in for the device that shows `user_code`, in a browser of its own; see
    /// [`Browser::approve_device`]. `false` when no device waits with that code or the user may not sign in.
    pub fn approve_device(&self, user_code: &str, username: &str) -> bool {
        self.browser().approve_device(user_code, username).is_ok()
    }

    /// Refuses the device that shows `user_code`; `false` when no device waits with that code.
    pub fn deny_device(&self, user_code: &str) -> bool {
        self.browser().deny_device(user_code).is_ok()
    }
}

impl Browser {
    /// The request for a page of this provider.
    fn incoming(&self, url: &Url) -> Result<Incoming, BrowserError> {
        let endpoint = &self.logto.0.addresses.endpoint;
        let prefix = endpoint.path().trim_end_matches('/');
        let path = url.path().strip_prefix(prefix);
        let path = path
            .filter(|_| url.origin() == endpoint.origin())
            .ok_or_else(|| BrowserError::OtherProvider(url.origin().ascii_serialization()))?;
        Ok(Incoming {
            method: Method::GET,
            path: path.to_owned(),
            query: Params::from_urlencoded(url.query().unwrap_or_default().as_bytes()),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        })
    }

    fn session(&self) -> MutexGuard<'_, Option<String>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn error_page(error: OAuthError) -> BrowserError {
    BrowserError::ErrorPage {
        status: error.status,
        error: error.error,
        description: error.description,
    }
}
