//! What the application shows.

use std::convert::Infallible;

use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use logto::AccessToken;
use logto::core::claims::IdTokenClaims;
use serde_json::Value;

pub(crate) type Page = Response<UnsyncBoxBody<Bytes, Infallible>>;

pub(crate) fn home(user: Option<&IdTokenClaims>) -> Page {
    html(match user {
        Some(user) => {
            let name = user.user.name.as_deref().unwrap_or(&user.sub);
            include_str!("signed_in.html").replace("{name}", &escape(name))
        }
        None => include_str!("signed_out.html").to_owned(),
    })
}

pub(crate) fn claims(user: &IdTokenClaims) -> Page {
    let claims = serde_json::to_string_pretty(user).unwrap_or_default();
    html(format!("<!doctype html><pre>{}</pre>", escape(&claims)))
}

pub(crate) const LOADING: &str = "<!doctype html><title>Streaming</title><p>Loading</p>";

/// The end of the page that streams.
pub(crate) fn end(token: Option<&AccessToken>) -> String {
    match token {
        Some(token) => {
            let scopes: Vec<&str> = token.scopes.iter().map(String::as_str).collect();
            format!("<p>scopes: {}</p>", escape(&scopes.join(" ")))
        }
        None => "<p>needs refresh</p>".to_owned(),
    }
}

pub(crate) fn html(text: String) -> Page {
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

fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('"', "&quot;")
}
