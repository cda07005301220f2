//! Bearer tokens in requests, and challenges.

use http::{HeaderMap, HeaderValue};
use logto_core::{
    api_token::ApiTokenError,
    bearer::{self, BearerError, Challenge},
    error::TokenError,
};

fn headers(values: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append("authorization", HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

fn token(value: &str) -> Result<String, BearerError> {
    bearer::token(&headers(&[value.as_bytes()])).map(str::to_owned)
}

#[test]
fn r8_one_header_any_case_one_token() {
    for value in [
        "Bearer abc.DEF-1_2~+/==",
        "bearer abc.DEF-1_2~+/==",
        "BEARER  abc.DEF-1_2~+/== ",
    ] {
        assert_eq!(token(value).as_deref(), Ok("abc.DEF-1_2~+/=="), "{value}");
    }
}

#[test]
fn r8_no_bearer_token_is_not_an_error_of_the_request() {
    assert_eq!(bearer::token(&HeaderMap::new()), Err(BearerError::Missing));
    for value in ["Basic YTpi", "", "Bearerabc", "Token abc", "DPoP abc"] {
        assert_eq!(token(value), Err(BearerError::Missing), "{value}");
    }
}

#[test]
fn r8_malformed_and_repeated_tokens() {
    for value in [
        "Bearer",
        "Bearer ",
        "Bearer  ",
        "Bearer =",
        "Bearer a b",
        "Bearer a, Bearer b",
        "Bearer a,b",
        "Bearer \"a\"",
        "Bearer a=b",
        "Bearer a\tb",
        "Bearer a;b",
        "Bearer a%20b",
    ] {
        assert_eq!(token(value), Err(BearerError::Malformed), "{value}");
    }
    let latin = bearer::token(&headers(&[b"Bearer \xfc"])).map(str::to_owned);
    assert_eq!(latin, Err(BearerError::Malformed));
    let twice = headers(&[b"Bearer a", b"Bearer a"]);
    assert_eq!(bearer::token(&twice), Err(BearerError::Several));
    let two_schemes = headers(&[b"Basic YTpi", b"Bearer a"]);
    assert_eq!(bearer::token(&two_schemes), Err(BearerError::Several));
}

#[test]
fn r9_tokens_elsewhere_are_not_looked_for() {
    // Body and query are not even arguments; other headers that look alike are no token either.
    let mut headers = HeaderMap::new();
    for name in [
        "x-access-token",
        "access_token",
        "cookie",
        "proxy-authorization",
    ] {
        headers.insert(name, HeaderValue::from_static("Bearer abc"));
    }
    assert_eq!(bearer::token(&headers), Err(BearerError::Missing));
}

fn insufficient(scopes: &[&str]) -> ApiTokenError {
    ApiTokenError::InsufficientScope {
        required: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    }
}

fn shown(challenge: &Challenge) -> (u16, String) {
    let response = challenge.response();
    assert_eq!(response.status(), challenge.status());
    assert_eq!(response.headers()["cache-control"], "no-store");
    let values: Vec<_> = response
        .headers()
        .get_all("www-authenticate")
        .iter()
        .collect();
    let [value] = values.as_slice() else {
        panic!("{values:?}");
    };
    (
        response.status().as_u16(),
        value.to_str().unwrap().to_owned(),
    )
}

#[test]
fn r8_challenges_are_those_of_rfc_6750() {
    let table: [(Challenge, u16, &str); 6] = [
        (BearerError::Missing.into(), 401, "Bearer"),
        (
            BearerError::Several.into(),
            400,
            r#"Bearer error="invalid_request", error_description="the request has more than one authorization header""#,
        ),
        (
            BearerError::Malformed.into(),
            400,
            r#"Bearer error="invalid_request", error_description="the bearer token is malformed""#,
        ),
        (
            ApiTokenError::from(TokenError::Audience).into(),
            401,
            r#"Bearer error="invalid_token", error_description="the token is for another audience""#,
        ),
        (
            insufficient(&["write", "read"]).into(),
            403,
            r#"Bearer error="insufficient_scope", error_description="the token lacks scopes; needed are: read write", scope="read write""#,
        ),
        (
            ApiTokenError::Organization.into(),
            403,
            r#"Bearer error="insufficient_scope", error_description="the token is not for this organization""#,
        ),
    ];
    for (challenge, status, value) in table {
        assert_eq!(shown(&challenge), (status, value.to_owned()));
    }
    let named = Challenge::from(BearerError::Missing).realm("shop");
    assert_eq!(shown(&named), (401, r#"Bearer realm="shop""#.to_owned()));
    assert_eq!(named.error(), None);
    assert_eq!(
        Challenge::from(BearerError::Several).error(),
        Some("invalid_request")
    );
}

#[test]
fn r8_nothing_splits_the_response_or_leaves_its_quotes() {
    let evil = "a\r\nSet-Cookie: x=1\", error=\"none\\ \u{7f}\u{0}ü";
    let unknown_key = TokenError::KeyNotFound {
        kid: Some(evil.to_owned()),
    };
    for challenge in [
        Challenge::from(BearerError::Missing).realm(evil),
        Challenge::from(insufficient(&[evil])),
        Challenge::from(ApiTokenError::from(unknown_key)),
    ] {
        let (_, value) = shown(&challenge);
        assert!(
            value.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
            "{value}"
        );
        assert!(!value.contains('\\'), "{value}");
        // Outside of quotes there are only the names of the parameters.
        let outside: String = value.split('"').step_by(2).collect();
        let names: Vec<&str> = outside
            .trim_start_matches("Bearer ")
            .split(", ")
            .map(|name| name.trim_end_matches('='))
            .flat_map(|joined| joined.split('='))
            .collect();
        assert!(
            names
                .iter()
                .all(|name| ["realm", "error", "error_description", "scope"].contains(name)),
            "{names:?}"
        );
    }
}
