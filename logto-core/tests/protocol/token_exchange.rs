//! Token exchange: subject tokens and personal access tokens.

use logto_core::{
    AccessToken, Error, Exchange, LogtoConfig, TokenTarget,
    error::OAuthErrorCode,
    grants::{ExchangeToken, TypedToken},
};
use logto_recordings::Recording;
use serde_json::json;

use crate::support::provider::{self, NOW, config, form, json_response, metadata};

const SHOP: &str = "https://shopping.your-app.com/api";

fn replay(
    number: u16,
    config: &LogtoConfig,
    subject: TypedToken,
    target: TokenTarget,
) -> Result<AccessToken, Error> {
    let recording = Recording::load(number);
    let exchange = ExchangeToken::new(config, &provider::recorded_metadata(), subject, target, NOW);
    let request = exchange.request();
    assert_eq!(request.uri(), recording.request.uri());
    assert_eq!(form(&request), form(&recording.request), "{number}");
    assert_eq!(
        provider::header(&request, "authorization"),
        provider::header(&recording.request, "authorization")
    );
    exchange.accept(recording.response, NOW)
}

#[test]
fn recorded_impersonation_and_personal_access_token() {
    let config = provider::recorded_app("qndti95v4frw5j9guqch9")
        .app_secret("dlLTzyeBTOWVc2rFZViaDFtZ1CoS708G")
        .build()
        .unwrap();
    let target = TokenTarget::resource(SHOP).with_scopes(["read:products", "write:products"]);
    let impersonation = TypedToken::access_token("sub_lxgr5ay5uyo8dgph47y4p");
    let personal = TypedToken::personal_access_token("pat_yna8iiA8zZAV8OkRtACtku9qyCD6oZsR");
    for (number, subject) in [(108, impersonation), (109, personal)] {
        let token = replay(number, &config, subject, target.clone()).unwrap();
        assert_eq!(token.scopes, *target.scopes());
        assert_eq!(token.remaining(NOW).as_secs(), 3600);
    }
}

#[test]
fn recorded_refusal_of_an_application_that_may_not() {
    let config = provider::recorded_builder().build().unwrap();
    let target = TokenTarget::resource(SHOP);
    let error = replay(110, &config, TypedToken::access_token("x"), target).unwrap_err();
    assert_eq!(
        error.server().unwrap().error,
        OAuthErrorCode::InvalidRequest
    );
}

#[test]
fn an_actor_an_organization_and_another_type_travel_as_rfc_8693_has_it() {
    let target = TokenTarget::organization("org-1").with_scopes(["read:shipments"]);
    let subject = TypedToken::of_type("eyJ", "urn:ietf:params:oauth:token-type:jwt");
    let exchange = ExchangeToken::new(&config(), &metadata(), subject, target, NOW)
        .actor_token(TypedToken::access_token("opaque"));
    let expected = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token", "eyJ"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("actor_token", "opaque"),
        (
            "actor_token_type",
            "urn:ietf:params:oauth:token-type:access_token",
        ),
        ("organization_id", "org-1"),
        ("scope", "read:shipments"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(form(&exchange.request()), expected.into());
    let shown = format!("{exchange:?}");
    assert!(
        !shown.contains("eyJ") && !shown.contains("opaque"),
        "{shown}"
    );
}

#[test]
fn an_answer_that_is_no_bearer_token_is_refused() {
    let exchange = ExchangeToken::new(
        &config(),
        &metadata(),
        TypedToken::access_token("s"),
        TokenTarget::user_info(),
        NOW,
    );
    // RFC 8693 section 2.2.1: what to say of a token that is no access token.
    let answer = json!({
        "access_token": "an id token",
        "issued_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "token_type": "N_A",
    });
    let error = exchange
        .accept(json_response(200, &answer), NOW)
        .unwrap_err();
    assert!(matches!(error, Error::Response(_)), "{error}");
}
