//! The session of one request.

use std::{
    borrow::Cow,
    fmt,
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Response, Uri, header, request::Parts, response};
use logto_core::{AccessToken, TokenTarget, claims::IdTokenClaims, error::Advice};
use tokio::sync::OnceCell;
use url::Url;

use super::{
    LogtoApp, Requirement, Route,
    error_page::{self, ErrorContext},
};
use crate::{
    error::{Error, RequestError},
    session::{ReadOnlySession, WritableSession},
    web::{cookies::RequestCookies, host, initiator, location, respond},
};

/// Headers that describe the body of a response or its location.
const OF_THE_BODY: [HeaderName; 13] = [
    header::ACCEPT_RANGES,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::CONTENT_LENGTH,
    header::CONTENT_LOCATION,
    header::CONTENT_RANGE,
    header::CONTENT_TYPE,
    header::ETAG,
    header::EXPIRES,
    header::LAST_MODIFIED,
    header::LOCATION,
    header::TRANSFER_ENCODING,
];

/// The session of one request. It is opened once, when a handler first asks for it, and shared by all handlers
/// of the request.
///
/// Created by [`LogtoApp::begin`]. Clones share the session. A request that never asks for its session costs no
/// decryption and no call to a storage, and its response is not changed.
///
/// Another site can make a browser send a form, a request of a script or a WebSocket to the application, with
/// the user's cookies. The session is not opened for such a request: the methods fail with
/// [`RequestError::CrossSite`], unless [`cross_site_forms`](super::LogtoAppBuilder::cross_site_forms) allows
/// it. It is recognized by `Sec-Fetch-Site`, or without that header by `Origin`; another host below the same
/// domain counts as another site. GET, HEAD, OPTIONS and TRACE are not checked, except for a WebSocket.
#[derive(Clone)]
pub struct RequestSession {
    inner: Arc<RequestState>,
}

struct RequestState {
    app: LogtoApp,
    uri: Uri,
    cookies: RequestCookies,
    /// Whether another site caused this request, and the request may change something.
    is_from_elsewhere: bool,
    wants_page: bool,
    /// Whether a redirect can lead the visitor back to this request. It cannot repeat a form.
    can_come_back: bool,
    /// The requested address, if both it and the base URL are on this machine.
    local_address: Option<Url>,
    opened: OnceCell<Result<Option<WritableSession>, Error>>,
    answer: OnceLock<Box<Response<Bytes>>>,
    response_has_begun: AtomicBool,
}

/// The error of a handler, in the extensions of its response. [`RequestSession::finish`] replaces the response
/// with the one for this error. Adapters insert it to support `?` in handlers.
#[derive(Clone, Debug)]
pub struct Failure(pub Error);

impl RequestSession {
    pub(super) fn new(app: LogtoApp, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let web = app.web();
        let wants_page = web.expects_page(headers);
        let is_from_elsewhere = !app.inner.allows_cross_site_forms
            && initiator::is_from_elsewhere(method, headers, || web.own_origin(uri, headers));
        let inner = RequestState {
            uri: uri.clone(),
            cookies: web.cookies.read(headers),
            is_from_elsewhere,
            wants_page,
            can_come_back: wants_page && method == Method::GET,
            local_address: local_address(uri, headers, app.client().config().base_url()),
            opened: OnceCell::new(),
            answer: OnceLock::new(),
            response_has_begun: AtomicBool::new(false),
            app,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// The application.
    pub fn app(&self) -> &LogtoApp {
        &self.inner.app
    }

    /// Whether the client is a browser that shows a page, also after a form. Otherwise it is a script or
    /// another server, which expects JSON.
    pub fn wants_page(&self) -> bool {
        self.inner.wants_page
    }

    /// The session, to refresh and store. `None` if no user is signed in.
    ///
    /// # Errors
    /// If the storage cannot be read. [`RequestError::CrossSite`] if another site caused a request that may
    /// change something. [`Error::ResponseBegun`] for a session in cookies that is first asked for after the
    /// response has begun: use [`read_only`](Self::read_only) there.
    pub async fn session(&self) -> Result<Option<WritableSession>, Error> {
        if self.inner.opened.get().is_none() && self.has_begun() && !self.is_stored_on_server() {
            return Err(Error::ResponseBegun);
        }
        self.open().await
    }

    /// The session, read-only, for pages that are already streaming. `None` if no user is signed in.
    ///
    /// # Errors
    /// If the storage cannot be read. [`RequestError::CrossSite`], as [`session`](Self::session).
    pub async fn read_only(&self) -> Result<Option<ReadOnlySession>, Error> {
        if self.inner.opened.get().is_none() && self.has_begun() {
            let cookies = self.cookies_to_open()?;
            let web = self.inner.app.web();
            return web.read_only_session_of(cookies).await;
        }
        let session = self.open().await?;
        Ok(session.map(|session| session.read_only()))
    }

    /// The claims of the user's ID token. `None` if no user is signed in.
    ///
    /// # Errors
    /// As [`read_only`](Self::read_only).
    pub async fn claims(&self) -> Result<Option<Arc<IdTokenClaims>>, Error> {
        if self.inner.opened.get().is_none() && self.has_begun() {
            let session = self.read_only().await?;
            return Ok(session.map(|session| session.snapshot().shared_claims()));
        }
        let session = self.open().await?;
        Ok(session.map(|session| session.claims()))
    }

    /// As [`session`](Self::session), for users who meet a requirement.
    ///
    /// # Errors
    /// As [`session`](Self::session). [`RequestError::Forbidden`] for other users.
    pub async fn session_as(
        &self,
        requirement: &Requirement,
    ) -> Result<Option<WritableSession>, Error> {
        let session = self.session().await?;
        match &session {
            Some(session) if !requirement.is_met_in(session).await? => {
                Err(RequestError::Forbidden.into())
            }
            _ => Ok(session),
        }
    }

    /// The session of a request that requires a user, or the response to send instead: for a page, a redirect
    /// to the sign-in, which leads back here; for a script, 401.
    ///
    /// # Errors
    /// The response, boxed because it is large.
    pub async fn require(&self) -> Result<WritableSession, Box<Response<Bytes>>> {
        self.require_as(&Requirement::user()).await
    }

    /// As [`require`](Self::require), for users who meet a requirement. The response for others is 403.
    ///
    /// # Errors
    /// As [`require`](Self::require).
    pub async fn require_as(
        &self,
        requirement: &Requirement,
    ) -> Result<WritableSession, Box<Response<Bytes>>> {
        match self.session_as(requirement).await {
            Ok(Some(session)) => Ok(session),
            Ok(None) => Err(Box::new(self.ask_to_sign_in())),
            Err(error) => Err(Box::new(self.refusal(&error))),
        }
    }

    /// The response for a visitor who is not signed in.
    pub fn ask_to_sign_in(&self) -> Response<Bytes> {
        match self.inner.can_come_back {
            true => respond::see_other(&self.sign_in_link()),
            false => self.refusal(&self.inner.app.web().not_signed_in(self.cookies())),
        }
    }

    /// Makes sure that the session has tokens for `targets` that stay valid for `min_remaining`: fetches
    /// missing ones, and refreshes those that expire earlier. Code that runs after the response has begun then
    /// finds them. Does nothing if no user is signed in.
    ///
    /// Returns the result for each token that had to be fetched. A failure leaves the session unchanged.
    ///
    /// # Errors
    /// As [`session`](Self::session).
    pub async fn refresh_ahead(
        &self,
        targets: &[TokenTarget],
        min_remaining: Duration,
    ) -> Result<Vec<(TokenTarget, Result<AccessToken, Error>)>, Error> {
        match self.session().await? {
            Some(session) => Ok(session.refresh_ahead(targets, min_remaining).await),
            None => Ok(Vec::new()),
        }
    }

    /// The response to a request that failed: the application's [error page](super::ErrorPage), or a small page
    /// for a browser and JSON for a script. The observer receives the details.
    pub fn refusal(&self, error: &Error) -> Response<Bytes> {
        self.inner.app.web().tell_failed(error);
        self.page(error).unwrap_or_else(|| respond::refusal(error))
    }

    /// Answers this request with the response of `make`, whatever the handler responds: for frameworks in which
    /// a part of a page cannot return the response. The first call counts. Does nothing once the response has
    /// begun.
    pub fn answer_with(&self, make: impl FnOnce(&Self) -> Response<Bytes>) {
        self.inner.answer.get_or_init(|| Box::new(make(self)));
    }

    /// Completes the response, whatever the handler did. Sets the new cookie if the session has changed,
    /// deletes it if the session has ended, and forbids shared caching. If [`answer_with`](Self::answer_with)
    /// was called, the handler [failed](Failure), or the session no longer fits into cookies, the response is
    /// replaced, and the body to send instead is returned.
    ///
    /// After this call, sessions in cookies are read-only.
    pub fn finish(&self, response: &mut response::Parts) -> Option<Bytes> {
        let failure = response.extensions.remove::<Failure>();
        let refusal = || failure.map(|Failure(error)| self.refusal(&error));
        let answer = self.inner.answer.get().map(|answer| (**answer).clone());
        let answer = answer.or_else(refusal);
        let mut body = answer.map(|answer| replace(response, answer));
        self.inner.response_has_begun.store(true, Ordering::Release);
        let Some(opened) = self.inner.opened.get() else {
            return body;
        };
        if let Err(Error::Request(RequestError::CrossSite)) = opened {
            // A request of another site does not count as use of the session.
            respond::keep_private(&mut response.headers);
            return body;
        }
        let session = opened.as_ref().ok().and_then(Option::as_ref);
        let web = self.inner.app.web();
        if let Err(error) = web.finish_with(self.cookies(), session, &mut response.headers) {
            body = Some(replace(response, self.refusal(&error)));
        }
        if let Some(session) = session {
            session.response_has_begun();
        }
        body
    }

    /// The error page, unless the client is a script.
    pub(super) fn page(&self, error: &Error) -> Option<Response<Bytes>> {
        let next = self.next(error);
        let context = ErrorContext {
            error,
            wants_page: self.inner.wants_page,
            is_local: self.inner.local_address.is_some(),
            next: &next,
        };
        let own = self.inner.app.inner.error_page.as_ref();
        let page = own.and_then(|page| page.show(&context));
        let default = || {
            context
                .wants_page
                .then(|| error_page::default_page(&context))
        };
        let page = page.or_else(default)?;
        Some(error_page::complete(error, page))
    }

    /// The same page below the base URL, for a developer who visits 127.0.0.1 while the base URL contains
    /// localhost, or the reverse: the cookies of the sign-in belong to one of the two hosts.
    pub(super) fn at_base_url(&self, parts: &Parts) -> Option<Response<Bytes>> {
        let config = self.inner.app.web().config_for(&parts.uri, &parts.headers);
        let base_url = config.base_url()?;
        let asked = self.inner.local_address.as_ref()?;
        // Another port means a proxy: nginx sends 127.0.0.1 whatever host the browser requested.
        if asked.port() != base_url.port() || asked.host() == base_url.host() {
            return None;
        }
        let same_place = base_url.join(&self.here()).ok()?;
        Some(respond::see_other(same_place.as_str()))
    }

    fn next(&self, error: &Error) -> String {
        match error.advice() {
            Advice::SignInAgain => self.sign_in_link(),
            Advice::Retry { .. } if self.inner.can_come_back => self.here().into_owned(),
            Advice::Retry { .. } | Advice::Refused | Advice::FixConfiguration => {
                self.base_url().map_or("/", Url::path).to_owned()
            }
        }
    }

    /// The path of the sign-in, which leads back here unless this is a form or a step of the sign-in itself.
    fn sign_in_link(&self) -> String {
        let app = &self.inner.app;
        let sign_in = app.path(Route::SignIn).unwrap_or("/sign-in");
        match self.inner.can_come_back && app.route(self.inner.uri.path()).is_none() {
            true => location::sign_in(self.base_url(), sign_in, &self.inner.uri),
            false => sign_in.to_owned(),
        }
    }

    fn here(&self) -> Cow<'_, str> {
        location::of(self.base_url(), &self.inner.uri)
    }

    /// The base URL of the configuration. All hosts have the same path.
    fn base_url(&self) -> Option<&Url> {
        self.inner.app.client().config().base_url()
    }

    async fn open(&self) -> Result<Option<WritableSession>, Error> {
        let open = async || {
            let cookies = self.cookies_to_open()?;
            self.inner.app.web().session_of(cookies).await
        };
        self.inner.opened.get_or_init(open).await.clone()
    }

    /// The cookies, unless another site caused the request.
    fn cookies_to_open(&self) -> Result<&RequestCookies, Error> {
        let cookies = self.cookies();
        match self.inner.is_from_elsewhere && cookies.has_session() {
            true => Err(RequestError::CrossSite.into()),
            false => Ok(cookies),
        }
    }

    /// The cookies of this request, which everything that answers it shares.
    pub(super) fn cookies(&self) -> &RequestCookies {
        &self.inner.cookies
    }

    fn has_begun(&self) -> bool {
        self.inner.response_has_begun.load(Ordering::Acquire)
    }

    fn is_stored_on_server(&self) -> bool {
        self.inner.app.client().storage().is_authoritative()
    }
}

fn local_address(uri: &Uri, headers: &HeaderMap, base_url: Option<&Url>) -> Option<Url> {
    base_url.filter(|url| is_loopback(url.host_str().unwrap_or_default()))?;
    let asked = host::requested(uri, headers)?;
    let asked = Url::parse(&format!("http://{asked}/")).ok()?;
    is_loopback(asked.host_str().unwrap_or_default()).then_some(asked)
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    let is_loopback = |address: IpAddr| address.is_loopback();
    host == "localhost" || host.ends_with(".localhost") || host.parse().is_ok_and(is_loopback)
}

/// Replaces the status and the headers that belong to the body. Other headers stay, such as those for CORS and
/// security, which a middleware has set. The extensions belong to the framework.
fn replace(response: &mut response::Parts, by: Response<Bytes>) -> Bytes {
    let (by, body) = by.into_parts();
    response.status = by.status;
    let headers = &mut response.headers;
    for name in OF_THE_BODY.iter().chain(by.headers.keys()) {
        headers.remove(name);
    }
    headers.extend(by.headers);
    body
}

impl fmt::Debug for RequestSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSession")
            .field("wants_page", &self.inner.wants_page)
            .field("opened", &self.inner.opened.get().is_some())
            .finish_non_exhaustive()
    }
}
