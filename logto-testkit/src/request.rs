//! The request as the endpoints see it: a path below the endpoint, parameters, cookies.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderMap, Method,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE},
};
use url::form_urlencoded;

use crate::error::{OAuthError, Outcome};

/// Decoded parameters in their order; one with an empty value counts as absent, as in Logto.
#[derive(Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn from_urlencoded(encoded: &[u8]) -> Self {
        form_urlencoded::parse(encoded).into_owned().collect()
    }

    pub(crate) fn extend(&mut self, more: Self) {
        self.0.extend(more.0);
    }

    pub(crate) fn push(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// The first value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    pub(crate) fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn required(&self, name: &str) -> Outcome<&str> {
        self.get(name)
            .ok_or_else(|| OAuthError::missing_parameter(name))
    }

    /// The space-separated words of a parameter.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        let value = self.get(name).unwrap_or_default();
        value
            .split(' ')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Refuses a parameter that came twice; `resource` may.
    pub(crate) fn reject_duplicates(&self) -> Outcome<()> {
        match self.duplicate() {
            None => Ok(()),
            Some(name) => Err(OAuthError::invalid_request(format!(
                "'{name}' parameter must not be provided twice"
            ))),
        }
    }

    pub(crate) fn duplicate(&self) -> Option<&str> {
        self.0
            .iter()
            .map(|(name, _)| name.as_str())
            .find(|name| *name != "resource" && self.all(name).nth(1).is_some())
    }
}

impl FromIterator<(String, String)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(
            pairs
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }
}

pub(crate) struct Incoming {
    pub(crate) method: Method,
    /// Below the provider's endpoint: `/oidc/token`.
    pub(crate) path: String,
    pub(crate) query: Params,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Incoming {
    /// The body's parameters. Logto reads JSON as well as the form that the standards ask for.
    pub(crate) fn form(&self) -> Outcome<Params> {
        let content_type = self.header(CONTENT_TYPE).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim();
        if self.body.contains(&0) {
            return Err(OAuthError::invalid_request("NUL bytes are not allowed"));
        }
        if media_type.eq_ignore_ascii_case("application/json") {
            return json_params(&self.body)
                .ok_or_else(|| OAuthError::invalid_request("failed to parse the request body"));
        }
        if media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
            || self.body.is_empty()
        {
            return Ok(Params::from_urlencoded(&self.body));
        }
        Err(OAuthError::invalid_request(format!(
            "only application/x-www-form-urlencoded content-type bodies are supported on {} {}",
            self.method, self.path
        )))
    }

    pub(crate) fn header(&self, name: http::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header(AUTHORIZATION)?.split_once(' ')?;
        scheme
            .eq_ignore_ascii_case("Bearer")
            .then_some(token.trim())
    }

    /// The `client-id:secret` of HTTP Basic, still encoded as the client sent it; an error when the
    /// header is there but is no such thing.
    pub(crate) fn basic(&self) -> Option<Result<(String, String), ()>> {
        let (scheme, credentials) = self.header(AUTHORIZATION)?.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("Basic") {
            return None;
        }
        let decoded = STANDARD.decode(credentials.trim()).ok();
        let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let pair = text.as_deref().and_then(|text| text.split_once(':'));
        Some(
            pair.map(|(id, secret)| (id.to_owned(), secret.to_owned()))
                .ok_or(()),
        )
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self
            .headers
            .get_all(COOKIE)
            .into_iter()
            .filter_map(|value| value.to_str().ok());
        cookies
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }
}

fn json_params(body: &[u8]) -> Option<Params> {
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
    let pairs = object.into_iter().filter_map(|(name, value)| match value {
        serde_json::Value::String(value) => Some((name, value)),
        _ => None,
    });
    Some(pairs.collect())
}
