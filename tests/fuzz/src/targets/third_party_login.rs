//! A link with which a portal starts a sign-in.

use logto_core::{
    sign_in::{ReturnTo, SIGN_IN_RANDOM_BYTES},
    third_party_login::ThirdPartyLogin,
};
use url::form_urlencoded;

use crate::{
    Verdict,
    application::{ISSUER, NOW, config, metadata},
};

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let Ok(login) = ThirdPartyLogin::parse(data) else {
        return Verdict::Refused;
    };
    let given = |name: &str| -> Vec<String> {
        let all = form_urlencoded::parse(data).filter(|(other, _)| other == name);
        all.map(|(_, value)| value.into_owned()).collect()
    };
    assert_eq!(given("iss").len(), 1);
    let Ok(sign_in) = login.sign_in(config()) else {
        assert_ne!(given("iss"), [ISSUER]);
        return Verdict::Refused;
    };
    assert_eq!(given("iss"), [ISSUER]);
    let base_url = config().base_url().expect("it is configured");
    let destination = sign_in.destination(config());
    let url = base_url
        .join(destination.as_str())
        .expect("a browser can go there");
    assert_eq!(url.origin(), base_url.origin(), "an open redirect");
    if given("target_link_uri").is_empty() {
        assert_eq!(destination, ReturnTo::base(base_url));
    }
    let random = [7; SIGN_IN_RANDOM_BYTES];
    let Ok((url, pending)) = sign_in.start(config(), metadata(), &random, NOW) else {
        return Verdict::Refused;
    };
    assert_eq!(url.origin(), metadata().authorization_endpoint().origin());
    assert_eq!(url.path(), metadata().authorization_endpoint().path());
    assert_eq!(pending.return_to(), &destination);
    let sent: Vec<String> = url
        .query_pairs()
        .filter(|(name, _)| name == "login_hint")
        .map(|(_, value)| value.into_owned())
        .collect();
    assert_eq!(sent, given("login_hint"));
    Verdict::Accepted
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let iss = "iss=https%3A%2F%2Ftenant.logto.app%2Foidc";
    [
        iss.to_owned(),
        format!("{iss}&login_hint=alice%40example.com&target_link_uri=%2Forders%3Fpage%3D2"),
        format!("{iss}&target_link_uri=https%3A%2F%2Fshop.example.com%2Forders%3Fa%23b"),
        format!("{iss}&target_link_uri=https%3A%2F%2Fevil.example%2F"),
        format!("{iss}&target_link_uri=javascript%3Aalert(1)"),
        "iss=https%3A%2F%2Fevil.example&login_hint=a&login_hint=b".to_owned(),
    ]
    .map(String::into_bytes)
    .to_vec()
}
