//! Between the types of actix-web and those of the SDK.

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BoxBody, EitherBody},
    http::{StatusCode, header::TryIntoHeaderPair},
};
use bytes::Bytes;
use logto_adapter_common::Pending;
use logto_client::web::{Failure, RequestSession};

pub(crate) fn head(request: &HttpRequest) -> http::request::Parts {
    let (method, uri) = (request.method().as_str(), request.uri().to_string());
    logto_adapter_common::request(method, &uri, request.headers())
}

pub(crate) fn begin<'p>(pending: &'p Pending, request: &HttpRequest) -> &'p RequestSession {
    pending.begin(|| head(request))
}

/// Finishes a response; actix-web returns some errors without their request.
pub(crate) fn finish<B>(
    pending: &Pending,
    request: Option<&HttpRequest>,
    mut response: HttpResponse<B>,
) -> HttpResponse<EitherBody<B>> {
    let failure = response.extensions_mut().remove::<Failure>();
    if let (Some(_), Some(request)) = (&failure, request) {
        begin(pending, request);
    }
    let status = response.status().as_u16();
    let Some(finished) = pending.finish(failure, status, response.headers()) else {
        return response.map_body(|_, body| EitherBody::left(body));
    };
    let headers = response.headers_mut();
    for name in &finished.removed {
        headers.remove(name.as_str());
    }
    for (name, value) in &finished.appended {
        // Both versions of `http` allow the same names and values.
        if let Ok((name, value)) = (name.as_str(), value.as_bytes()).try_into_pair() {
            headers.append(name, value);
        }
    }
    response.map_body(|head, body| match finished.replacement {
        Some((status, replacement)) => {
            head.status = self::status(status);
            EitherBody::right(BoxBody::new(replacement))
        }
        None => EitherBody::left(body),
    })
}

pub(crate) fn response(response: http::Response<Bytes>) -> HttpResponse {
    let (head, body) = response.into_parts();
    let mut response = HttpResponse::build(status(head.status.as_u16()));
    for (name, value) in &head.headers {
        response.append_header((name.as_str(), value.as_bytes()));
    }
    response.body(body)
}

pub(crate) fn status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
