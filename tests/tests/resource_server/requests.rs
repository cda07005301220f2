//! Where a token is expected, and the response without one.

use http::{HeaderMap, HeaderValue, Request, header};
use logto_testkit::Endpoint;

use crate::api::{Api, bearer, challenge, refused, status};

fn authorization(values: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(
            header::AUTHORIZATION,
            HeaderValue::from_bytes(value).unwrap(),
        );
    }
    headers
}

#[tokio::test(start_paused = true)]
async fn r8_one_header_one_token_any_case() {
    let api = Api::new();
    let token = api.token();
    for scheme in ["Bearer", "bearer", "BEARER", "bEARER"] {
        let headers = authorization(&[format!("{scheme} {token}").as_bytes()]);
        assert_eq!(
            status(api.server.authorize(&headers, &api.demands()).await),
            200,
            "{scheme}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn r8_no_token_is_a_plain_challenge() {
    let api = Api::new();
    let basic = authorization(&[b"Basic dXNlcjpwYXNz"]);
    for headers in [HeaderMap::new(), basic] {
        let response = refused(api.server.authorize(&headers, &api.demands()).await);
        assert_eq!(response.status(), 401);
        assert_eq!(
            challenge(&response),
            "Bearer",
            "no error code: nothing was wrong with a token"
        );
    }
    assert_eq!(api.world.logto.requests().len(), 0, "and nobody was asked");
}

#[tokio::test(start_paused = true)]
async fn r8_malformed_headers_are_400() {
    let api = Api::new();
    let good = format!("Bearer {}", api.token());
    let two_tokens = format!("{good} {}", api.token());
    let cases: [&[&[u8]]; 6] = [
        &[b"Bearer"],
        &[b"Bearer "],
        &[b"Bearer \xff\xfe"],
        &[b"Bearer a,b"],
        &[two_tokens.as_bytes()],
        &[good.as_bytes(), good.as_bytes()],
    ];
    for values in cases {
        let response = refused(
            api.server
                .authorize(&authorization(values), &api.demands())
                .await,
        );
        assert_eq!(response.status(), 400, "{values:?}");
        assert!(
            challenge(&response).contains(r#"error="invalid_request""#),
            "{values:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn r9_a_token_in_the_query_or_the_body_is_not_looked_for() {
    let api = Api::new();
    let token = api.token();
    let (parts, _) = Request::post(format!("/products?access_token={token}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("access_token={token}"))
        .unwrap()
        .into_parts();
    let response = refused(api.server.authorize(&parts.headers, &api.demands()).await);
    assert_eq!(
        (response.status().as_u16(), challenge(&response)),
        (401, "Bearer")
    );
}

#[tokio::test(start_paused = true)]
async fn r35_a_token_that_is_no_jwt_is_invalid_and_costs_nothing() {
    let api = Api::new();
    let dots = ".".repeat(16_000);
    let long = "A".repeat(10_000_000);
    for token in [
        "xQ2aGSnTs1nN3jJGjDzwTgN5DVyEiBHIxp3vYl2-Dqq",
        "a.b.c",
        "a.b.c.d.e",
        &dots,
        &long,
    ] {
        let response = refused(api.server.authorize(&bearer(token), &api.demands()).await);
        assert_eq!(response.status(), 401);
        let challenge = challenge(&response);
        assert!(
            challenge.contains(r#"error="invalid_token""#),
            "{challenge}"
        );
        assert!(
            challenge.len() < 300 && !challenge.contains("DVyEiBHIxp3vYl2"),
            "{challenge}"
        );
    }
    assert_eq!(
        api.world.logto.count(Endpoint::Jwks),
        0,
        "no key could make them good"
    );
}
