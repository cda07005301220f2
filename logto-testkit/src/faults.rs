//! Scripted faults.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use crate::{journal::Endpoint, reply};

/// A fault of one exchange.
///
/// To *commit* is to process the request: to consume the code, to rotate the refresh token. A client that
/// gets no response cannot know whether that happened.
#[derive(Clone)]
#[non_exhaustive]
pub enum Fault {
    /// Committed at once; the response comes that much later.
    Delay(Duration),
    /// Committed; the body of the response comes at this many bytes per second.
    Drip(NonZeroU32),
    /// The connection breaks before the request is processed.
    ResetBeforeCommit,
    /// The request is processed, then the connection breaks: the response is lost.
    ResetAfterCommit,
    /// Not committed: this response comes from a proxy or a load balancer.
    Instead(Response<Bytes>),
    /// Committed; the client gets this response instead of Logto's.
    InsteadAfterCommit(Response<Bytes>),
    /// Committed; the response claims to be `text/html`.
    WrongType,
    /// Committed; half of the body, with the `Content-Length` of the whole.
    Truncated,
    /// Committed; the body is padded with spaces, which JSON allows, to this many bytes.
    Oversized(usize),
    /// Committed; as `Oversized`, but compressed to a thousandth with `Content-Encoding: gzip`.
    #[cfg(feature = "listen")]
    GzipBomb(usize),
    /// Committed; the function changes the body. The function must not call the provider.
    Body(Arc<dyn Fn(Bytes) -> Bytes + Send + Sync>),
}

impl Fault {
    /// An error page of a proxy: this status, `text/html`, not committed.
    pub fn status(status: StatusCode) -> Self {
        Self::Instead(reply::with_type(
            status,
            reply::HTML,
            "<h1>It is not your fault</h1>",
        ))
    }

    /// As [`Fault::status`], with a `Retry-After` header; a value that no header can have is left out.
    pub fn retry_after(status: StatusCode, retry_after: &str) -> Self {
        let mut response = reply::with_type(status, reply::HTML, "<h1>It is not your fault</h1>");
        if let Ok(value) = HeaderValue::try_from(retry_after) {
            response
                .headers_mut()
                .insert(http::header::RETRY_AFTER, value);
        }
        Self::Instead(response)
    }

    /// A change of the body's text, committed.
    pub fn edit(change: impl Fn(String) -> String + Send + Sync + 'static) -> Self {
        Self::Body(Arc::new(move |body| {
            change(String::from_utf8_lossy(&body).into_owned()).into()
        }))
    }

    pub(crate) fn apply(self, commit: impl FnOnce() -> Response<Bytes>) -> Reply {
        match self {
            Self::Delay(delay) => Reply {
                delay,
                ..Reply::from(commit())
            },
            Self::Drip(rate) => Reply {
                bytes_per_second: Some(rate),
                ..Reply::from(commit())
            },
            Self::ResetBeforeCommit => Reply::lost(Lost::BeforeCommit),
            Self::ResetAfterCommit => {
                commit();
                Reply::lost(Lost::AfterCommit)
            }
            Self::Instead(response) => Reply::from(response),
            Self::InsteadAfterCommit(response) => {
                commit();
                Reply::from(response)
            }
            Self::WrongType => Reply::from(wrong_type(commit())),
            Self::Truncated => Reply::from(truncated(commit())),
            Self::Oversized(size) => Reply::from(commit().map(|body| padded(&body, size))),
            #[cfg(feature = "listen")]
            Self::GzipBomb(size) => Reply::from(bomb(commit(), size)),
            Self::Body(change) => Reply::from(commit().map(|body| change(body))),
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay(delay) => f.debug_tuple("Delay").field(delay).finish(),
            Self::Drip(rate) => f.debug_tuple("Drip").field(rate).finish(),
            Self::ResetBeforeCommit => f.write_str("ResetBeforeCommit"),
            Self::ResetAfterCommit => f.write_str("ResetAfterCommit"),
            Self::Instead(response) => f.debug_tuple("Instead").field(&response.status()).finish(),
            Self::InsteadAfterCommit(response) => f
                .debug_tuple("InsteadAfterCommit")
                .field(&response.status())
                .finish(),
            Self::WrongType => f.write_str("WrongType"),
            Self::Truncated => f.write_str("Truncated"),
            Self::Oversized(size) => f.debug_tuple("Oversized").field(size).finish(),
            #[cfg(feature = "listen")]
            Self::GzipBomb(size) => f.debug_tuple("GzipBomb").field(size).finish(),
            Self::Body(_) => f.write_str("Body"),
        }
    }
}

/// The result of [`Logto::exchange`](crate::Logto::exchange).
///
/// The test provider does not sleep: the caller waits for the delay, by the clock of the test.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reply {
    /// The delay before the response begins.
    pub delay: Duration,
    /// The speed of the body; `None` is at once.
    pub bytes_per_second: Option<NonZeroU32>,
    /// The response, or how it was lost.
    pub result: Result<Response<Bytes>, Lost>,
}

/// The connection broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Lost {
    /// The provider did not process the request.
    #[error("the connection broke before the request was processed")]
    BeforeCommit,
    /// The provider processed the request before.
    #[error("the connection broke after the request was processed")]
    AfterCommit,
}

impl Reply {
    /// The time until the whole response has arrived.
    pub fn total_delay(&self) -> Duration {
        let body = match (&self.result, self.bytes_per_second) {
            (Ok(response), Some(rate)) => {
                let size = u32::try_from(response.body().len()).unwrap_or(u32::MAX);
                Duration::from_secs(1) * size / rate.get()
            }
            _ => Duration::ZERO,
        };
        self.delay.saturating_add(body)
    }

    fn lost(lost: Lost) -> Self {
        Self {
            delay: Duration::ZERO,
            bytes_per_second: None,
            result: Err(lost),
        }
    }
}

impl From<Response<Bytes>> for Reply {
    fn from(response: Response<Bytes>) -> Self {
        Self {
            delay: Duration::ZERO,
            bytes_per_second: None,
            result: Ok(response),
        }
    }
}

/// The faults to come.
#[derive(Default)]
pub(crate) struct Faults {
    once: HashMap<Endpoint, VecDeque<Fault>>,
    lasting: HashMap<Endpoint, Fault>,
}

impl Faults {
    /// The next exchange without a scripted fault fails.
    pub(crate) fn once(&mut self, endpoint: Endpoint, fault: Fault) {
        self.once.entry(endpoint).or_default().push_back(fault);
    }

    /// Every exchange fails.
    pub(crate) fn always(&mut self, endpoint: Endpoint, fault: Fault) {
        self.lasting.insert(endpoint, fault);
    }

    pub(crate) fn clear(&mut self, endpoint: Endpoint) {
        self.once.remove(&endpoint);
        self.lasting.remove(&endpoint);
    }

    pub(crate) fn next(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let once = self.once.get_mut(&endpoint).and_then(VecDeque::pop_front);
        once.or_else(|| self.lasting.get(&endpoint).cloned())
    }
}

fn wrong_type(mut response: Response<Bytes>) -> Response<Bytes> {
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(reply::HTML));
    response
}

fn truncated(mut response: Response<Bytes>) -> Response<Bytes> {
    let length = response.body().len();
    response
        .headers_mut()
        .insert(CONTENT_LENGTH, HeaderValue::from(length));
    response.map(|mut body| body.split_to(length / 2))
}

fn padded(body: &[u8], size: usize) -> Bytes {
    let mut padded = body.to_vec();
    padded.resize(size.max(body.len()), b' ');
    padded.into()
}

#[cfg(feature = "listen")]
fn bomb(mut response: Response<Bytes>, size: usize) -> Response<Bytes> {
    use std::io::Write as _;

    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let padding = vec![b' '; 64 * 1024];
    let mut left = size.saturating_sub(response.body().len());
    let mut written = gzip.write_all(response.body());
    while left > 0 && written.is_ok() {
        let piece = padding.get(..left).unwrap_or(&padding);
        written = gzip.write_all(piece);
        left -= piece.len();
    }
    // Writing to memory does not fail.
    let body = written.and_then(|()| gzip.finish()).unwrap_or_default();
    let gzip = HeaderValue::from_static("gzip");
    response
        .headers_mut()
        .insert(http::header::CONTENT_ENCODING, gzip);
    response.map(|_| body.into())
}
