//! One file per endpoint, and the way to them.

mod api;
pub(crate) mod authorization;
pub(crate) mod device;
mod discovery;
pub(crate) mod end_session;
mod introspection;
mod jwks;
pub(crate) mod pages;
mod pushed;
mod revocation;
mod token;
mod userinfo;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Response, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_REQUEST_HEADERS,
        ACCESS_CONTROL_REQUEST_METHOD, IF_NONE_MATCH, ORIGIN, VARY,
    },
};

use crate::{
    context::Context, error::OAuthError, etag, journal::Endpoint, reply, request::Incoming,
};

/// Which endpoint a path below the provider's endpoint belongs to.
pub(crate) fn classify(path: &str) -> Endpoint {
    match path {
        "/oidc/.well-known/openid-configuration"
        | "/oidc/.well-known/oauth-authorization-server" => Endpoint::Discovery,
        "/oidc/jwks" => Endpoint::Jwks,
        "/oidc/auth" => Endpoint::Authorization,
        "/oidc/token" => Endpoint::Token,
        "/oidc/me" => Endpoint::UserInfo,
        "/oidc/token/revocation" => Endpoint::Revocation,
        "/oidc/token/introspection" => Endpoint::Introspection,
        "/oidc/device/auth" => Endpoint::DeviceAuthorization,
        "/oidc/request" => Endpoint::PushedAuthorization,
        "/oidc/session/end" | "/oidc/session/end/confirm" | "/oidc/session/end/success" => {
            Endpoint::EndSession
        }
        "/sign-in" | "/register" | "/reset-password" | "/single-sign-on" | "/consent"
        | "/device" | "/device/success" => Endpoint::Page,
        path if path.starts_with("/direct/") => Endpoint::Page,
        path if path.starts_with("/api/") => Endpoint::Api,
        _ => Endpoint::Other,
    }
}

pub(crate) fn answer(
    cx: &mut Context<'_>,
    endpoint: Endpoint,
    request: &Incoming,
) -> Response<Bytes> {
    if request.method == Method::OPTIONS && has_cors(endpoint) {
        return preflight(request);
    }
    let mut response = if allows(endpoint, &request.path, &request.method) {
        route(cx, endpoint, request)
    } else if request.path.starts_with("/oidc") {
        OAuthError::unrecognized_route(&request.method, &request.path).into_response()
    } else {
        reply::text(StatusCode::NOT_FOUND, "Not Found")
    };
    if request.method == Method::GET && response.status() == StatusCode::OK {
        response = etag::conditional(response, request.header(IF_NONE_MATCH));
    }
    add_cors(endpoint, request, &mut response);
    response
}

fn route(cx: &mut Context<'_>, endpoint: Endpoint, request: &Incoming) -> Response<Bytes> {
    match endpoint {
        Endpoint::Discovery => discovery::handle(cx),
        Endpoint::Jwks => jwks::handle(cx),
        Endpoint::Authorization => authorization::handle(cx, request),
        Endpoint::Token => token::handle(cx, request),
        Endpoint::UserInfo => userinfo::handle(cx, request),
        Endpoint::Revocation => revocation::handle(cx, request),
        Endpoint::Introspection => introspection::handle(cx, request),
        Endpoint::DeviceAuthorization => device::handle(cx, request),
        Endpoint::PushedAuthorization => pushed::handle(cx, request),
        Endpoint::EndSession => end_session::handle(cx, request),
        Endpoint::Page => pages::handle(cx, request),
        Endpoint::Api => api::handle(cx, request),
        Endpoint::Other => reply::text(StatusCode::NOT_FOUND, "Not Found"),
    }
}

fn allows(endpoint: Endpoint, path: &str, method: &Method) -> bool {
    let (get, post) = (method == Method::GET, method == Method::POST);
    match endpoint {
        Endpoint::Discovery | Endpoint::Jwks => get,
        Endpoint::EndSession if path.ends_with("/confirm") => post,
        Endpoint::Authorization | Endpoint::UserInfo | Endpoint::EndSession | Endpoint::Page => {
            get || post
        }
        Endpoint::Api => true,
        Endpoint::Other => false,
        _ => post,
    }
}

/// Browsers' applications may call it from other origins.
fn has_cors(endpoint: Endpoint) -> bool {
    !matches!(
        endpoint,
        Endpoint::Authorization
            | Endpoint::EndSession
            | Endpoint::Page
            | Endpoint::Api
            | Endpoint::Other
    )
}

fn preflight(request: &Incoming) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let asked = |name: HeaderName| request.headers.get(name).cloned();
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding, Origin"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed_origin(request));
    if let Some(method) = asked(ACCESS_CONTROL_REQUEST_METHOD) {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, method);
    }
    if let Some(names) = asked(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    }
    response
}

fn add_cors(endpoint: Endpoint, request: &Incoming, response: &mut Response<Bytes>) {
    let headers = response.headers_mut();
    if !has_cors(endpoint) {
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        return;
    }
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding, Origin"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allowed_origin(request));
    if !matches!(endpoint, Endpoint::Discovery | Endpoint::Jwks) {
        let exposed = HeaderValue::from_static("WWW-Authenticate");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

fn allowed_origin(request: &Incoming) -> HeaderValue {
    request
        .headers
        .get(ORIGIN)
        .cloned()
        .unwrap_or(HeaderValue::from_static("*"))
}
