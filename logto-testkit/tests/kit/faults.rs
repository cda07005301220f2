//! Scripted faults, in process.

use std::{num::NonZeroU32, time::Duration};

use crate::common::lab::{Ask, Lab, SPA};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use logto_testkit::{Endpoint, Fault, Lost, Reply};

fn refresh(lab: &Lab, token: &str) -> Reply {
    let body = format!(
        "grant_type=refresh_token&client_id={}&refresh_token={token}",
        SPA.0
    );
    let request = Request::post("/oidc/token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(body));
    lab.logto.exchange(request.unwrap())
}

/// A lab with a refresh token that rotates when it is used.
fn lab() -> (Lab, String) {
    let lab = Lab::new();
    let token = lab.refresh_token(&Ask {
        client: SPA,
        ..Ask::default()
    });
    (lab, token)
}

fn rotated(lab: &Lab, token: &str) -> bool {
    lab.logto.latest_refresh_token(token).as_deref() != Some(token)
}

#[test]
fn f10_a_reset_before_the_commit_changes_nothing() {
    let (lab, token) = lab();
    lab.logto.fault(Endpoint::Token, Fault::ResetBeforeCommit);
    assert_eq!(
        refresh(&lab, &token).result.unwrap_err(),
        Lost::BeforeCommit
    );
    assert!(!rotated(&lab, &token));
    assert!(
        refresh(&lab, &token).result.is_ok(),
        "one fault, one exchange"
    );
    let answered: Vec<_> = lab
        .logto
        .requests()
        .iter()
        .rev()
        .take(2)
        .map(|record| record.was_answered())
        .collect();
    assert_eq!(answered, [true, false]);
}

#[test]
fn f11_a_reset_after_the_commit_loses_the_new_token() {
    let (lab, token) = lab();
    lab.logto.fault(Endpoint::Token, Fault::ResetAfterCommit);
    assert_eq!(refresh(&lab, &token).result.unwrap_err(), Lost::AfterCommit);
    assert!(rotated(&lab, &token));
    lab.wait(3_001);
    assert_eq!(
        refresh(&lab, &token).result.unwrap().status(),
        StatusCode::BAD_REQUEST
    );
}

#[test]
fn delays_are_told_and_the_request_is_committed() {
    let (lab, token) = lab();
    lab.logto
        .fault(Endpoint::Token, Fault::Delay(Duration::from_secs(5)));
    let reply = refresh(&lab, &token);
    assert_eq!(reply.total_delay(), Duration::from_secs(5));
    assert!(rotated(&lab, &token));

    lab.logto
        .fault(Endpoint::Token, Fault::Drip(NonZeroU32::MIN));
    let reply = refresh(&lab, &token);
    let size = reply.result.as_ref().unwrap().body().len();
    assert_eq!(
        reply.total_delay(),
        Duration::from_secs(u64::try_from(size).unwrap())
    );
}

#[test]
fn answers_can_be_replaced_before_and_after_the_commit() {
    let (lab, token) = lab();
    lab.logto.fault(
        Endpoint::Token,
        Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "120"),
    );
    let response = refresh(&lab, &token).result.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()[header::RETRY_AFTER], "120");
    assert!(!rotated(&lab, &token));

    let page = Response::builder()
        .status(502)
        .body(Bytes::from("Bad Gateway"))
        .unwrap();
    lab.logto
        .fault(Endpoint::Token, Fault::InsteadAfterCommit(page));
    assert_eq!(
        refresh(&lab, &token).result.unwrap().status(),
        StatusCode::BAD_GATEWAY
    );
    assert!(rotated(&lab, &token));
}

#[test]
fn bodies_can_be_spoiled() {
    let (lab, token) = lab();
    let spoiled = |fault| {
        lab.logto.fault(Endpoint::Token, fault);
        refresh(&lab, &token).result.unwrap()
    };
    let whole = refresh(&lab, &token).result.unwrap();
    assert_eq!(
        spoiled(Fault::WrongType).headers()[header::CONTENT_TYPE],
        "text/html; charset=utf-8"
    );

    let half = spoiled(Fault::Truncated);
    let declared: usize = half.headers()[header::CONTENT_LENGTH]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(half.body().len(), declared / 2);

    let padded = spoiled(Fault::Oversized(1 << 20));
    assert_eq!(padded.body().len(), 1 << 20);
    assert_eq!(crate::common::json(&padded)["token_type"], "Bearer");

    let edited = spoiled(Fault::edit(|body| body.replace("Bearer", "Mac")));
    assert_eq!(crate::common::json(&edited)["token_type"], "Mac");
    assert_eq!(crate::common::json(&whole)["token_type"], "Bearer");
}

#[test]
fn a_breakdown_lasts_until_it_is_over() {
    let (lab, token) = lab();
    lab.logto.break_down(
        Endpoint::Jwks,
        Fault::status(StatusCode::SERVICE_UNAVAILABLE),
    );
    lab.logto
        .fault(Endpoint::Jwks, Fault::status(StatusCode::NOT_FOUND));
    let statuses: Vec<_> = (0..3)
        .map(|_| lab.get("/oidc/jwks").status().as_u16())
        .collect();
    assert_eq!(statuses, [404, 503, 503]);
    assert!(
        refresh(&lab, &token).result.is_ok(),
        "other endpoints are well"
    );
    lab.logto.recover(Endpoint::Jwks);
    assert_eq!(lab.get("/oidc/jwks").status(), StatusCode::OK);
}

#[test]
fn a_plain_handler_sees_a_bad_gateway_where_the_connection_broke() {
    let lab = Lab::new();
    lab.logto
        .fault(Endpoint::Discovery, Fault::ResetBeforeCommit);
    let response = lab.get("/oidc/.well-known/openid-configuration");
    assert_eq!(response.status(), StatusCode::BAD_GATEWAY);
}

#[test]
fn a_request_for_another_host_is_misdirected() {
    let lab = Lab::new();
    for (uri, status) in [
        ("http://localhost:3001/oidc/jwks", 200),
        ("/oidc/jwks", 200),
        ("http://localhost:3002/oidc/jwks", 421),
        ("https://localhost:3001/oidc/jwks", 421),
        ("http://evil.example.com/oidc/jwks", 421),
    ] {
        assert_eq!(lab.get(uri).status().as_u16(), status, "{uri}");
    }
    assert_eq!(lab.logto.count(Endpoint::Jwks), 2);
}
