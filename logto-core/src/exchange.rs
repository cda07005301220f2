//! Single round trips, described and interpreted but never performed, and jobs made of several.

mod request;
mod response;

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Request, Response};

pub(crate) use self::{
    request::{get, get_with_token, post_form, sensitive},
    response::{
        has_json_content_type, json_object, json_response, redirect_problem, seconds, success,
        unusable,
    },
};
use crate::{
    error::{Endpoint, Error, NoResponse},
    time::UnixTime,
};

/// The largest response body that the core reads, in bytes. An [HTTP client](crate#http) should stop reading
/// there; the core refuses a longer body.
pub const MAX_BODY: usize = 1024 * 1024;

/// One protocol step: an HTTP request, and what its response means.
///
/// [`request`](Self::request) is pure and returns the same bytes every time. [`accept`](Self::accept)
/// consumes the exchange, so that a response is interpreted once. Send the request unchanged: follow no
/// redirects, add no headers that carry credentials.
pub trait Exchange {
    /// The endpoint that the request goes to, as named in errors, logs and limits.
    const ENDPOINT: Endpoint;

    /// Whether the request can be sent again if there was no response. Requests that only read can. A request
    /// that spends a code or a token cannot: the provider treats the second one as theft and ends the grant.
    const IS_REPEATABLE: bool = Self::ENDPOINT.only_reads();

    /// What a successful response contains.
    type Output;

    /// The request to send.
    fn request(&self) -> Request<Bytes>;

    /// Interprets the response that was received at `now`.
    ///
    /// # Errors
    /// [`Error::Server`] for an OAuth error, [`Error::Unavailable`] for a temporary failure,
    /// [`Error::Response`] for a response that violates the protocol, [`Error::Token`] for an invalid token.
    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<Self::Output, Error>;
}

/// A job of a few round trips, chosen while it runs.
///
/// Call [`poll`](Self::poll), send the request that it returns, pass the response to
/// [`handle`](Self::handle), or its absence to [`handle_failure`](Self::handle_failure), and poll again until
/// the job is done:
///
/// ```
/// # use std::{thread, time::SystemTime};
/// # use logto_core::{Machine, Step, UnixTime, error::NoResponse};
/// fn drive<M: Machine>(
///     mut machine: M,
///     now: impl Fn() -> UnixTime,
///     send: impl Fn(http::Request<bytes::Bytes>) -> Result<http::Response<bytes::Bytes>, NoResponse>,
/// ) -> M::Output {
///     loop {
///         match machine.poll(now()) {
///             Step::Send { request, .. } => match send(request) {
///                 Ok(response) => machine.handle(response, now()),
///                 Err(failure) => machine.handle_failure(failure, now()),
///             },
///             Step::Wait(pause) => thread::sleep(pause),
///             Step::Done(output) => return output,
///         }
///     }
/// }
/// ```
///
/// The machine decides which requests are sent again. Its caller repeats none, except repeatable ones that have
/// no response.
pub trait Machine {
    /// The result of the job.
    type Output;

    /// The next step. Polling again without a response returns the same request. Polling after [`Step::Done`]
    /// is an error of the caller and returns an error as output.
    fn poll(&mut self, now: UnixTime) -> Step<Self::Output>;

    /// Takes the response to the request of the last [`Step::Send`], received at `now`.
    fn handle(&mut self, response: Response<Bytes>, now: UnixTime);

    /// Reports at `now` that the request of the last [`Step::Send`] has no response.
    fn handle_failure(&mut self, failure: NoResponse, now: UnixTime);
}

/// What a [`Machine`] needs next. `Debug` shows the method and URL of a request, not its content.
#[allow(
    clippy::large_enum_variant,
    reason = "a step lives for one iteration of a loop"
)]
pub enum Step<T> {
    /// Send this request and pass its response to [`Machine::handle`].
    Send {
        /// The endpoint of the request.
        endpoint: Endpoint,
        /// The request.
        request: Request<Bytes>,
        /// Whether it may be sent again if there is no response; see [`Exchange::IS_REPEATABLE`].
        is_repeatable: bool,
    },
    /// Wait this long, then poll again.
    Wait(Duration),
    /// The job has ended.
    Done(T),
}

impl<T> Step<T> {
    pub(crate) fn send<E: Exchange>(exchange: &E) -> Self {
        Self::Send {
            endpoint: E::ENDPOINT,
            request: exchange.request(),
            is_repeatable: E::IS_REPEATABLE,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Step<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { request, .. } => {
                write!(f, "Send({} {})", request.method(), request.uri())
            }
            Self::Wait(pause) => f.debug_tuple("Wait").field(pause).finish(),
            Self::Done(output) => f.debug_tuple("Done").field(output).finish(),
        }
    }
}
