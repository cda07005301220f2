//! Bearer tokens at an API: reading one from a request, and the response if it is missing or invalid
//! ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)).

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::api_token::{self, ApiTokenError};

/// Why a request has no usable bearer token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerError {
    /// There is no token: 401.
    #[error("the request has no bearer token")]
    Missing,
    /// There is more than one `Authorization` header: 400.
    #[error("the request has more than one authorization header")]
    Several,
    /// What follows `Bearer` is not one token: 400.
    #[error("the bearer token is malformed")]
    Malformed,
}

/// The token of the `Authorization` header
/// ([RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
///
/// Ignores tokens in a body or a query: they end up in logs, and a form on any site can send them.
///
/// # Errors
/// [`BearerError`]. A header of another scheme counts as no bearer token.
pub fn token(headers: &HeaderMap) -> Result<&str, BearerError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(BearerError::Missing)?;
    if values.next().is_some() {
        return Err(BearerError::Several);
    }
    let value = value.to_str().map_err(|_| BearerError::Malformed)?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(BearerError::Missing);
    }
    let token = token.trim_matches(' ');
    if is_b64token(token) {
        Ok(token)
    } else {
        Err(BearerError::Malformed)
    }
}

/// `b64token` of RFC 6750 section 2.1.
fn is_b64token(token: &str) -> bool {
    let token = token.trim_end_matches('=');
    !token.is_empty()
        && token
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte))
}

/// The response to a request without a valid token: a status and a `WWW-Authenticate` header
/// ([RFC 6750 section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3)).
///
/// Built from a [`BearerError`] or an [`ApiTokenError`]. A failure of the provider is not the caller's fault:
/// if its keys cannot be fetched or it does not respond, answer 503 instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    status: StatusCode,
    realm: Option<String>,
    error: Option<&'static str>,
    description: Option<String>,
    scope: Option<String>,
}

impl Challenge {
    fn new(status: StatusCode, error: Option<&'static str>, description: Option<String>) -> Self {
        Self {
            status,
            realm: None,
            error,
            description,
            scope: None,
        }
    }

    /// The protected area, for people to read.
    #[must_use]
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// 400, 401 or 403.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The OAuth error code; `None` if the request had no token.
    pub fn error(&self) -> Option<&'static str> {
        self.error
    }

    /// The value of the `WWW-Authenticate` header. Characters that RFC 6750 does not allow are left out, so
    /// that no text can end a parameter or the header.
    fn header_value(&self) -> HeaderValue {
        let parameters: Vec<String> = [
            ("realm", self.realm.as_deref()),
            ("error", self.error),
            ("error_description", self.description.as_deref()),
            ("scope", self.scope.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name}=\"{}\"", admitted(value?))))
        .collect();
        let value = match parameters.as_slice() {
            [] => "Bearer".to_owned(),
            parameters => format!("Bearer {}", parameters.join(", ")),
        };
        HeaderValue::from_str(&value).unwrap_or(HeaderValue::from_static("Bearer"))
    }

    /// The whole response. The body is empty.
    pub fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::WWW_AUTHENTICATE, self.header_value());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// The characters that are allowed in a quoted string: printable ASCII without quote and backslash.
fn admitted(text: &str) -> String {
    text.chars()
        .filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\'))
        .collect()
}

impl From<BearerError> for Challenge {
    fn from(error: BearerError) -> Self {
        match error {
            BearerError::Missing => Self::new(StatusCode::UNAUTHORIZED, None, None),
            BearerError::Several | BearerError::Malformed => Self::new(
                StatusCode::BAD_REQUEST,
                Some("invalid_request"),
                Some(error.to_string()),
            ),
        }
    }
}

impl From<&ApiTokenError> for Challenge {
    fn from(error: &ApiTokenError) -> Self {
        let code = match error {
            ApiTokenError::Token(_) => "invalid_token",
            ApiTokenError::Organization | ApiTokenError::InsufficientScope { .. } => {
                "insufficient_scope"
            }
        };
        let mut challenge = Self::new(error.status(), Some(code), Some(error.to_string()));
        if let ApiTokenError::InsufficientScope { required } = error {
            challenge.scope = Some(api_token::scope(required));
        }
        challenge
    }
}

impl From<ApiTokenError> for Challenge {
    fn from(error: ApiTokenError) -> Self {
        Self::from(&error)
    }
}
