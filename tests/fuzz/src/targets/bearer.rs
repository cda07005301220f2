//! The `Authorization` headers of a request: each line is one.

use http::{HeaderMap, HeaderValue, header};
use logto_core::bearer::{self, BearerError, Challenge};

use crate::{Verdict, undisclosed::assert_undisclosed};

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let mut headers = HeaderMap::new();
    for line in data
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(header::AUTHORIZATION, value);
        }
    }
    let count = headers.len();
    match bearer::token(&headers) {
        Ok(token) => {
            assert_eq!(count, 1);
            let value = headers[header::AUTHORIZATION]
                .to_str()
                .expect("a token is text");
            let (scheme, rest) = value.split_once(' ').expect("a scheme and a token");
            assert!(scheme.eq_ignore_ascii_case("bearer"));
            assert_eq!(rest.trim_matches(' '), token);
            assert!(
                token
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b',')
            );
            // Written as the RFC has it, it is the same token.
            let token = token.to_owned();
            let canonical = HeaderValue::from_str(&format!("Bearer {token}"));
            let canonical = canonical.expect("a token can stand in a header");
            headers.insert(header::AUTHORIZATION, canonical);
            assert_eq!(bearer::token(&headers), Ok(&*token));
            Verdict::Accepted
        }
        Err(error) => {
            assert_eq!(error == BearerError::Several, count > 1);
            let response = Challenge::from(error).realm("the shop").response();
            let challenge = response.headers()[header::WWW_AUTHENTICATE].to_str();
            assert!(challenge.is_ok_and(|text| text.starts_with("Bearer ")));
            assert!(response.status().is_client_error());
            if let Some(value) = headers.get(header::AUTHORIZATION) {
                let shown = String::from_utf8_lossy(value.as_bytes()).into_owned();
                assert_undisclosed(&response, &shown, data);
            }
            Verdict::Refused
        }
    }
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    [
        "Bearer abc.def-123_~+/==",
        "bearer   token ",
        "Basic dXNlcjpwYXNz",
        "Bearer one\nBearer two",
        "Bearer one,two",
        "Bearer",
    ]
    .map(Vec::from)
    .to_vec()
}
