//! The checks of every response of a provider.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};
use url::Url;

use super::MAX_BODY;
use crate::{
    error::{Endpoint, Error, OAuthErrorCode, ResponseError, ServerError, Unavailable, sanitized},
    json, retry_after,
    time::UnixTime,
};

/// Reads a response that must have a success status and a JSON object
/// ([RFC 6749 section 5](https://www.rfc-editor.org/rfc/rfc6749#section-5)).
pub(crate) fn json_object(
    endpoint: Endpoint,
    response: &Response<Bytes>,
    now: UnixTime,
) -> Result<Map<String, Value>, Error> {
    json_response(endpoint, response, now)?;
    json::parse_object(response.body())
        .map_err(|error| unusable(endpoint, response, error.to_string()).into())
}

/// A duration as the protocol writes it: a non-negative number of seconds. A string of digits is accepted
/// too: some servers write numbers as strings, and it cannot mean anything else. A value that is too large
/// becomes [`Duration::MAX`].
pub(crate) fn seconds(value: &Value) -> Option<Duration> {
    let seconds: f64 = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok()?
        }
        _ => return None,
    };
    (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// Requires a success status and a JSON content type.
pub(crate) fn json_response(
    endpoint: Endpoint,
    response: &Response<Bytes>,
    now: UnixTime,
) -> Result<(), Error> {
    success(endpoint, response, now)?;
    if has_json_content_type(response.headers()) {
        return Ok(());
    }
    // A page of a captive portal or a proxy instead of the provider's response: a temporary failure.
    Err(unavailable(endpoint, response, now).into())
}

/// Requires a 2xx status. Any other becomes the error that it stands for.
pub(crate) fn success(
    endpoint: Endpoint,
    response: &Response<Bytes>,
    now: UnixTime,
) -> Result<(), Error> {
    let status = response.status();
    let too_long = response.body().len() > MAX_BODY;
    if status.is_success() {
        let problem = || format!("longer than {MAX_BODY} bytes");
        return match too_long {
            true => Err(unusable(endpoint, response, problem()).into()),
            false => Ok(()),
        };
    }
    if too_long || status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(unavailable(endpoint, response, now).into());
    }
    if status.is_redirection() {
        let problem = redirect_problem(response.headers());
        return Err(unusable(endpoint, response, problem).into());
    }
    Err(match verdict(endpoint, response) {
        Some(error) => error.into(),
        None => unavailable(endpoint, response, now).into(),
    })
}

/// The error object of a response. Metadata and keys are public, so an error instead of them does not refuse a
/// request: it comes from something in between, or from a failing provider.
fn verdict(endpoint: Endpoint, response: &Response<Bytes>) -> Option<ServerError> {
    if matches!(endpoint, Endpoint::Discovery | Endpoint::Keys) {
        return None;
    }
    let status = Some(response.status().as_u16());
    json::parse_object(response.body())
        .ok()
        .and_then(|object| ServerError::from_members(endpoint, status, &object))
        .or_else(|| bearer_error(endpoint, response))
}

/// A successful response whose body cannot be used, and why.
pub(crate) fn unusable(
    endpoint: Endpoint,
    response: &Response<Bytes>,
    problem: impl Into<String>,
) -> ResponseError {
    ResponseError {
        endpoint,
        status: response.status().as_u16(),
        length: response.body().len(),
        problem: problem.into(),
    }
}

fn unavailable(endpoint: Endpoint, response: &Response<Bytes>, now: UnixTime) -> Unavailable {
    Unavailable {
        endpoint,
        status: response.status().as_u16(),
        retry_after: retry_after::parse(response.headers(), now),
    }
}

/// Describes the target of a redirect, by its origin only: path and query may contain secrets.
pub(crate) fn redirect_problem(headers: &HeaderMap) -> String {
    let location = headers.get(header::LOCATION).map(HeaderValue::to_str);
    let target = match location {
        None => "nowhere".to_owned(),
        Some(location) => match location.map(Url::parse) {
            Ok(Ok(url)) => sanitized(&url.origin().ascii_serialization(), 256),
            Ok(Err(url::ParseError::RelativeUrlWithoutBase)) => "another path".to_owned(),
            _ => "something that is not a URL".to_owned(),
        },
    };
    format!("a redirect, which is not followed, to {target}")
}

/// `application/json` and related types such as `application/jwk-set+json`.
pub(crate) fn has_json_content_type(headers: &HeaderMap) -> bool {
    let Some(value) = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The error of a `WWW-Authenticate: Bearer` challenge without a JSON body
/// ([RFC 6750 section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3)).
fn bearer_error(endpoint: Endpoint, response: &Response<Bytes>) -> Option<ServerError> {
    let challenge = response
        .headers()
        .get(header::WWW_AUTHENTICATE)?
        .to_str()
        .ok()?;
    let parameter = |name: &str| {
        let (_, rest) = challenge.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value)
    };
    Some(ServerError {
        endpoint,
        status: Some(response.status().as_u16()),
        error: OAuthErrorCode::from(parameter("error").filter(|error| !error.is_empty())?),
        description: parameter("error_description").map(|text| sanitized(text, 2048)),
        uri: None,
        logto_code: None,
        message: None,
    })
}
