//! Token revocation.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use logto_core::{
    Error, Exchange, LogtoConfig, Secret,
    error::{Advice, Endpoint, OAuthErrorCode, UsageError},
    metadata::ProviderMetadata,
    revocation::RevokeRefreshToken,
};
use logto_recordings::Recording;
use proptest::prelude::*;
use serde_json::json;

use crate::support::provider::{
    self, NOW, config, form, header, json_response, metadata, response,
};

fn revoke(config: &LogtoConfig, metadata: &ProviderMetadata, token: &str) -> RevokeRefreshToken {
    RevokeRefreshToken::new(config, metadata, Secret::from(token)).unwrap()
}

fn accept(response: Response<Bytes>) -> Result<(), Error> {
    revoke(&config(), &metadata(), "refresh-token").accept(response, NOW)
}

#[test]
fn l4_the_refresh_token_is_revoked_and_named_as_such() {
    let recording = Recording::load(81).request;
    let token = &form(&recording)["token"];
    let config = provider::recorded_builder().build().unwrap();
    let request = revoke(&config, &provider::recorded_metadata(), token).request();
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), recording.uri());
    assert_eq!(form(&request), form(&recording));
    for name in ["accept", "content-type", "authorization"] {
        assert_eq!(header(&request, name), header(&recording, name));
    }
}

#[test]
fn c38_l4_a_public_client_names_itself_in_the_body() {
    let recording = Recording::load(87).request;
    let config = provider::recorded_app("bekzb5ca5915jnpytwvm7")
        .build()
        .unwrap();
    let request = revoke(&config, &provider::recorded_metadata(), "x").request();
    let mut expected = form(&recording);
    expected.insert("token_type_hint".into(), "refresh_token".into());
    assert_eq!(form(&request), expected);
    assert_eq!(header(&request, "authorization"), None);
}

#[test]
fn l5_the_recorded_answers() {
    // Revoked, unknown, and of a public client; a JWT cannot be revoked, which is nobody's error.
    for number in [78, 79, 81, 86, 87] {
        assert_eq!(accept(Recording::load(number).response), Ok(()), "{number}");
    }
    for (number, status, code, advice) in [
        (85, 400, OAuthErrorCode::InvalidRequest, Advice::Refused),
        (
            88,
            401,
            OAuthErrorCode::InvalidClient,
            Advice::FixConfiguration,
        ),
    ] {
        let error = accept(Recording::load(number).response).unwrap_err();
        let server = error.server().unwrap();
        assert_eq!(server.endpoint, Endpoint::Revocation);
        assert_eq!((server.status, &server.error), (Some(status), &code));
        assert_eq!(error.advice(), advice);
    }
}

#[test]
fn l5_success_needs_no_body_and_no_content_type() {
    for status in [200, 204] {
        let empty = Response::builder().status(status).body(Bytes::new());
        assert_eq!(accept(empty.unwrap()), Ok(()));
        assert_eq!(accept(response(status, "text/html", "<html>")), Ok(()));
    }
    let body = json!({"error": "unsupported_token_type"});
    assert_eq!(accept(json_response(400, &body)), Ok(()));
}

#[test]
fn l5_c44_overload_says_when_to_come_back() {
    for status in [429, 500, 503] {
        let response = Response::builder()
            .status(status)
            .header("retry-after", "12")
            .body(Bytes::new())
            .unwrap();
        let after = Some(Duration::from_secs(12));
        assert_eq!(
            accept(response).unwrap_err().advice(),
            Advice::Retry { after }
        );
    }
}

#[test]
fn c33_a_redirect_does_not_carry_the_token_away() {
    for status in [301, 302, 303, 307, 308] {
        let error = accept(response(status, "text/html", "")).unwrap_err();
        assert!(matches!(error, Error::Response(_)), "{status}");
    }
}

#[test]
fn a_provider_without_revocation_is_a_usage_error() {
    let mut document = provider::document();
    document.remove("revocation_endpoint");
    let metadata = provider::metadata_from(document);
    assert_eq!(
        RevokeRefreshToken::new(&config(), &metadata, Secret::from("r")).unwrap_err(),
        UsageError::EndpointNotAdvertised(Endpoint::Revocation)
    );
}

proptest! {
    #[test]
    fn l5_no_answer_panics(
        body in prop::collection::vec(any::<u8>(), 0..100),
        status in 200_u16..600,
    ) {
        let result = accept(response(status, "application/json", body));
        prop_assert!(result.is_ok() || status >= 300);
    }
}
