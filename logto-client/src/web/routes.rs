//! One method for each route.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header, request::Parts};
use logto_core::{
    SignIn, TokenTarget,
    sign_in::{Callback, CallbackError},
    sign_out::SignOut,
};
use serde_json::{Value, json};

use super::{
    cookies::{CookieCodec, RequestCookies},
    location,
    pending::{PendingCookies, PendingError},
    respond::{self, error_response, is_cross_site},
};
use crate::{
    client::{CompletedSignIn, LogtoClient},
    error::{Error, Reach},
    seal::{KeyRing, SealError},
    session::{ReadOnlySession, WritableSession},
    storage::{Handle, StorageError},
};

/// The routes of an application that signs users in, framework aside.
///
/// Cookies and keys are said once, here; the client is shared. Clones are cheap.
#[derive(Clone, Debug)]
pub struct LogtoWeb {
    client: LogtoClient,
    cookies: CookieCodec,
    keys: KeyRing,
}

/// What became of a callback.
#[derive(Debug)]
#[must_use]
pub struct CallbackAnswer {
    /// The completed sign-in, or why there is none.
    pub outcome: Result<CompletedSignIn, Error>,
    /// What the response has to carry, either way: it makes the browser forget the pending sign-in,
    /// and know the new session.
    pub headers: HeaderMap,
}

/// What [`LogtoWeb::require`] found.
#[derive(Debug)]
#[must_use]
pub enum Guarded {
    /// Somebody is signed in.
    Session(WritableSession),
    /// Nobody is, or it cannot be known now: answer this instead.
    Answer(Response<Bytes>),
}

impl LogtoWeb {
    /// The routes of `client`'s application. `cookies` carry session handles, `keys` seal pending
    /// sign-ins.
    pub fn new(client: LogtoClient, cookies: CookieCodec, keys: KeyRing) -> Self {
        Self {
            client,
            cookies,
            keys,
        }
    }

    /// The client behind the routes.
    pub fn client(&self) -> &LogtoClient {
        &self.client
    }

    /// Starts a sign-in: a redirect to Logto, with a cookie for the way back.
    ///
    /// # Errors
    /// As [`LogtoClient::sign_in`]; [`Error::Storage`] when the pending sign-in does not fit into a
    /// cookie, because `app_state` is too large.
    pub async fn sign_in(
        &self,
        headers: &HeaderMap,
        sign_in: &SignIn,
    ) -> Result<Response<Bytes>, Error> {
        let (url, pending) = self.client.sign_in(sign_in).await?;
        let set_cookies = self.pending().keep(
            &self.cookies.read(headers),
            &pending,
            &**self.client.entropy(),
        )?;
        let mut response = respond::see_other(url.as_str());
        append(response.headers_mut(), set_cookies);
        Ok(response)
    }

    /// Completes a sign-in, from the query of a GET or the form of a POST.
    ///
    /// The redirect URI is the configured one; the `Host` header is not asked.
    pub async fn callback(&self, parts: &Parts, body: &Bytes) -> CallbackAnswer {
        let mut headers = HeaderMap::new();
        respond::keep_private(&mut headers);
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        );
        let outcome = self.complete(parts, body, &mut headers).await;
        CallbackAnswer { outcome, headers }
    }

    async fn complete(
        &self,
        parts: &Parts,
        body: &Bytes,
        answer: &mut HeaderMap,
    ) -> Result<CompletedSignIn, Error> {
        let callback = match parts.method {
            Method::POST => Callback::from_form(body),
            _ => Callback::from_query(parts.uri.query().unwrap_or_default()),
        }?;
        let now = self.client.clock().now();
        let request_cookies = self.cookies.read(&parts.headers);
        let (pending, forget) = self.pending().take(&request_cookies, &callback, now);
        append(answer, forget);
        let completed = self
            .client
            .complete_sign_in(pending, callback, &handles(&request_cookies))
            .await?;
        append(
            answer,
            self.write(&request_cookies, &completed.session.handle())?,
        );
        Ok(completed)
    }

    /// The session of a request, for places where the response can still set cookies, or whose storage
    /// is on the server; `None` when nobody is signed in. Call [`finish`](Self::finish) before the
    /// response goes out.
    ///
    /// # Errors
    /// When the storage cannot be asked.
    pub async fn session(&self, headers: &HeaderMap) -> Result<Option<WritableSession>, Error> {
        let handles = handles(&self.cookies.read(headers));
        self.client.newest_session(&handles).await
    }

    /// The session of a request, for places where nothing can be stored any more.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn read_only_session(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<ReadOnlySession>, Error> {
        let handles = handles(&self.cookies.read(headers));
        self.client.newest_read_only_session(&handles).await
    }

    /// The session of a request, with those of its tokens refreshed that have less than `ahead` to
    /// live: for a layer before pages that can only read. Trouble with a token is none for the page;
    /// whoever needs the token will hear of it.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn session_refreshed_ahead(
        &self,
        headers: &HeaderMap,
        targets: &[TokenTarget],
        ahead: Duration,
    ) -> Result<Option<WritableSession>, Error> {
        let session = self.session(headers).await?;
        if let Some(session) = &session {
            drop(session.refresh_ahead(targets, ahead).await);
        }
        Ok(session)
    }

    /// Writes to a response what became of the session of its request: the new cookie if the session
    /// has changed, none if it has ended, and that the answer belongs to this browser alone.
    ///
    /// # Errors
    /// When the session has become too large for cookies.
    pub fn finish(
        &self,
        request: &HeaderMap,
        session: Option<&WritableSession>,
        response: &mut HeaderMap,
    ) -> Result<(), Error> {
        respond::keep_private(response);
        match session {
            // Cookies that open as no session are left: they may belong to a newer version.
            None => {}
            Some(session) if session.ended().is_some() => {
                append(response, self.cookies.clear(&self.cookies.read(request)));
            }
            Some(session) => {
                if let Some(handle) = session.changed_handle() {
                    append(response, self.write(&self.cookies.read(request), &handle)?);
                }
            }
        }
        Ok(())
    }

    /// The session of a request that needs one. A page that has none redirects to `sign_in_path` with
    /// `return_to`; anything else answers 401, as a redirect would only confuse a script.
    ///
    /// The path of the request and `sign_in_path` may be given with or without the path of the base URL:
    /// a router below a prefix sees its requests without it.
    pub async fn require(&self, parts: &Parts, sign_in_path: &str) -> Guarded {
        match self.session(&parts.headers).await {
            Ok(Some(session)) => Guarded::Session(session),
            Ok(None) if respond::is_navigation(&parts.method, &parts.headers) => {
                let base_url = self.client.config().base_url();
                let here = parts.uri.path_and_query().map_or("/", |path| path.as_str());
                Guarded::Answer(respond::see_other(&location::with_return_to(
                    &location::below(base_url, sign_in_path),
                    &location::below(base_url, here),
                )))
            }
            Ok(None) => Guarded::Answer(error_response(
                &logto_core::error::UsageError::NotSignedIn.into(),
            )),
            Err(error) => Guarded::Answer(error_response(&error)),
        }
    }

    /// Signs out: the session is gone here first, its refresh token is revoked in the background, and
    /// the browser goes on to Logto, which ends its own session and comes back.
    ///
    /// A request that another site caused is refused with 403: signing out at Logto signs out of every
    /// application.
    ///
    /// # Errors
    /// When the storage cannot remove the session.
    pub async fn sign_out(
        &self,
        headers: &HeaderMap,
        sign_out: &SignOut,
    ) -> Result<Response<Bytes>, Error> {
        if is_cross_site(headers) {
            let body = json!({
                "error": "cross_site_request",
                "error_description": "another site may not sign a user out",
            });
            return Ok(respond::json(StatusCode::FORBIDDEN, &body));
        }
        let request_cookies = self.cookies.read(headers);
        let handles = handles(&request_cookies);
        let url = match self.client.newest_session(&handles).await? {
            Some(session) => session.sign_out(sign_out).await?,
            None => match self.client.metadata().await {
                Ok(metadata) => Some(sign_out.url(self.client.config(), &metadata)?),
                Err(_) => None,
            },
        };
        let home = self
            .client
            .config()
            .base_url()
            .map_or("/", url::Url::as_str);
        let mut response = respond::see_other(url.as_ref().map_or(home, url::Url::as_str));
        append(response.headers_mut(), self.cookies.clear(&request_cookies));
        Ok(response)
    }

    /// Hears from Logto that a user has signed out elsewhere: 200, or 400 for a token that is refused,
    /// or 503 when it cannot be judged now. Register its address in the Console as the back-channel
    /// logout URI. It needs no cookie and changes none; see [`LogtoClient::back_channel_logout`].
    pub async fn back_channel_logout(&self, parts: &Parts, body: &Bytes) -> Response<Bytes> {
        let is_form = parts
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|essence| {
                let form = "application/x-www-form-urlencoded";
                essence.trim().eq_ignore_ascii_case(form)
            });
        if parts.method != Method::POST || !is_form {
            return respond::private(StatusCode::BAD_REQUEST);
        }
        match self.client.back_channel_logout(body).await {
            Ok(_) => respond::private(StatusCode::OK),
            Err(error) if error.reach() == Reach::Transient => error_response(&error),
            Err(error) => {
                let mut response = error_response(&error);
                *response.status_mut() = StatusCode::BAD_REQUEST;
                response
            }
        }
    }

    /// Who is signed in, as JSON: `is_authenticated` and `claims`. No token reaches the browser.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn user(&self, headers: &HeaderMap) -> Result<Response<Bytes>, Error> {
        let session = self.read_only_session(headers).await?;
        let claims = session.map(|session| session.claims().to_map());
        let body = json!({
            "is_authenticated": claims.is_some(),
            "claims": claims.map_or(Value::Null, Value::Object),
        });
        Ok(respond::json(StatusCode::OK, &body))
    }

    fn pending(&self) -> PendingCookies<'_> {
        PendingCookies {
            codec: &self.cookies,
            keys: &self.keys,
            config: self.client.config(),
        }
    }

    fn write(
        &self,
        request_cookies: &RequestCookies<'_>,
        handle: &Handle,
    ) -> Result<Vec<HeaderValue>, Error> {
        self.cookies
            .write(request_cookies, handle.expose())
            .map_err(|error| StorageError::Misconfigured(error.to_string()).into())
    }
}

impl CallbackAnswer {
    /// The whole response: a redirect to where the user wanted to go, or the error.
    pub fn into_response(self) -> Response<Bytes> {
        let mut response = match &self.outcome {
            Ok(completed) => respond::see_other(&completed.return_to),
            Err(error) => error_response(error),
        };
        response.headers_mut().remove(header::VARY);
        response.headers_mut().extend(self.headers);
        response
    }

    /// Whether a silent sign-in found that the user would have to do something: not an error, and no
    /// reason to end a session.
    pub fn needs_interaction(&self) -> bool {
        use logto_core::error::OAuthErrorCode as Code;
        let Err(Error::Protocol(logto_core::Error::Callback(CallbackError::Server(error)))) =
            &self.outcome
        else {
            return false;
        };
        matches!(
            error.error,
            Code::LoginRequired
                | Code::ConsentRequired
                | Code::InteractionRequired
                | Code::AccountSelectionRequired
        )
    }
}

/// What the storage may know the session by.
fn handles(request_cookies: &RequestCookies<'_>) -> Vec<Handle> {
    let candidates = request_cookies.candidates().into_iter();
    candidates.map(Handle::new).collect()
}

fn append(headers: &mut HeaderMap, set_cookies: Vec<HeaderValue>) {
    for value in set_cookies {
        headers.append(header::SET_COOKIE, value);
    }
}

impl From<PendingError> for Error {
    fn from(error: PendingError) -> Self {
        match error {
            PendingError::Seal(SealError::Entropy(error)) => error.into(),
            other => StorageError::Misconfigured(other.to_string()).into(),
        }
    }
}
