//! One round trip, described and interpreted, never performed; and jobs made of several.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, header};
use serde_json::{Map, Value};

use crate::{
    error::{Endpoint, Error, ResponseError, Unavailable},
    json, oauth,
    time::UnixTime,
};

/// The largest response body that the core reads, in bytes. An [HTTP client](crate#http) should stop
/// reading there; a longer body is refused in any case.
pub const MAX_BODY: usize = 1024 * 1024;

/// One protocol step: an HTTP request and what its answer means.
///
/// [`request`](Self::request) is pure and gives the same bytes every time. [`accept`](Self::accept)
/// consumes the exchange, so that an answer is interpreted once. Send the request as it is: no
/// redirects followed, no headers added that carry credentials.
pub trait Exchange {
    /// Where the request goes, as errors, logs and limits name it.
    const ENDPOINT: Endpoint;

    /// What a good answer gives.
    type Output;

    /// The request to send.
    fn request(&self) -> Request<Bytes>;

    /// Interprets the answer, received at `now`.
    ///
    /// # Errors
    /// [`Error::Server`] for an OAuth error, [`Error::Unavailable`] for trouble that passes,
    /// [`Error::Response`] for an answer that breaks the protocol, [`Error::Token`] for a bad token.
    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<Self::Output, Error>;
}

/// A job of one to three round trips that are chosen while it runs.
///
/// Call [`poll`](Self::poll); send what it asks for and give the answer to [`handle`](Self::handle);
/// poll again, until it is done:
///
/// ```
/// # use logto_core::{Machine, Step, UnixTime};
/// fn drive<M: Machine>(
///     mut machine: M,
///     now: UnixTime,
///     send: impl Fn(http::Request<bytes::Bytes>) -> http::Response<bytes::Bytes>,
/// ) -> M::Output {
///     loop {
///         match machine.poll(now) {
///             Step::Send { request, .. } => machine.handle(send(request), now),
///             Step::Done(output) => return output,
///         }
///     }
/// }
/// ```
pub trait Machine {
    /// What the job ends with.
    type Output;

    /// What has to happen next. Polling again without an answer gives the same request again;
    /// polling after [`Step::Done`] is an error of the caller and gives an error as output.
    fn poll(&mut self, now: UnixTime) -> Step<Self::Output>;

    /// The answer to the request of the last [`Step::Send`], received at `now`.
    fn handle(&mut self, response: Response<Bytes>, now: UnixTime);
}

/// What a [`Machine`] needs next. `Debug` shows method and address of a request, not what it carries.
#[allow(
    clippy::large_enum_variant,
    reason = "a step lives for one turn of a loop"
)]
pub enum Step<T> {
    /// Send this request and hand its response to [`Machine::handle`].
    Send {
        /// Where the request goes. [`Endpoint::only_reads`] says whether it may be sent again when
        /// its response was lost.
        endpoint: Endpoint,
        /// The request.
        request: Request<Bytes>,
    },
    /// The job has ended.
    Done(T),
}

impl<T> Step<T> {
    pub(crate) fn send<E: Exchange>(exchange: &E) -> Self {
        Self::Send {
            endpoint: E::ENDPOINT,
            request: exchange.request(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Step<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { request, .. } => {
                write!(f, "Send({} {})", request.method(), request.uri())
            }
            Self::Done(output) => f.debug_tuple("Done").field(output).finish(),
        }
    }
}

/// Reads a response of which the protocol demands success and a JSON object
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

/// Whether `body` is one JSON object, as every successful response of the token endpoint is. Anything
/// else under a successful status comes from a proxy, or was cut off on the way: it does not say what
/// the provider did with the request.
pub fn is_json_object(body: &[u8]) -> bool {
    json::parse_object(body).is_ok()
}

/// A duration as the protocol writes it: a number of seconds, not negative.
pub(crate) fn seconds(value: &Value) -> Option<Duration> {
    Duration::try_from_secs_f64(value.as_f64()?).ok()
}

/// Demands success and a JSON content type.
pub(crate) fn json_response(
    endpoint: Endpoint,
    response: &Response<Bytes>,
    now: UnixTime,
) -> Result<(), Error> {
    success(endpoint, response, now)?;
    if has_json_content_type(response.headers()) {
        return Ok(());
    }
    // A captive portal or a proxy's page, not the provider: this passes.
    Err(unavailable(endpoint, response, now).into())
}

/// Demands a 2xx status; turns anything else into the error that it stands for.
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
        let problem = "a redirect, which is not followed".to_owned();
        return Err(unusable(endpoint, response, problem).into());
    }
    let verdict = json::parse_object(response.body())
        .ok()
        .and_then(|object| oauth::server_error(endpoint, Some(status.as_u16()), &object))
        .or_else(|| oauth::bearer_error(endpoint, response));
    Err(match verdict {
        Some(error) => error.into(),
        None => unavailable(endpoint, response, now).into(),
    })
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
        retry_after: crate::retry_after::parse(response.headers(), now),
    }
}

/// `application/json` and its relatives, such as `application/jwk-set+json`.
fn has_json_content_type(headers: &HeaderMap) -> bool {
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
