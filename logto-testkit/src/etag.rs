//! Entity tags as Logto computes them: the body's length in hex and 27 letters of its SHA-1.

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, ETAG},
};

/// Tags a response, and leaves out a body that the client already has.
pub(crate) fn conditional(
    mut response: Response<Bytes>,
    if_none_match: Option<&str>,
) -> Response<Bytes> {
    let tag = tag(response.body());
    let known = if_none_match.is_some_and(|known| known == tag);
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(ETAG, tag);
    }
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Bytes::new();
        response.headers_mut().remove(CONTENT_TYPE);
    }
    response
}

fn tag(body: &[u8]) -> String {
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, body);
    format!("\"{:x}-{}\"", body.len(), STANDARD_NO_PAD.encode(hash))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_tag_is_the_one_that_logto_sent_for_the_same_body() {
        let body = br#"{"error":"invalid_token","error_description":"invalid token provided"}"#;
        assert_eq!(super::tag(body), r#""46-9jaaJAVeeirrAYVCkiMcofPYz3s""#);
    }
}
