//! The end-session URL.

use logto_core::{
    LogtoConfig, Secret,
    error::{CallbackError, Endpoint, UsageError},
    sign_in::Callback,
    sign_out::SignOut,
};
use serde_json::json;
use url::Url;

use crate::support::provider::{self, builder, config, metadata};

fn url(sign_out: &SignOut, config: &LogtoConfig) -> String {
    sign_out.url(config, &metadata()).unwrap().into()
}

const BASE: &str = "https://tenant.logto.app/oidc/session/end?client_id=app-id";
const HOME: &str = "&post_logout_redirect_uri=https%3A%2F%2Fshop.example.com%2F";

#[test]
fn l2_l3_the_client_is_named_and_the_way_back_comes_from_the_program() {
    let elsewhere = Url::parse("https://shop.example.com/bye?a=b&c").unwrap();
    let by_config = builder()
        .post_sign_out_redirect_uri("https://shop.example.com/signed-out")
        .build()
        .unwrap();
    let without_base = LogtoConfig::builder("https://tenant.logto.app", "app-id")
        .build()
        .unwrap();
    for (sign_out, config, rest) in [
        (SignOut::new(), &config(), HOME.to_owned()),
        (SignOut::new(), &without_base, String::new()),
        (
            SignOut::new(),
            &by_config,
            "&post_logout_redirect_uri=https%3A%2F%2Fshop.example.com%2Fsigned-out".to_owned(),
        ),
        (
            SignOut::new().redirect_uri(elsewhere),
            &by_config,
            "&post_logout_redirect_uri=https%3A%2F%2Fshop.example.com%2Fbye%3Fa%3Db%26c".to_owned(),
        ),
        (
            SignOut::new().ui_locales(["de-CH", "fr"]),
            &config(),
            format!("{HOME}&ui_locales=de-CH+fr"),
        ),
    ] {
        assert_eq!(url(&sign_out, config), format!("{BASE}{rest}"));
    }
}

#[test]
fn t39_l2_the_id_token_can_be_added_as_a_hint() {
    let sign_out = SignOut::new().id_token_hint(Secret::from("eyJ.eyJ.sig-_"));
    assert_eq!(
        url(&sign_out, &config()),
        format!("{BASE}{HOME}&id_token_hint=eyJ.eyJ.sig-_")
    );
    assert!(!format!("{sign_out:?}").contains("eyJ"));
}

#[test]
fn t40_t41_l3_state_is_optional_and_proves_nothing() {
    let sign_out = SignOut::new().state("a b&c=d#e");
    assert_eq!(
        url(&sign_out, &config()),
        format!("{BASE}{HOME}&state=a+b%26c%3Dd%23e")
    );
    // Whatever comes back, there is no session left that it could change: the return page reads it
    // like any query, and it is the answer to no sign-in.
    for returned in ["state=a+b%26c%3Dd%23e", "state=another", "", "state="] {
        let callback = Callback::from_query(returned).unwrap();
        assert!(callback.error().is_none());
    }
    assert_eq!(
        Callback::from_query("state=a&state=b").map(|_| ()),
        Err(CallbackError::DuplicateParameter("state"))
    );
}

#[test]
fn x24_an_endpoint_that_has_a_query_keeps_it() {
    let endpoint = "https://tenant.logto.app/oidc/session/end?tenant=a%20b";
    let document = provider::document_with("end_session_endpoint", json!(endpoint));
    let metadata = provider::metadata_from(document);
    assert_eq!(
        SignOut::new().url(&config(), &metadata).unwrap().as_str(),
        format!("{endpoint}&client_id=app-id{HOME}")
    );
}

#[test]
fn a_provider_without_end_session_is_a_usage_error() {
    let mut document = provider::document();
    document.remove("end_session_endpoint");
    let metadata = provider::metadata_from(document);
    assert_eq!(
        SignOut::new().url(&config(), &metadata),
        Err(UsageError::EndpointNotAdvertised(Endpoint::EndSession))
    );
}
