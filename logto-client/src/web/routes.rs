//! One method for each route.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header, request::Parts};
use logto_core::{
    LogtoConfig, Secret,
    error::UsageError,
    webhook::{self, WebhookError},
};
use serde_json::{Value, json};

use super::{
    cookies::{CookieCodec, CookieError, RequestCookies, SessionCookies},
    host, initiator, location, respond,
};
use crate::{
    client::LogtoClient,
    error::{Error, SessionEnd},
    event::Event,
    seal::KeyRing,
    session::{ReadOnlySession, WritableSession},
    storage::{Handle, StorageError},
};

/// The routes of an application that signs users in, for any framework.
///
/// It holds the cookie settings, the keys and the shared client. Clones are cheap.
#[derive(Clone, Debug)]
pub struct LogtoWeb {
    pub(super) client: LogtoClient,
    pub(super) cookies: CookieCodec,
    pub(super) keys: KeyRing,
}

/// The result of [`LogtoWeb::require`].
#[derive(Debug)]
#[must_use]
pub enum Guarded {
    /// The session of the signed-in user.
    Session(WritableSession),
    /// No user is signed in, or the storage failed: send this response instead.
    Answer(Response<Bytes>),
}

impl LogtoWeb {
    /// The routes of `client`'s application. `cookies` writes session handles; `keys` seals pending sign-ins.
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

    /// The configuration for the host that a request was sent to.
    pub(super) fn config_for(&self, uri: &Uri, headers: &HeaderMap) -> Cow<'_, LogtoConfig> {
        let config = self.client.config();
        match host::requested(uri, headers) {
            Some(host) => config.for_host(host),
            None => Cow::Borrowed(config),
        }
    }

    /// The session of a request, for handlers whose response can still set cookies, or with a storage on the
    /// server. `None` if no user is signed in. Call [`finish`](Self::finish) before the response is sent.
    ///
    /// # Errors
    /// If the storage cannot be read.
    pub async fn session(&self, headers: &HeaderMap) -> Result<Option<WritableSession>, Error> {
        self.session_of(&self.cookies.read(headers)).await
    }

    pub(super) async fn session_of(
        &self,
        request_cookies: &RequestCookies,
    ) -> Result<Option<WritableSession>, Error> {
        let handles = self.handles(request_cookies);
        let session = self.client.newest_session(handles).await?;
        if let Some(session) = &session {
            session.renew_in_cookies().await;
        }
        Ok(session)
    }

    /// The session of a request, for handlers that can no longer store a change.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn read_only_session(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<ReadOnlySession>, Error> {
        self.read_only_session_of(&self.cookies.read(headers)).await
    }

    pub(super) async fn read_only_session_of(
        &self,
        request_cookies: &RequestCookies,
    ) -> Result<Option<ReadOnlySession>, Error> {
        let handles = self.handles(request_cookies);
        let session = self.client.newest_read_only_session(handles).await?;
        if let Some(session) = &session {
            self.client.renew_on_server(session);
        }
        Ok(session)
    }

    /// Completes a response. Sets the new cookie if the session has changed, deletes it if the session has
    /// ended, here or elsewhere, records once a day that the session is in use, and forbids shared caching.
    /// Call it for requests without a session too, and with `None` for those that only read it.
    ///
    /// # Errors
    /// If the session has become too large for cookies.
    pub fn finish(
        &self,
        request: &HeaderMap,
        session: Option<&WritableSession>,
        response: &mut HeaderMap,
    ) -> Result<(), Error> {
        self.finish_with(&self.cookies.read(request), session, response)
    }

    pub(super) fn finish_with(
        &self,
        request_cookies: &RequestCookies,
        session: Option<&WritableSession>,
        response: &mut HeaderMap,
    ) -> Result<(), Error> {
        respond::keep_private(response);
        self.set_session(request_cookies, session, response)
    }

    fn set_session(
        &self,
        request_cookies: &RequestCookies,
        session: Option<&WritableSession>,
        response: &mut HeaderMap,
    ) -> Result<(), Error> {
        match session {
            None => self.update_cookies(request_cookies, response),
            Some(session) if session.ended().is_some() => {
                let taken = respond::headers_len(response);
                append(response, self.cookies.clear(request_cookies, taken));
            }
            Some(session) => {
                session.renew_on_server();
                if let Some(handle) = session.changed_handle() {
                    let taken = respond::headers_len(response);
                    let written = self.cookies.write(request_cookies, &handle, taken)?;
                    self.set_cookies(response, written);
                }
            }
        }
        Ok(())
    }

    /// The session of a request that requires one. Without a session, a page gets a redirect to
    /// `sign_in_path` with `return_to`, and any other request gets 401, because a script cannot follow the
    /// redirect.
    ///
    /// The path of the request and `sign_in_path` may be given with or without the path of the base URL: a
    /// router below a prefix receives its requests without it.
    pub async fn require(&self, parts: &Parts, sign_in_path: &str) -> Guarded {
        let request_cookies = self.cookies.read(&parts.headers);
        match self.session_of(&request_cookies).await {
            Ok(Some(session)) => Guarded::Session(session),
            Ok(None) => Guarded::Answer(self.ask_to_sign_in(parts, &request_cookies, sign_in_path)),
            Err(error) => Guarded::Answer(self.error_response(&error)),
        }
    }

    fn ask_to_sign_in(
        &self,
        parts: &Parts,
        request_cookies: &RequestCookies,
        sign_in_path: &str,
    ) -> Response<Bytes> {
        let mut response = if self.is_navigation(&parts.method, &parts.headers) {
            let base_url = self.client.config().base_url();
            respond::see_other(&location::sign_in(base_url, sign_in_path, &parts.uri))
        } else {
            respond::refusal(&self.not_signed_in(request_cookies))
        };
        self.update_cookies(request_cookies, response.headers_mut());
        response
    }

    /// Why the session of this request has ended, if the last call found none because of that. Use it, for
    /// example, to inform the user that a new sign-in is needed after 180 days
    /// ([`SessionEnd::LifetimeReached`]). `None` if no user was signed in, or the reason is unknown.
    pub fn session_end(&self, headers: &HeaderMap) -> Option<SessionEnd> {
        self.session_end_of(&self.cookies.read(headers))
    }

    /// The handles in the request.
    pub(super) fn handles<'r>(&self, request_cookies: &'r RequestCookies) -> &'r [Handle] {
        request_cookies.handles_for(self.client.storage())
    }

    pub(super) fn session_end_of(&self, request_cookies: &RequestCookies) -> Option<SessionEnd> {
        let mut handles = self.handles(request_cookies).iter();
        handles.find_map(|handle| self.client.end_of(handle))
    }

    /// The error for a request without a session.
    pub(super) fn not_signed_in(&self, request_cookies: &RequestCookies) -> Error {
        match self.session_end_of(request_cookies) {
            Some(end @ SessionEnd::LifetimeReached) => Error::SessionEnded(end),
            _ => UsageError::NotSignedIn.into(),
        }
    }

    /// Deletes the cookies of a session that has ended, and otherwise records that it is in use. Cookies that
    /// do not open are kept: a newer version of the application may have written them.
    fn update_cookies(&self, request_cookies: &RequestCookies, response: &mut HeaderMap) {
        let taken = respond::headers_len(response);
        if self.session_end_of(request_cookies).is_some() {
            append(response, self.cookies.clear(request_cookies, taken));
        } else if let [handle] = self.handles(request_cookies) {
            let touched = self.client.touch(handle);
            let written =
                touched.map(|touched| self.cookies.write(request_cookies, &touched, taken));
            // The session works without the mark, and the next response sets it.
            if let Some(Ok(written)) = written {
                append(response, written.set_cookies);
            }
        }
    }

    /// Receives a back-channel logout from Logto. Responds with 200, 400 for a token that is refused, or 503 if
    /// it cannot be verified now. Register its URL in the Console as the back-channel logout URI. It uses no
    /// cookie; see [`LogtoClient::back_channel_logout`].
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
            Err(error) => {
                let mut response = self.error_response(&error);
                if let Error::Protocol(logto_core::Error::Token(_)) = error {
                    *response.status_mut() = StatusCode::BAD_REQUEST;
                }
                response
            }
        }
    }

    /// Ends the sessions of users who were suspended or deleted or whose password changed. Responds with 200,
    /// also for events that end no session, 401 for a wrong signature, or 503 if the storage failed. Set up the
    /// webhook in the Console with the events that [`webhook::account_change`] names.
    pub async fn webhook(
        &self,
        signing_key: &Secret,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Response<Bytes> {
        match webhook::account_change(signing_key, headers, body) {
            Ok(None) => respond::private(StatusCode::OK),
            Ok(Some(change)) => match self.client.end_sessions_of(&change).await {
                Ok(_) => respond::private(StatusCode::OK),
                Err(error) => self.error_response(&error),
            },
            Err(WebhookError::Body) => respond::private(StatusCode::BAD_REQUEST),
            Err(_) => respond::private(StatusCode::UNAUTHORIZED),
        }
    }

    /// Returns the signed-in user as JSON: `is_authenticated` and `claims`, and `ended` with an error code if
    /// the session has [reached its longest lifetime](SessionEnd::LifetimeReached). The response contains no
    /// token.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn user(&self, headers: &HeaderMap) -> Result<Response<Bytes>, Error> {
        self.user_of(&self.cookies.read(headers)).await
    }

    pub(super) async fn user_of(
        &self,
        request_cookies: &RequestCookies,
    ) -> Result<Response<Bytes>, Error> {
        let session = self.session_of(request_cookies).await?;
        let claims = session.as_ref().map(|session| session.claims().to_map());
        let mut body = json!({
            "is_authenticated": claims.is_some(),
            "claims": claims.map_or(Value::Null, Value::Object),
        });
        if let Some(end @ SessionEnd::LifetimeReached) = self.session_end_of(request_cookies) {
            body["ended"] = Error::SessionEnded(end).code().into();
        }
        let mut response = respond::json(StatusCode::OK, &body);
        let set = self.set_session(request_cookies, session.as_ref(), response.headers_mut());
        // The claims are known even so.
        if let Err(error) = set {
            self.tell_failed(&error);
        }
        Ok(response)
    }

    /// The response to a request that failed: the status that fits, and a JSON object with a stable
    /// `error` code and an `error_description`, which is a [fixed sentence](super::public_description).
    /// The observer receives the details, as [`Event::RequestFailed`].
    pub fn error_response(&self, error: &Error) -> Response<Bytes> {
        self.tell_failed(error);
        respond::refusal(error)
    }

    /// Whether the request is for a page that a redirect can lead back to.
    pub(super) fn is_navigation(&self, method: &Method, headers: &HeaderMap) -> bool {
        initiator::is_navigation(method, headers, self.cookies.allows_frames())
    }

    /// Whether the request is for a page, also after a form.
    pub(super) fn expects_page(&self, headers: &HeaderMap) -> bool {
        initiator::expects_page(headers, self.cookies.allows_frames())
    }

    pub(super) fn tell_failed(&self, error: &Error) {
        self.client.observer().on_event(&Event::RequestFailed {
            code: error.code().to_owned(),
            status: error.status().as_u16(),
            detail: error.to_string(),
        });
    }

    pub(super) fn set_cookies(&self, response: &mut HeaderMap, written: SessionCookies) {
        let (size, limit) = (written.size, self.cookies.response_limit());
        if size > limit {
            let event = Event::ResponseTooLarge { size, limit };
            self.client.observer().on_event(&event);
        }
        append(response, written.set_cookies);
    }
}

impl From<CookieError> for Error {
    fn from(error: CookieError) -> Self {
        StorageError::Misconfigured(error.to_string()).into()
    }
}

pub(super) fn append(headers: &mut HeaderMap, set_cookies: impl IntoIterator<Item = HeaderValue>) {
    for value in set_cookies {
        headers.append(header::SET_COOKIE, value);
    }
}
