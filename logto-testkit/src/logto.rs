//! The provider itself: requests in, responses out.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::{
    clock::Clock,
    context::{Addresses, Context, SignInMode, State},
    endpoints,
    faults::Reply,
    journal::RequestRecord,
    reply,
    request::{Incoming, Params},
};

/// A Logto that fits in a test.
///
/// It responds as Logto 1.42 does, with real signed tokens, but lives in memory: pass it a request, get a
/// response. Clones share the same provider.
///
/// Use it as the HTTP client of your application; a closure over [`Logto::handle`] is enough. The parts of a
/// sign-in that happen in a browser are [`Logto::sign_in`] and [`Browser`](crate::Browser).
#[derive(Clone)]
pub struct Logto(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) addresses: Addresses,
    pub(crate) clock: Clock,
    pub(crate) sign_in: SignInMode,
    pub(crate) state: Mutex<State>,
}

impl Logto {
    /// The endpoint to configure an application with, such as `http://localhost:3001`.
    pub fn endpoint(&self) -> &str {
        &self.0.addresses.base
    }

    /// The issuer: `<endpoint>/oidc`.
    pub fn issuer(&self) -> &str {
        &self.0.addresses.issuer
    }

    /// Responds to a request. Its URI may be absolute, or a path with a query. An absolute one for another
    /// host gets `421 Misdirected Request`, because no such request would reach this provider.
    ///
    /// If a scripted [`Fault`](crate::Fault) breaks the connection, the response is a `502 Bad Gateway`, and
    /// delays are left out: use [`Logto::exchange`] to see both.
    pub fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.exchange(request).result.unwrap_or_else(|_| {
            reply::text(
                StatusCode::BAD_GATEWAY,
                "the connection to the test provider broke",
            )
        })
    }

    /// Responds to a request as [`Logto::handle`] does, and returns what a network would do to the response:
    /// how late it comes, or how it was lost.
    pub fn exchange(&self, request: Request<Bytes>) -> Reply {
        let (parts, body) = request.into_parts();
        let Some(path) = self.path_of(&parts.uri) else {
            return Reply::from(reply::text(
                StatusCode::MISDIRECTED_REQUEST,
                "this request is for another host than the test provider's endpoint",
            ));
        };
        let incoming = Incoming {
            method: parts.method,
            path,
            query: Params::from_urlencoded(parts.uri.query().unwrap_or_default().as_bytes()),
            headers: parts.headers,
            body,
        };
        self.with(|cx| answer(cx, &incoming))
    }

    /// Works on the state, one caller at a time.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let mut state = self.state();
        work(&mut Context {
            addresses: &self.0.addresses,
            now: self.0.clock.now(),
            sign_in: &self.0.sign_in,
            state: &mut state,
        })
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The path below the endpoint, or `None` for another host.
    fn path_of(&self, uri: &http::Uri) -> Option<String> {
        let endpoint = &self.0.addresses.endpoint;
        if let Some(authority) = uri.authority() {
            let scheme = uri.scheme_str().unwrap_or_else(|| endpoint.scheme());
            let port = authority.port_u16().or(match scheme {
                "https" => Some(443),
                _ => Some(80),
            });
            let same = scheme == endpoint.scheme()
                && endpoint.host_str() == Some(authority.host())
                && endpoint.port_or_known_default() == port;
            if !same {
                return None;
            }
        }
        let prefix = endpoint.path().trim_end_matches('/');
        Some(
            uri.path()
                .strip_prefix(prefix)
                .unwrap_or_else(|| uri.path())
                .to_owned(),
        )
    }
}

fn answer(cx: &mut Context<'_>, request: &Incoming) -> Reply {
    let endpoint = endpoints::classify(&request.path);
    let mut record = RequestRecord::new(endpoint, request);
    let fault = cx.state.faults.next(endpoint);
    let mut commit = || endpoints::answer(cx, endpoint, request);
    let reply = match fault {
        None => Reply::from(commit()),
        Some(fault) => fault.apply(commit),
    };
    if let Ok(response) = &reply.result {
        record.answered(response.status());
    }
    cx.state.journal.push(record);
    reply
}

impl fmt::Debug for Logto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logto")
            .field("issuer", &self.issuer())
            .finish_non_exhaustive()
    }
}
