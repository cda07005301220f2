//! A browser that visits an application and its Logto.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use logto_client::{
    clock::{Clock, SystemClock},
    http::{HttpClient, TransportError},
};
use logto_testkit::Logto;
use url::{Url, form_urlencoded};

use super::{
    cookies::Jar,
    page::{Form, Page},
    site::Site,
};

/// As many as Chromium follows.
const MAX_REDIRECTS: usize = 20;
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// A browser: it keeps cookies, follows redirects between an application and Logto, and submits forms. As real
/// browsers do, it reports who caused a request, and withholds cookies accordingly.
///
/// Paths are below the base URL of the application. Clones are the same browser, for concurrent requests.
#[derive(Clone)]
pub struct Browser {
    logto: Logto,
    base_url: Url,
    application: Arc<dyn HttpClient>,
    clock: Arc<dyn Clock>,
    jar: Arc<Mutex<Jar>>,
}

/// Why a browser shows no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// The application did not answer.
    #[error("the application did not answer: {0}")]
    NoAnswer(#[from] TransportError),
    /// A redirect leads to neither the application nor Logto.
    #[error("a redirect leads to {0}, which is neither the application nor Logto")]
    Elsewhere(Url),
    /// The redirects do not end.
    #[error("the redirects do not end: the last one leads to {0}")]
    TooManyRedirects(Url),
    /// A URL or form that cannot be requested.
    #[error("this cannot be requested: {0}")]
    Malformed(String),
}

impl Browser {
    /// A browser without cookies. `application` answers the requests to `base_url`: a
    /// [`ReqwestClient`](crate::ReqwestClient) reaches an application that listens there.
    pub fn new(logto: &Logto, base_url: &Url, application: impl HttpClient + 'static) -> Self {
        Self {
            logto: logto.clone(),
            base_url: base_url.clone(),
            application: Arc::new(application),
            clock: Arc::new(SystemClock::default()),
            jar: Arc::default(),
        }
    }

    /// Sets the clock by which cookies expire. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Another browser without cookies.
    #[must_use]
    pub fn fresh(&self) -> Self {
        let mut fresh = self.clone();
        fresh.jar = Arc::default();
        fresh
    }

    /// The same browser at another host of the application, with `base_url` as in the configuration for that
    /// host. Both share one set of cookies, and each host receives its own.
    #[must_use]
    pub fn at(&self, base_url: &Url) -> Self {
        Self {
            base_url: base_url.clone(),
            ..self.clone()
        }
    }

    /// Another browser with a copy of all cookies, as after a theft.
    #[must_use]
    pub fn copied(&self) -> Self {
        let mut copy = self.fresh();
        copy.jar = Arc::new(Mutex::new(self.jar().clone()));
        copy
    }

    /// Opens a page by a link of the application, and follows redirects and forms that submit themselves, up to
    /// the last page.
    ///
    /// # Errors
    /// [`WalkError`]. Every status is a page.
    pub async fn open(&self, path: &str) -> Result<Page, WalkError> {
        self.follow(self.get(path).await?).await
    }

    /// Opens a page and follows no redirect.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn get(&self, path: &str) -> Result<Page, WalkError> {
        self.send(request(Method::GET, &self.url(path)?, Bytes::new())?)
            .await
    }

    /// Sends a request as a script of the application does: for JSON, and without following redirects.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn fetch(&self, path: &str) -> Result<Page, WalkError> {
        let mut request = request(Method::GET, &self.url(path)?, Bytes::new())?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(SEC_FETCH_MODE, HeaderValue::from_static("cors"));
        headers.insert(SEC_FETCH_DEST, HeaderValue::from_static("empty"));
        self.send(request).await
    }

    /// Posts a form of the application, and follows as [`open`](Self::open) does.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Result<Page, WalkError> {
        let form = Form::post(self.url("/")?, self.url(path)?, fields.iter().copied());
        self.submit(&form).await
    }

    /// Submits a form of a page, and follows as [`open`](Self::open) does.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn submit(&self, form: &Form) -> Result<Page, WalkError> {
        let site = Site::between(&form.page, form.action());
        let page = self.send_form(form, site).await?;
        self.walk(page, site).await
    }

    /// Opens a page, and signs in if Logto asks for it.
    ///
    /// # Errors
    /// As [`open`](Self::open). A wrong password leads to Logto's page.
    pub async fn sign_in(
        &self,
        path: &str,
        username: &str,
        password: &str,
    ) -> Result<Page, WalkError> {
        self.finish_sign_in(self.get(path).await?, username, password)
            .await
    }

    /// As [`sign_in`](Self::sign_in), from a page that leads to Logto: in another tab, for example, while more
    /// sign-ins begin.
    ///
    /// # Errors
    /// As [`sign_in`](Self::sign_in).
    pub async fn finish_sign_in(
        &self,
        page: Page,
        username: &str,
        password: &str,
    ) -> Result<Page, WalkError> {
        let page = self.follow(page).await?;
        let is_at_logto = self.is_logto(page.url());
        match page.form_with("identifier").filter(|_| is_at_logto) {
            Some(form) => {
                let form = form.fill("identifier", username).fill("password", password);
                self.submit(&form).await
            }
            None => Ok(page),
        }
    }

    /// Follows a page if it is a redirect or submits a form by itself.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn follow(&self, page: Page) -> Result<Page, WalkError> {
        self.walk(page, Site::Origin).await
    }

    /// Sends one request. The browser adds its cookies and, unless the request has them, the headers of a
    /// navigation that a page of the application causes. With `Sec-Fetch-Site: cross-site` another site causes
    /// it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Page, WalkError> {
        let url = self.url(&request.uri().to_string())?;
        let uri = url.as_str().parse();
        *request.uri_mut() = uri.map_err(|_| WalkError::Malformed(url.to_string()))?;
        let headers = request.headers_mut();
        for (name, value) in [
            (SEC_FETCH_SITE, "same-origin"),
            (SEC_FETCH_MODE, "navigate"),
            (SEC_FETCH_DEST, "document"),
            (header::ACCEPT, "text/html"),
        ] {
            let entry = headers.entry(name);
            entry.or_insert(HeaderValue::from_static(value));
        }
        let site = Site::of(headers.get(SEC_FETCH_SITE));
        let origin = match site {
            Site::Origin => url.origin().ascii_serialization(),
            // The origin of that page is not known here.
            Site::Same | Site::Cross => "null".to_owned(),
        };
        let method = request.method().clone();
        if method != Method::GET {
            let origin = HeaderValue::try_from(origin);
            let origin = origin.map_err(|_| WalkError::Malformed(url.to_string()))?;
            // Also of a body that is empty: a proxy that speaks HTTP/1.0 needs it.
            let length = HeaderValue::from(request.body().len());
            let headers = request.headers_mut();
            headers.entry(header::ORIGIN).or_insert(origin);
            headers.insert(header::CONTENT_LENGTH, length);
        }
        if let Some(cookies) = self.jar().header(&url, &method, site, self.now()) {
            let cookies = HeaderValue::try_from(cookies);
            let cookies = cookies.map_err(|_| WalkError::Malformed("a cookie".to_owned()))?;
            request.headers_mut().append(header::COOKIE, cookies);
        }
        let response = if self.is_logto(&url) {
            self.logto.handle(request)
        } else if url.origin() == self.base_url.origin() {
            self.application.send(request).await?
        } else {
            return Err(WalkError::Elsewhere(url));
        };
        self.jar().receive(&url, response.headers(), self.now());
        Ok(Page::new(url, response))
    }

    /// The cookies that are sent to a page of the application, by name.
    pub fn cookies(&self) -> Vec<(String, String)> {
        let cookies = self.jar().at(&self.base_url, self.now());
        let cookies = cookies.into_iter();
        cookies.map(|cookie| (cookie.name, cookie.value)).collect()
    }

    /// Sets a cookie of the application, as an attacker might.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar().set(&self.base_url, name, value);
    }

    /// Deletes a cookie of the application.
    pub fn remove_cookie(&self, name: &str) {
        self.jar().remove(&self.base_url, name);
    }

    /// The address of a path of the application.
    ///
    /// # Errors
    /// [`WalkError::Malformed`].
    pub fn url(&self, path: &str) -> Result<Url, WalkError> {
        let url = match path.starts_with('/') {
            true => {
                let root = self.base_url.as_str().trim_end_matches('/');
                Url::parse(&format!("{root}{path}"))
            }
            false => self.base_url.join(path),
        };
        url.map_err(|_| WalkError::Malformed(path.to_owned()))
    }

    async fn walk(&self, mut page: Page, mut caused_by: Site) -> Result<Page, WalkError> {
        for _ in 0..MAX_REDIRECTS {
            let (next, method) = match page.location() {
                Some(next) => (next, Method::GET),
                None if page.submits_itself() => {
                    let Some(form) = page.forms().into_iter().next() else {
                        return Ok(page);
                    };
                    caused_by = Site::between(page.url(), form.action());
                    page = self.send_form(&form, caused_by).await?;
                    continue;
                }
                None => return Ok(page),
            };
            if matches!(
                page.status(),
                StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT
            ) {
                let problem = "a redirect that repeats the request".to_owned();
                return Err(WalkError::Malformed(problem));
            }
            // A chain of redirects counts as its most distant step.
            caused_by = caused_by.max(Site::between(page.url(), &next));
            let request = self.caused(request(method, &next, Bytes::new())?, caused_by);
            page = self.send(request).await?;
        }
        Err(WalkError::TooManyRedirects(page.url().clone()))
    }

    async fn send_form(&self, form: &Form, site: Site) -> Result<Page, WalkError> {
        let fields = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form.fields())
            .finish();
        let request = match *form.method() {
            Method::POST => {
                let mut request = request(Method::POST, form.action(), fields.into())?;
                let form = HeaderValue::from_static("application/x-www-form-urlencoded");
                request.headers_mut().insert(header::CONTENT_TYPE, form);
                request
            }
            _ => {
                let mut url = form.action().clone();
                url.set_query(Some(&fields));
                request(Method::GET, &url, Bytes::new())?
            }
        };
        self.send(self.caused(request, site)).await
    }

    fn caused(&self, mut request: Request<Bytes>, site: Site) -> Request<Bytes> {
        let site = HeaderValue::from_static(site.as_str());
        request.headers_mut().insert(SEC_FETCH_SITE, site);
        request
    }

    fn is_logto(&self, url: &Url) -> bool {
        let endpoint = Url::parse(self.logto.endpoint());
        endpoint.is_ok_and(|endpoint| endpoint.origin() == url.origin())
    }

    fn now(&self) -> i64 {
        self.clock.now().as_secs()
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn request(method: Method, url: &Url, body: Bytes) -> Result<Request<Bytes>, WalkError> {
    let request = Request::builder().method(method).uri(url.as_str());
    let request = request.body(body);
    request.map_err(|_| WalkError::Malformed(url.to_string()))
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser")
            .field("logto", &self.logto)
            .field("base_url", &self.base_url.as_str())
            .finish_non_exhaustive()
    }
}
