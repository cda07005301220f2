//! Bodies of requests and responses.

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use web_sys::ReadableStream;

/// The body of a response.
#[derive(Clone, Debug)]
pub enum Body {
    /// A complete body.
    Bytes(Bytes),
    /// A streamed body. The crate `wasm-streams` converts a stream of Rust.
    Stream(ReadableStream),
}

impl Default for Body {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl From<Bytes> for Body {
    fn from(body: Bytes) -> Self {
        Self::Bytes(body)
    }
}

impl From<String> for Body {
    fn from(body: String) -> Self {
        Self::Bytes(body.into())
    }
}

impl From<&'static str> for Body {
    fn from(body: &'static str) -> Self {
        Self::Bytes(Bytes::from_static(body.as_bytes()))
    }
}

impl From<ReadableStream> for Body {
    fn from(body: ReadableStream) -> Self {
        Self::Stream(body)
    }
}

/// The body of a request, unless it is longer than `limit` or incomplete.
pub(crate) async fn read(request: &web_sys::Request, limit: usize) -> Option<Bytes> {
    let Some(stream) = request.body() else {
        return Some(Bytes::new());
    };
    let mut chunks = wasm_streams::ReadableStream::from_raw(stream).into_stream();
    let mut body = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk: Uint8Array = chunk.ok()?.dyn_into().ok()?;
        if body.len() + chunk.length() as usize > limit {
            return None;
        }
        body.extend_from_slice(&chunk.to_vec());
    }
    Some(body.freeze())
}
