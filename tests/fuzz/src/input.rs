//! Taking an input apart.

use bytes::Bytes;
use http::Response;

/// The first `N - 1` lines of an input and, as the last part, all that follows. What is not there is empty.
pub(crate) fn lines<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut parts = data.splitn(N, |byte| *byte == b'\n');
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// The opposite of [`lines`].
pub(crate) fn joined<const N: usize>(parts: [&[u8]; N]) -> Vec<u8> {
    parts.join(&b'\n')
}

/// The text of a part, with a sign of replacement for what is not UTF-8.
pub(crate) fn text(part: &[u8]) -> String {
    String::from_utf8_lossy(part).into_owned()
}

/// A response: the status in the first line, or 200; the content type in the second, or JSON; then the body.
pub(crate) fn response(data: &[u8]) -> Response<Bytes> {
    let [status, content_type, body] = lines(data);
    let status = text(status).parse::<u16>().unwrap_or(200);
    let content_type = match content_type {
        [] => b"application/json",
        given => given,
    };
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(Bytes::copy_from_slice(body))
        .unwrap_or_default()
}

/// A response of Logto as an input of [`response`].
pub(crate) fn recorded(response: &Response<Bytes>) -> Vec<u8> {
    let status = response.status().as_u16().to_string();
    let content_type = response.headers().get("content-type");
    let content_type = content_type.map_or(&b""[..], |value| value.as_bytes());
    joined([status.as_bytes(), content_type, response.body()])
}
