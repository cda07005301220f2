//! Building the requests of exchanges.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use url::Url;

/// A GET that expects JSON.
pub(crate) fn get(endpoint: &Url) -> Request<Bytes> {
    request(Method::GET, endpoint, Bytes::new())
}

/// A GET with a bearer token in its header ([RFC 6750 section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)).
pub(crate) fn get_with_token(endpoint: &Url, access_token: &str) -> Request<Bytes> {
    let mut request = get(endpoint);
    request.headers_mut().insert(
        header::AUTHORIZATION,
        sensitive(&format!("Bearer {access_token}")),
    );
    request
}

/// A POST of a form that expects JSON.
pub(crate) fn post_form(endpoint: &Url, form: String) -> Request<Bytes> {
    let mut request = request(Method::POST, endpoint, Bytes::from(form));
    request.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    request
}

fn request(method: Method, endpoint: &Url, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    // A `Url` with http or https is always a valid `Uri`. If that ever fails, the path remains empty and the
    // HTTP client refuses the request.
    if let Ok(uri) = endpoint.as_str().parse() {
        *request.uri_mut() = uri;
    }
    request
        .headers_mut()
        .insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    request
}

/// A header value that `Debug` does not show. Text that is not allowed in a header becomes an empty value,
/// which the server refuses.
pub(crate) fn sensitive(value: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}
