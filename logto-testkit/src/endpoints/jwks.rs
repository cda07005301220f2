//! `GET /oidc/jwks`.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CACHE_CONTROL};

use crate::{context::Context, reply};

pub(super) fn handle(cx: &Context<'_>) -> Response<Bytes> {
    let body = cx.state.keys.jwks().to_json();
    let mut response = reply::with_type(
        StatusCode::OK,
        "application/jwk-set+json; charset=utf-8",
        body,
    );
    response.headers_mut().insert(
        CACHE_CONTROL,
        HeaderValue::from_static("no-cache, max-age=0, must-revalidate"),
    );
    response
}
