//! A request to one of Logto's own APIs.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use serde_json::Value;
use url::Url;

use crate::{error::UsageError, exchange, secret::Secret};

/// A request to `root`, followed by the segments of a path, with a bearer token.
///
/// Segments and query are encoded, so that an id with a slash in it stays one segment.
pub(crate) fn request(
    root: &Url,
    access_token: &Secret,
    method: Method,
    segments: &[&str],
    query: &[(&str, &str)],
    body: Option<&Value>,
) -> Result<Request<Bytes>, UsageError> {
    let mut request = exchange::get_with_token(&url(root, segments, query)?, access_token.expose());
    *request.method_mut() = method;
    if let Some(body) = body {
        *request.body_mut() = Bytes::from(body.to_string());
        request.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
    }
    Ok(request)
}

fn url(root: &Url, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, UsageError> {
    // A URL has no way to write these as the names of something.
    if let Some(segment) = segments
        .iter()
        .find(|segment| ["", ".", ".."].contains(segment))
    {
        return Err(UsageError::InvalidParameter(format!(
            "`{segment}` is not a path segment"
        )));
    }
    let mut url = root.clone();
    url.path_segments_mut()
        .map_err(|()| UsageError::InvalidParameter("the endpoint has no path".to_owned()))?
        .pop_if_empty()
        .extend(segments);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}
