//! Responses of hyper's types, and in them the pages that all examples show.

use std::convert::Infallible;

use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Response, StatusCode};
use logto::core::claims::IdTokenClaims;
use serde_json::Value;

pub(crate) type Page = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(crate) fn home(user: Option<&IdTokenClaims>) -> Page {
    html(logto_example_page::home("hyper", user))
}

pub(crate) fn claims(user: &IdTokenClaims) -> Page {
    html(logto_example_page::claims(user))
}

pub(crate) fn redirect(to: &'static str) -> Page {
    let mut response = html(String::new());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let location = HeaderValue::from_static(to);
    response.headers_mut().insert(LOCATION, location);
    response
}

fn html(text: String) -> Page {
    response(StatusCode::OK, "text/html; charset=utf-8", Full::from(text))
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Page {
    response(status, "application/json", Full::from(value.to_string()))
}

pub(crate) fn streaming<B>(body: B) -> Page
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    response(StatusCode::OK, "text/html; charset=utf-8", body)
}

fn response<B>(status: StatusCode, content_type: &'static str, body: B) -> Page
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
