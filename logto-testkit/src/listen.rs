//! The provider on a loopback port, over real sockets.

mod body;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::CONTENT_LENGTH};
use http_body_util::{BodyExt as _, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use self::body::ScriptedBody;
use crate::{
    builder::{BuildError, LogtoBuilder},
    error::OAuthError,
    faults::{Lost, Reply},
    logto::Logto,
};

/// The longest request body that Logto reads.
const MAX_BODY: usize = 56 * 1024;

/// A provider that listens on a loopback port until this is dropped.
#[derive(Debug)]
pub struct Server {
    logto: Logto,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

/// The provider cannot listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The port is not available.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Bind {
        /// The port that was asked for.
        port: u16,
        /// The system's reason.
        source: io::Error,
    },
    /// The tenant is invalid.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl LogtoBuilder {
    /// The provider on a port of 127.0.0.1; port 0 takes a free one. Without
    /// [`endpoint`](LogtoBuilder::endpoint) the endpoint is the address that it listens on.
    ///
    /// Must be called in a Tokio runtime with I/O and time.
    ///
    /// # Errors
    ///
    /// The port is in use, or the tenant is invalid.
    ///
    /// ```
    /// # async fn example() -> Result<(), logto_testkit::ListenError> {
    /// let server = logto_testkit::Logto::demo().listen(0).await?;
    /// println!("configure your app with {}", server.logto().endpoint());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn listen(mut self, port: u16) -> Result<Server, ListenError> {
        let bind = |source| ListenError::Bind { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        self.endpoint
            .get_or_insert_with(|| format!("http://{address}"));
        let logto = self.build()?;
        let accepting = tokio::spawn(accept(listener, logto.clone()));
        Ok(Server {
            logto,
            address,
            accepting,
        })
    }
}

impl Server {
    /// The provider that listens.
    pub fn logto(&self) -> &Logto {
        &self.logto
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Serves every connection until aborted; the connections end with it.
async fn accept(listener: TcpListener, logto: Logto) {
    let mut connections = JoinSet::new();
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream, logto.clone()));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, logto: Logto) {
    let service = service_fn(|request| answer(&logto, request));
    // A connection that breaks is the client's business.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(logto: &Logto, request: Request<Incoming>) -> Result<Response<ScriptedBody>, Lost> {
    let (parts, body) = request.into_parts();
    let reply = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => logto.exchange(Request::from_parts(parts, body.to_bytes())),
        Err(_) => Reply::from(too_large()),
    };
    if !reply.delay.is_zero() {
        tokio::time::sleep(reply.delay).await;
    }
    // An error here makes hyper close the connection without a response.
    let response = reply.result?;
    let declared = response.headers().get(CONTENT_LENGTH);
    let declared = declared.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let breaks = declared.is_some_and(|length| length != response.body().len());
    Ok(response.map(|body| ScriptedBody::new(body, reply.bytes_per_second, breaks)))
}

fn too_large() -> Response<Bytes> {
    OAuthError {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        ..OAuthError::invalid_request("failed to parse the request body")
    }
    .into_response()
}
