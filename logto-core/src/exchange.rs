//! One round trip, described and interpreted, never performed; and jobs made of several.

mod request;
mod response;

use std::fmt;

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
    error::{Endpoint, Error},
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

    /// Whether the request may be sent again when there was no answer. What only reads may; a request that
    /// spends a code or a token may not: the provider takes a second one for theft and ends the grant.
    const IS_REPEATABLE: bool = Self::ENDPOINT.only_reads();

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
