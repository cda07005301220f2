//! A page in the browser.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, Method, Response, StatusCode, header};
use serde_json::Value;
use url::Url;

use super::html;

/// With this a page submits its first form by itself, as `response_mode=form_post` and a sign-out do.
const SUBMITS_ITSELF: &str = "document.forms[0].submit()";

/// A response, and where it came from.
#[derive(Clone, Debug)]
pub struct Page {
    url: Url,
    response: Response<Bytes>,
}

/// A form of a page, with its current values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// The address of the page.
    pub(super) page: Url,
    action: Url,
    method: Method,
    fields: Vec<(String, String)>,
}

impl Page {
    pub(super) fn new(url: Url, response: Response<Bytes>) -> Self {
        Self { url, response }
    }

    /// Its address.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The headers of the response.
    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The body as text.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.response.body())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn json(&self) -> Result<Value, serde_json::Error> {
        serde_json::from_slice(self.response.body())
    }

    /// Where a redirect leads.
    pub fn location(&self) -> Option<Url> {
        if !self.status().is_redirection() {
            return None;
        }
        let location = self.headers().get(header::LOCATION)?;
        let location = std::str::from_utf8(location.as_bytes()).ok()?;
        self.url.join(location).ok()
    }

    /// The forms, in the order of the page.
    pub fn forms(&self) -> Vec<Form> {
        let forms = html::forms(&self.text()).into_iter();
        let forms = forms.filter_map(|form| {
            let action = form.action.as_deref().unwrap_or_default();
            Some(Form {
                page: self.url.clone(),
                action: self.url.join(action).ok()?,
                method: form.method,
                fields: form.fields,
            })
        });
        forms.collect()
    }

    /// The first form that has a field of this name.
    pub fn form_with(&self, field: &str) -> Option<Form> {
        let mut forms = self.forms().into_iter();
        forms.find(|form| form.fields.iter().any(|(name, _)| name == field))
    }

    pub(super) fn submits_itself(&self) -> bool {
        self.text().contains(SUBMITS_ITSELF)
    }
}

impl Form {
    /// A form that posts these fields to `action`, on the page `page`.
    pub fn post<'a>(
        page: Url,
        action: Url,
        fields: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let form = Self {
            page,
            action,
            method: Method::POST,
            fields: Vec::new(),
        };
        let fields = fields.into_iter();
        fields.fold(form, |form, (name, value)| form.fill(name, value))
    }

    /// Where it is sent.
    pub fn action(&self) -> &Url {
        &self.action
    }

    /// `GET` or `POST`.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The names and values of its fields.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// Fills a field in; one that the form does not have is added.
    #[must_use]
    pub fn fill(mut self, name: &str, value: &str) -> Self {
        match self.fields.iter_mut().find(|(known, _)| known == name) {
            Some(field) => value.clone_into(&mut field.1),
            None => self.fields.push((name.to_owned(), value.to_owned())),
        }
        self
    }
}
