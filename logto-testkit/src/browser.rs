//! The parts of a sign-in that happen in a browser, without one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header::CONTENT_TYPE};
use url::{Url, form_urlencoded};

use crate::{
    context::Context,
    endpoints::{
        authorization::{
            self, AuthorizationRequest, Decision, Refusal,
            callback::{Callback, ResponseMode},
            consent,
        },
        end_session,
    },
    error::OAuthError,
    journal::{Endpoint, RequestRecord},
    logto::Logto,
    request::{Incoming, Params},
};

/// A browser that keeps its session at Logto from one request to the next, as a person's does.
///
/// Clones are the same browser.
#[derive(Clone, Debug)]
pub struct Browser {
    logto: Logto,
    session: Arc<Mutex<Option<String>>>,
}

/// Why a browser could not go on to the application. Errors that Logto sends to the application, such as
/// `invalid_target`, are no such thing: they arrive at the callback URL.
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
        let incoming = self.incoming(authorization_url)?;
        redirected(self.with(|cx| {
            authorize(cx, &incoming, |_, request| {
                let error = OAuthError::new(error, "End-User aborted interaction");
                Ok(request.return_address.with_error(&error))
            })
        })?)
    }

    /// Opens an end-session URL in a browser without a session. Gives the URL that it ends at.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn sign_out(&self, end_session_url: &Url) -> Result<Url, BrowserError> {
        self.browser().sign_out(end_session_url)
    }

    fn incoming(&self, url: &Url) -> Result<Incoming, BrowserError> {
        let endpoint = &self.0.addresses.endpoint;
        let prefix = endpoint.path().trim_end_matches('/');
        let path = url.path().strip_prefix(prefix);
        let path = path
            .filter(|_| url.origin() == endpoint.origin())
            .ok_or_else(|| BrowserError::OtherProvider(url.origin().ascii_serialization()))?;
        Ok(Incoming {
            method: Method::GET,
            path: path.to_owned(),
            query: Params::from_urlencoded(url.query().unwrap_or_default().as_bytes()),
            headers: http::HeaderMap::new(),
            body: Bytes::new(),
        })
    }
}

impl Browser {
    /// Opens an authorization URL. When the session does not answer it, `username` signs in. Consents, and
    /// gives the callback URL that the browser is sent to.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn sign_in(&self, authorization_url: &Url, username: &str) -> Result<Url, BrowserError> {
        redirected(self.callback(authorization_url, username)?)
    }

    /// As [`Browser::sign_in`], for `response_mode=form_post`.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn sign_in_form_post(
        &self,
        authorization_url: &Url,
        username: &str,
    ) -> Result<FormPost, BrowserError> {
        let callback = self.callback(authorization_url, username)?;
        if callback.mode != ResponseMode::FormPost {
            return Err(BrowserError::Redirect);
        }
        let fields = callback.parameters.into_iter();
        Ok(FormPost {
            action: callback.redirect_uri,
            fields: fields
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    }

    /// Opens an authorization URL and does nothing more: the callback URL when the session or
    /// `prompt=none` answers it, `None` when the sign-in page is shown.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn visit(&self, authorization_url: &Url) -> Result<Option<Url>, BrowserError> {
        let incoming = self.logto.incoming(authorization_url)?;
        let session = self.session().clone();
        let decision = self.logto.with(|cx| {
            open(cx, &incoming, |cx, request| {
                Ok(authorization::decide(cx, request, session.as_deref()))
            })
        })?;
        match decision {
            Decision::Callback(callback) => redirected(callback).map(Some),
            Decision::Interact => Ok(None),
        }
    }

    /// Opens an end-session URL and lets its form submit itself: the session is over. Gives the URL that the
    /// browser ends at.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn sign_out(&self, end_session_url: &Url) -> Result<Url, BrowserError> {
        let incoming = self.logto.incoming(end_session_url)?;
        let mut session = self.session();
        let ended = self.logto.with(|cx| {
            let mut record = RequestRecord::new(Endpoint::EndSession, &incoming);
            let ended =
                end_session::begin(cx, &incoming.query, session.as_deref()).and_then(|xsrf| {
                    let form = [
                        ("xsrf".to_owned(), xsrf),
                        ("logout".to_owned(), "yes".to_owned()),
                    ];
                    end_session::confirm(cx, &form.into_iter().collect(), session.as_deref())
                });
            record.answered(
                ended
                    .as_ref()
                    .map_or_else(|error| error.status, |_| StatusCode::OK),
            );
            cx.state.journal.push(record);
            ended
        });
        let url = ended.map_err(error_page)?;
        *session = None;
        Ok(url)
    }

    fn callback(&self, url: &Url, username: &str) -> Result<Callback, BrowserError> {
        let incoming = self.logto.incoming(url)?;
        let mut session = self.session();
        self.logto.with(|cx| {
            authorize(cx, &incoming, |cx, request| {
                if let Decision::Callback(callback) =
                    authorization::decide(cx, request, session.as_deref())
                {
                    return Ok(callback);
                }
                let unknown = || BrowserError::UnknownUser(username.to_owned());
                let user = cx.state.tenant.user_by_identifier(username);
                let user = user.filter(|user| !user.suspended).ok_or_else(unknown)?;
                let user_id = user.id.clone();
                let id = consent::sign_in(cx, session.as_deref(), &user_id);
                let callback = consent::grant(cx, request, &id).ok_or_else(unknown)?;
                *session = Some(id);
                Ok(callback)
            })
        })
    }

    fn session(&self) -> MutexGuard<'_, Option<String>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Goes on with a valid authorization request; the errors of others go to the callback too.
fn authorize(
    cx: &mut Context<'_>,
    incoming: &Incoming,
    go_on: impl FnOnce(&mut Context<'_>, &AuthorizationRequest) -> Result<Callback, BrowserError>,
) -> Result<Callback, BrowserError> {
    let decision = open(cx, incoming, |cx, request| {
        go_on(cx, request).map(Decision::Callback)
    })?;
    match decision {
        Decision::Callback(callback) => Ok(callback),
        Decision::Interact => Err(BrowserError::Redirect),
    }
}

/// Parses the request, writes it down, and goes on.
fn open(
    cx: &mut Context<'_>,
    incoming: &Incoming,
    go_on: impl FnOnce(&mut Context<'_>, &AuthorizationRequest) -> Result<Decision, BrowserError>,
) -> Result<Decision, BrowserError> {
    let mut record = RequestRecord::new(Endpoint::Authorization, incoming);
    let decision = match authorization::parse(cx, &incoming.query) {
        Ok(request) => go_on(cx, &request),
        Err(Refusal::Callback { callback, .. }) => Ok(Decision::Callback(callback)),
        Err(Refusal::Page { error, .. }) => Err(error_page(error)),
    };
    record.answered(match &decision {
        Err(BrowserError::ErrorPage { status, .. }) => *status,
        _ => StatusCode::SEE_OTHER,
    });
    cx.state.journal.push(record);
    decision
}

fn redirected(callback: Callback) -> Result<Url, BrowserError> {
    if callback.mode == ResponseMode::FormPost {
        return Err(BrowserError::FormPost);
    }
    Ok(callback.url())
}

fn error_page(error: OAuthError) -> BrowserError {
    BrowserError::ErrorPage {
        status: error.status,
        error: error.error,
        description: error.description,
    }
}
