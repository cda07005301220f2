//! A browser without a window: cookies, and no redirect followed by itself.

use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use reqwest::redirect;
use serde_json::Value;
use url::Url;

use super::Failed;

/// Sends requests to the application as one browser does.
#[derive(Debug)]
pub(super) struct Browser {
    base: Url,
    http: reqwest::Client,
}

/// An answer of the application.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) location: Option<Url>,
    pub(super) text: String,
}

impl Browser {
    /// A browser that has no cookie yet.
    pub(super) fn new(base: &Url) -> Result<Self, Failed> {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(redirect::Policy::none())
            .build()?;
        Ok(Self {
            base: base.clone(),
            http,
        })
    }

    pub(super) async fn get(&self, path: &str) -> Result<Answer, Failed> {
        self.send(Method::GET, path, "same-origin").await
    }

    pub(super) async fn post(&self, path: &str) -> Result<Answer, Failed> {
        self.send(Method::POST, path, "same-origin").await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Answer, Failed> {
        self.send(Method::DELETE, path, "same-origin").await
    }

    /// A request that the page of another site has caused.
    pub(super) async fn get_from_elsewhere(&self, path: &str) -> Result<Answer, Failed> {
        self.send(Method::GET, path, "cross-site").await
    }

    /// A form from a server: without cookies.
    pub(super) async fn post_form(
        &self,
        url: &str,
        form: impl Into<String>,
    ) -> Result<Answer, Failed> {
        let response = reqwest::Client::new()
            .post(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.into())
            .send()
            .await?;
        Ok(Answer {
            status: response.status(),
            location: None,
            text: response.text().await?,
        })
    }

    /// What a person sees who goes there.
    pub(super) async fn page(&self, path: &str) -> Result<Answer, Failed> {
        self.ask(Method::GET, path, "same-origin", "text/html")
            .await
    }

    async fn send(&self, method: Method, path: &str, site: &str) -> Result<Answer, Failed> {
        self.ask(method, path, site, "*/*").await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        site: &str,
        accept: &str,
    ) -> Result<Answer, Failed> {
        let url = self.base.join(path)?;
        let request = self
            .http
            .request(method, url.clone())
            .header(header::ACCEPT, accept)
            .header("sec-fetch-site", site);
        let response = request.send().await?;
        let headers = response.headers().clone();
        let location = response.headers().get(header::LOCATION);
        let location = location
            .and_then(|location| location.to_str().ok())
            .map(str::to_owned);
        let answer = Answer {
            status: response.status(),
            location: location.map(|location| url.join(&location)).transpose()?,
            text: response.text().await?,
        };
        is_hardened(&headers, &answer.text).map_err(|missing| format!("{path}: {missing}"))?;
        Ok(answer)
    }
}

/// What holds for every response of the application.
fn is_hardened(headers: &HeaderMap, text: &str) -> Result<(), String> {
    let has = |name: HeaderName, part: &str| {
        let value = headers.get(&name).and_then(|value| value.to_str().ok());
        match value {
            Some(value) if value.contains(part) => Ok(()),
            found => Err(format!("{name} is {found:?} without {part}")),
        }
    };
    has(header::X_CONTENT_TYPE_OPTIONS, "nosniff")?;
    has(header::REFERRER_POLICY, "-")?;
    if text.contains("<html") {
        has(header::CONTENT_SECURITY_POLICY, "default-src 'none'")?;
        has(header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'")?;
    }
    if ["access_token", "sub", "Hello"]
        .iter()
        .any(|word| text.contains(word))
    {
        has(header::CACHE_CONTROL, "no-store")?;
    }
    Ok(())
}

impl Answer {
    /// The body, demanded to be JSON and to come with this status.
    pub(super) fn json(&self, status: StatusCode) -> Result<Value, Failed> {
        if self.status != status {
            return Err(format!("{} instead of {status}: {}", self.status, self.text).into());
        }
        Ok(serde_json::from_str(&self.text)?)
    }

    /// Where the browser is sent.
    pub(super) fn redirect(self) -> Result<Url, Failed> {
        match self.location {
            Some(location) if self.status == StatusCode::SEE_OTHER => Ok(location),
            _ => Err(format!("{} instead of a redirect: {}", self.status, self.text).into()),
        }
    }

    /// Demands an error object with this status and code.
    pub(super) fn refusal(&self, status: StatusCode, code: &str) -> Result<(), Failed> {
        super::same(&self.json(status)?["error"], &Value::from(code))
    }
}
