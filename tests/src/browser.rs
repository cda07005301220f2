//! A browser as the engine needs one: cookies, redirects, and forms that submit themselves.

use std::sync::{Mutex, PoisonError};

use http::{Method, header};
use url::{Origin, Url, form_urlencoded};

const MAX_REDIRECTS: usize = 20;

/// One user's browser at one provider. It keeps the provider's cookies, so that a second sign-in finds
/// the session of the first.
#[derive(Debug)]
pub struct Browser {
    http: reqwest::Client,
    provider: Origin,
    cookies: Mutex<Vec<Cookie>>,
}

/// Where a visit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VisitOutcome {
    /// The provider redirected to another origin, which was not visited.
    Redirect(Url),
    /// The provider's page posts this form to another origin; it was not sent.
    FormPost(Form),
    /// A page of the provider on which a human would have to do something, or nothing is left to do.
    Page {
        /// The address of the page.
        url: Url,
        /// The HTTP status it came with.
        status: u16,
        /// Its text.
        body: String,
    },
}

impl VisitOutcome {
    /// A query parameter of the URL that the browser was redirected to.
    pub fn redirect_parameter(&self, name: &str) -> Option<String> {
        let Self::Redirect(url) = self else {
            return None;
        };
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// A form of a page, with the fields that nobody has to type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// Where it goes, with POST.
    pub action: Url,
    /// Its hidden fields.
    pub fields: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    path: String,
}

impl Browser {
    /// A browser without cookies for the provider at `issuer`.
    pub fn new(issuer: &Url) -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("a plain HTTP client can be built");
        Self {
            http,
            provider: issuer.origin(),
            cookies: Mutex::default(),
        }
    }

    /// Opens `url` and goes wherever the provider leads, through redirects and forms without a field to
    /// fill in, until it leads away or a human would have to act.
    pub async fn open(&self, url: Url) -> VisitOutcome {
        let mut next = (Method::GET, url, Vec::new());
        for _ in 0..MAX_REDIRECTS {
            let (method, url, fields) = next;
            let response = self.send(method, url.clone(), &fields).await;
            if let Some(location) = location(&response, &url) {
                if location.origin() != self.provider {
                    return VisitOutcome::Redirect(location);
                }
                next = (Method::GET, location, Vec::new());
                continue;
            }
            let status = response.status().as_u16();
            let body = response.text().await.expect("the provider's page is text");
            match Form::find(&body, &url) {
                Some(form) if form.action.origin() != self.provider => {
                    return VisitOutcome::FormPost(form);
                }
                Some(form) => next = (Method::POST, form.action, form.fields),
                None => return VisitOutcome::Page { url, status, body },
            }
        }
        panic!("more than {MAX_REDIRECTS} redirects");
    }

    async fn send(
        &self,
        method: Method,
        url: Url,
        fields: &[(String, String)],
    ) -> reqwest::Response {
        let mut request = self
            .http
            .request(method.clone(), url.clone())
            .header(header::ACCEPT, "text/html")
            .header(header::COOKIE, self.cookie_header(&url));
        if method == Method::POST {
            let body = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(fields)
                .finish();
            request = request
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(body);
        }
        let response = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{url}: {error}"));
        self.keep_cookies(&response);
        response
    }

    fn cookie_header(&self, url: &Url) -> String {
        let cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        let sent: Vec<String> = cookies
            .iter()
            .filter(|cookie| url.path().starts_with(&cookie.path))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        sent.join("; ")
    }

    fn keep_cookies(&self, response: &reqwest::Response) {
        let mut cookies = self.cookies.lock().unwrap_or_else(PoisonError::into_inner);
        for set_cookie in response.headers().get_all(header::SET_COOKIE) {
            let Some(new) = set_cookie.to_str().ok().and_then(Cookie::parse) else {
                continue;
            };
            cookies.retain(|old| (&old.name, &old.path) != (&new.name, &new.path));
            if !new.value.is_empty() {
                cookies.push(new);
            }
        }
    }
}

impl Cookie {
    /// Reads what oidc-provider writes: `path` always, and no value when the cookie shall go.
    fn parse(set_cookie: &str) -> Option<Self> {
        let mut parts = set_cookie.split("; ");
        let (name, value) = parts.next()?.split_once('=')?;
        let path = parts.find_map(|part| part.strip_prefix("path="))?;
        Some(Self {
            name: name.to_owned(),
            value: value.to_owned(),
            path: path.to_owned(),
        })
    }
}

impl Form {
    /// The page's form, unless it has a field that a human has to fill in.
    fn find(page: &str, url: &Url) -> Option<Self> {
        let (_, form) = page.split_once("<form")?;
        let action = url.join(&attribute(form, "action")?).ok()?;
        let mut fields = Vec::new();
        for input in form.split("<input").skip(1) {
            if attribute(input, "type").as_deref() != Some("hidden") {
                return None;
            }
            fields.push((attribute(input, "name")?, attribute(input, "value")?));
        }
        Some(Self { action, fields })
    }
}

/// The value of an attribute of the tag that `html` begins in.
fn attribute(html: &str, name: &str) -> Option<String> {
    let tag = html.split('>').next()?;
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    let value = value.split('"').next()?;
    Some(
        value
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&"),
    )
}

fn location(response: &reqwest::Response, base: &Url) -> Option<Url> {
    let location = response.headers().get(header::LOCATION)?.to_str().ok()?;
    base.join(location).ok()
}
