//! Between the types of Rocket and those of the SDK.

use std::io::Cursor;

use bytes::Bytes;
use logto_adapter_common::Pending;
use rocket::{Request, Response, http::Status};

pub(crate) fn head(request: &Request<'_>) -> http::request::Parts {
    let headers = request.headers().iter();
    let mut headers: Vec<(String, String)> = headers.map(pair).collect();
    if !request.headers().contains("cookie") {
        // Rocket's local client, for tests, sends its cookies without the header.
        let cookies = request.cookies().iter();
        let cookies = cookies.map(|cookie| format!("{}={}", cookie.name(), cookie.value()));
        headers.extend(cookies.map(|cookie| ("cookie".to_owned(), cookie)));
    }
    // In HTTP/2 it is in the URI, of which Rocket exposes only the path.
    if !request.headers().contains("host") {
        let host = request.host();
        headers.extend(host.map(|host| ("host".to_owned(), host.to_string())));
    }
    let uri = request.uri().to_string();
    logto_adapter_common::request(request.method().as_str(), &uri, headers)
}

pub(crate) fn finish(pending: &Pending, response: &mut Response<'_>) {
    let headers = response.headers().iter().map(pair);
    let Some(finished) = pending.finish(None, response.status().code, headers) else {
        return;
    };
    for name in &finished.removed {
        response.remove_header(name.as_str());
    }
    let appended = finished.appended.iter().map(|(name, value)| (name, value));
    append(response, appended);
    if let Some((status, body)) = finished.replacement {
        response.set_status(Status::new(status));
        response.set_sized_body(body.len(), Cursor::new(body));
    }
}

pub(crate) fn response(answer: http::Response<Bytes>) -> Response<'static> {
    let (head, body) = answer.into_parts();
    let mut response = Response::new();
    response.set_status(Status::new(head.status.as_u16()));
    append(&mut response, &head.headers);
    response.set_sized_body(body.len(), Cursor::new(body));
    response
}

/// Appends headers. Rocket accepts only text.
pub(crate) fn append<'h>(
    response: &mut Response<'_>,
    headers: impl IntoIterator<Item = (&'h http::HeaderName, &'h http::HeaderValue)>,
) {
    for (name, value) in headers {
        if let Ok(value) = std::str::from_utf8(value.as_bytes()) {
            response.adjoin_raw_header(name.as_str().to_owned(), value.to_owned());
        }
    }
}

fn pair(header: rocket::http::Header<'_>) -> (String, String) {
    (header.name().to_string(), header.value().to_owned())
}
