//! A person with a browser: a cookie jar for the application, a session at Logto, and what a browser
//! does with both.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header, request::Parts};
use logto_client::{
    AccessToken, Error, ReadOnlySession, SignIn, TokenTarget, WritableSession,
    core::{error::UsageError, sign_out::SignOut},
    web::LogtoWeb,
};
use logto_testkit::{Browser, Logto};
use url::Url;

use crate::world::BASE_URL;

/// Browsers ignore a cookie whose name and value are longer than this, and keep the one before.
const MAX_COOKIE_LEN: usize = 4_096;

/// A person with a browser. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Visitor {
    jar: Arc<Mutex<Jar>>,
    /// `None` for a visitor of another provider than the test kit.
    at_logto: Option<AtLogto>,
}

/// The browser's session at Logto.
#[derive(Clone, Debug)]
struct AtLogto {
    logto: Logto,
    browser: Arc<Mutex<Browser>>,
}

/// The cookies that a browser keeps for the application.
#[derive(Clone, Debug, Default)]
struct Jar {
    cookies: BTreeMap<String, Cookie>,
    ignored: usize,
    longest_header: usize,
}

#[derive(Clone, Debug)]
struct Cookie {
    value: String,
    attributes: String,
}

/// Where a request comes from, which decides what cookies it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    Here,
    AnotherSite,
}

/// One request of a visitor: it carries the cookies that there were when it began.
#[derive(Clone, Debug)]
pub struct Visit {
    visitor: Visitor,
    parts: Parts,
}

/// A request with these headers.
pub fn request_with(headers: HeaderMap) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.headers = headers;
    parts
}

impl Visitor {
    /// Somebody who was never here.
    pub fn new(logto: &Logto) -> Self {
        Self {
            jar: Arc::default(),
            at_logto: Some(AtLogto::new(logto)),
        }
    }

    /// Somebody who was never here, and signs in at another provider than the test kit.
    pub fn of_another_provider() -> Self {
        Self {
            jar: Arc::default(),
            at_logto: None,
        }
    }

    /// Another browser with a copy of the application's cookies, and no session at Logto.
    pub fn copied(&self) -> Self {
        Self {
            jar: Arc::new(Mutex::new(self.jar().clone())),
            at_logto: self.at_logto.as_ref().map(|at| AtLogto::new(&at.logto)),
        }
    }

    /// Deletes the cookies of Logto.
    pub fn leave_logto(&self) {
        let at_logto = self.at_logto();
        *at_logto.browser() = at_logto.logto.browser();
    }

    /// The cookies, by name.
    pub fn cookies(&self) -> BTreeMap<String, String> {
        let jar = self.jar();
        jar.cookies
            .iter()
            .map(|(name, cookie)| (name.clone(), cookie.value.clone()))
            .collect()
    }

    /// Puts a cookie into the jar, as an attacker might.
    pub fn plant(&self, name: &str, value: &str) {
        let cookie = Cookie {
            value: value.to_owned(),
            attributes: "SameSite=Lax".to_owned(),
        };
        self.jar().cookies.insert(name.to_owned(), cookie);
    }

    /// Takes a cookie out of the jar.
    pub fn lose(&self, name: &str) {
        self.jar().cookies.remove(name);
    }

    /// How many cookies the browser ignored because they were too long.
    pub fn ignored_cookies(&self) -> usize {
        self.jar().ignored
    }

    /// The longest `Cookie` header so far, in bytes.
    pub fn longest_header(&self) -> usize {
        self.jar().longest_header
    }

    /// A request that the visitor begins now.
    pub fn visit(&self, method: Method, path: &str) -> Visit {
        self.begin(method, path, Origin::Here)
    }

    /// Looks at a page now.
    pub fn get(&self, path: &str) -> Visit {
        self.visit(Method::GET, path)
    }

    fn begin(&self, method: Method, path: &str, origin: Origin) -> Visit {
        let cookies = self.jar().header(&method, origin);
        let (site, own) = match origin {
            Origin::Here => ("same-origin", true),
            Origin::AnotherSite => ("cross-site", false),
        };
        let mut request = Request::builder()
            .uri(path)
            .header("sec-fetch-site", site)
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document");
        if own && method != Method::GET {
            request = request.header(header::ORIGIN, BASE_URL);
        }
        let request = request.method(method);
        let request = match cookies {
            Some(cookies) => request.header(header::COOKIE, cookies),
            None => request,
        };
        let (parts, ()) = request
            .body(())
            .expect("the request is well-formed")
            .into_parts();
        Visit {
            visitor: self.clone(),
            parts,
        }
    }

    /// Takes the cookies of a response.
    pub fn receive(&self, headers: &HeaderMap) {
        let mut jar = self.jar();
        for set_cookie in headers.get_all(header::SET_COOKIE) {
            jar.take(set_cookie.to_str().expect("a cookie is ASCII"));
        }
    }

    /// Asks to be signed in: where the application sends the browser.
    pub async fn start_sign_in(&self, web: &LogtoWeb) -> Url {
        self.start_sign_in_with(web, &SignIn::new()).await
    }

    /// As [`start_sign_in`](Self::start_sign_in), with parameters.
    pub async fn start_sign_in_with(&self, web: &LogtoWeb, sign_in: &SignIn) -> Url {
        let visit = self.get("/sign-in");
        let response = web
            .sign_in(&visit.parts, sign_in)
            .await
            .expect("a sign-in starts");
        self.receive(response.headers());
        location(&response)
    }

    /// Signs in at Logto and consents: the URL that the browser is sent back to.
    pub fn consent(&self, authorization_url: &Url, user: &str) -> Url {
        self.at_logto()
            .browser()
            .sign_in(authorization_url, user)
            .expect("the user consents")
    }

    /// Comes back from Logto.
    pub async fn come_back(&self, web: &LogtoWeb, callback: &Url) -> Response<Bytes> {
        let path = callback
            .as_str()
            .strip_prefix(BASE_URL)
            .unwrap_or(callback.as_str());
        let visit = self.begin(Method::GET, path, Origin::AnotherSite);
        let response = web
            .callback(&visit.parts, &Bytes::new())
            .await
            .into_response();
        self.receive(response.headers());
        response
    }

    /// Signs in, from the first click to the last redirect.
    pub async fn sign_in(&self, web: &LogtoWeb, user: &str) -> Response<Bytes> {
        let url = self.start_sign_in(web).await;
        self.come_back(web, &self.consent(&url, user)).await
    }

    /// Signs out here and at Logto.
    pub async fn sign_out(&self, web: &LogtoWeb) -> Response<Bytes> {
        let visit = self.visit(Method::POST, "/sign-out");
        let response = web
            .sign_out(&visit.parts, &SignOut::new())
            .await
            .into_response();
        self.receive(response.headers());
        let next = location(&response);
        match &self.at_logto {
            Some(at) if next.as_str().starts_with(at.logto.endpoint()) => {
                at.browser()
                    .sign_out(&next)
                    .expect("Logto ends the session");
            }
            _ => {}
        }
        response
    }

    /// Looks at a page that needs a token.
    pub async fn token(&self, web: &LogtoWeb, target: &TokenTarget) -> Result<AccessToken, Error> {
        self.get("/page").token(web, target).await
    }

    /// Whether the application takes the visitor for signed in, without asking Logto.
    pub async fn is_signed_in(&self, web: &LogtoWeb) -> bool {
        self.get("/page")
            .look(web)
            .await
            .expect("the storage answers")
            .is_some()
    }

    fn at_logto(&self) -> &AtLogto {
        let at_logto = self.at_logto.as_ref();
        at_logto.expect("the visitor signs in at the test kit")
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().expect("no test panics while it holds this")
    }
}

impl AtLogto {
    fn new(logto: &Logto) -> Self {
        Self {
            browser: Arc::new(Mutex::new(logto.browser())),
            logto: logto.clone(),
        }
    }

    fn browser(&self) -> MutexGuard<'_, Browser> {
        self.browser
            .lock()
            .expect("no test panics while it holds this")
    }
}

impl Visit {
    /// What the application sees.
    pub fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The headers that the application sees.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// A page that needs one token, in a place that can set cookies.
    pub async fn token(self, web: &LogtoWeb, target: &TokenTarget) -> Result<AccessToken, Error> {
        let mut tokens = self.tokens(web, std::slice::from_ref(target)).await;
        tokens.pop().expect("one answer for each target")
    }

    /// A page that can only look: it neither refreshes nor sets a cookie.
    pub async fn look(&self, web: &LogtoWeb) -> Result<Option<ReadOnlySession>, Error> {
        web.read_only_session(&self.parts.headers).await
    }

    /// A page that can set no cookie any more and fetches a token all the same.
    pub async fn token_without_storing(
        self,
        web: &LogtoWeb,
        target: &TokenTarget,
    ) -> Result<AccessToken, Error> {
        let session = self.look(web).await?.ok_or(UsageError::NotSignedIn)?;
        web.client()
            .fetch_access_token_or_lose_session(&session, target)
            .await
    }

    /// A page that needs a token and whose response never arrives.
    pub async fn token_and_lost_response(
        self,
        web: &LogtoWeb,
        target: &TokenTarget,
    ) -> Result<AccessToken, Error> {
        let session = web
            .session(&self.parts.headers)
            .await?
            .ok_or(UsageError::NotSignedIn)?;
        session.access_token(target).await
    }

    /// As [`token`](Self::token), but the page takes this long before it opens the session.
    pub async fn token_after(
        self,
        delay: Duration,
        web: &LogtoWeb,
        target: &TokenTarget,
    ) -> Result<AccessToken, Error> {
        tokio::time::sleep(delay).await;
        self.token(web, target).await
    }

    /// A page that needs several tokens at once.
    pub async fn tokens(
        self,
        web: &LogtoWeb,
        targets: &[TokenTarget],
    ) -> Vec<Result<AccessToken, Error>> {
        let session = match web.session(&self.parts.headers).await {
            Ok(Some(session)) => session,
            Ok(None) => return vec![Err(UsageError::NotSignedIn.into()); targets.len()],
            Err(error) => return vec![Err(error); targets.len()],
        };
        let asked: Vec<_> = targets
            .iter()
            .map(|target| {
                let (session, target) = (session.clone(), target.clone());
                tokio::spawn(async move { session.access_token(&target).await })
            })
            .collect();
        let mut tokens = Vec::new();
        for token in asked {
            tokens.push(token.await.expect("the page does not panic"));
        }
        self.finish(web, &session);
        tokens
    }

    /// Ends the visit: the browser takes what became of the session.
    pub fn finish(self, web: &LogtoWeb, session: &WritableSession) {
        let mut answer = HeaderMap::new();
        web.finish(&self.parts.headers, Some(session), &mut answer)
            .expect("the session fits");
        self.visitor.receive(&answer);
    }
}

impl Jar {
    fn header(&mut self, method: &Method, origin: Origin) -> Option<String> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .filter(|(_, cookie)| origin == Origin::Here || cookie.crosses_sites(method))
            .map(|(name, cookie)| format!("{name}={}", cookie.value))
            .collect();
        let header = pairs.join("; ");
        self.longest_header = self.longest_header.max(header.len());
        (!pairs.is_empty()).then_some(header)
    }

    fn take(&mut self, set_cookie: &str) {
        let (pair, attributes) = set_cookie.split_once(';').unwrap_or((set_cookie, ""));
        let (name, value) = pair
            .split_once('=')
            .expect("a cookie has a name and a value");
        if name.len() + value.len() > MAX_COOKIE_LEN {
            self.ignored += 1;
        } else if attributes.contains("Max-Age=0") {
            self.cookies.remove(name);
        } else {
            let cookie = Cookie {
                value: value.to_owned(),
                attributes: attributes.to_owned(),
            };
            self.cookies.insert(name.to_owned(), cookie);
        }
    }
}

impl Cookie {
    /// Whether a request that another site caused carries it: with `SameSite=Lax` a link or a redirect
    /// does and a form does not.
    fn crosses_sites(&self, method: &Method) -> bool {
        self.attributes.contains("SameSite=None")
            || self.attributes.contains("SameSite=Lax") && *method == Method::GET
    }
}

/// Where a response sends the browser.
pub fn location(response: &Response<Bytes>) -> Url {
    let location = response
        .headers()
        .get(header::LOCATION)
        .expect("a redirect");
    let base = Url::parse(BASE_URL).expect("a literal");
    base.join(location.to_str().expect("a URL is ASCII"))
        .expect("a location is a URL")
}
