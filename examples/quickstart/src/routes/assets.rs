//! What the pages are made of, and what every response has.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use logto::axum::Request;

use super::Failure;
use crate::page::{self, NotFoundPage};

/// `GET /style.css`.
pub(crate) async fn style() -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (content_type, include_str!("../../templates/style.css"))
}

/// `GET /fresh.js`: browsers keep pages for going back, some even those that say `no-store`.
pub(crate) async fn script() -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, "text/javascript; charset=utf-8")];
    (content_type, include_str!("../../templates/fresh.js"))
}

/// `GET /favicon.svg`.
pub(crate) async fn icon() -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, "image/svg+xml")];
    (content_type, include_str!("../../templates/favicon.svg"))
}

/// Any other address: a page for a person, JSON for a program.
pub(crate) async fn not_found(request: Request) -> Response {
    let response = match request.wants_page() {
        true => page::html(&NotFoundPage),
        false => Json(Failure::new(
            "not_found",
            "there is nothing at this address",
        ))
        .into_response(),
    };
    (StatusCode::NOT_FOUND, response).into_response()
}

/// What no response goes without.
pub(crate) async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    // Not `no-referrer`: with it a form has no `Origin`, by which the SDK knows the application's own forms in
    // browsers that do not send `Sec-Fetch-Site`.
    let same_origin = HeaderValue::from_static("same-origin");
    headers
        .entry(header::REFERRER_POLICY)
        .or_insert(same_origin);
    response
}
