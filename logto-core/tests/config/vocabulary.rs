//! Logto's vocabulary, compared with what the server accepts.

use std::{collections::BTreeSet, fmt::Debug, str::FromStr};

use logto_core::{claims::UserClaims, vocabulary::*};
use proptest::prelude::*;

fn assert_words<T>(all: &[T], words: &[&str])
where
    T: Copy + Debug + PartialEq + ToString + FromStr<Err = UnknownWord> + Into<String>,
{
    assert_eq!(
        all.iter().map(ToString::to_string).collect::<Vec<_>>(),
        words
    );
    for word in all {
        assert_eq!(word.to_string().parse::<T>().unwrap(), *word);
        assert_eq!(Into::<String>::into(*word), word.to_string());
    }
    for not_a_word in [
        "",
        " ",
        "signIn",
        "OPENID",
        "none ",
        "select_account",
        "create",
    ] {
        assert!(
            not_a_word.parse::<T>().is_err(),
            "{not_a_word:?} was taken for a word"
        );
    }
}

#[test]
fn g11_scopes_and_resources_are_the_servers_words() {
    assert_words(ReservedScope::ALL, &["openid", "offline_access"]);
    assert_words(
        UserScope::ALL,
        &[
            "profile",
            "email",
            "phone",
            "address",
            "custom_data",
            "identities",
            "roles",
            "urn:logto:scope:organizations",
            "urn:logto:scope:organization_roles",
            "urn:logto:scope:sessions",
            "urn:logto:scope:trusted_devices",
        ],
    );
    assert_words(ReservedResource::ALL, &["urn:logto:resource:organizations"]);
    assert_eq!(DEFAULT_SCOPES, ["openid", "offline_access", "profile"]);
}

#[test]
fn g7_sign_in_parameters_are_the_servers_words() {
    assert_words(Prompt::ALL, &["none", "consent", "login"]);
    assert_words(
        FirstScreen::ALL,
        &[
            "sign_in",
            "register",
            "reset_password",
            "identifier:sign_in",
            "identifier:register",
            "single_sign_on",
        ],
    );
    assert_words(Identifier::ALL, &["email", "phone", "username"]);
}

#[test]
fn g7_direct_sign_in_is_a_method_and_a_target() {
    for (value, text) in [
        (DirectSignIn::Social("github".into()), "social:github"),
        (DirectSignIn::Sso("conn:1".into()), "sso:conn:1"),
    ] {
        assert_eq!(value.to_string(), text);
        assert_eq!(text.parse::<DirectSignIn>().unwrap(), value);
    }
    for text in [
        "",
        "github",
        "social",
        "social:",
        "sso:",
        ":github",
        "Social:github",
        "saml:x",
    ] {
        assert!(
            text.parse::<DirectSignIn>().is_err(),
            "{text:?} was accepted"
        );
    }
}

#[test]
fn g14_scopes_give_exactly_the_28_claims_each_once() {
    let given: Vec<&str> = UserScope::ALL
        .iter()
        .flat_map(|scope| scope.claims())
        .copied()
        .collect();
    let distinct: BTreeSet<&str> = given.iter().copied().collect();
    assert_eq!(given.len(), 28);
    assert_eq!(distinct, UserClaims::NAMES.iter().copied().collect());
}

#[test]
fn g15_extended_claims_are_not_promised_in_the_id_token() {
    let promised: BTreeSet<&str> = UserScope::ALL
        .iter()
        .flat_map(|scope| scope.id_token_claims())
        .copied()
        .collect();
    let extended: BTreeSet<&str> = UserClaims::NAMES
        .iter()
        .copied()
        .filter(|name| !promised.contains(name))
        .collect();
    assert_eq!(
        extended,
        BTreeSet::from([
            "custom_data",
            "identities",
            "sso_identities",
            "roles",
            "organizations",
            "organization_data",
            "organization_roles",
        ])
    );
}

#[test]
fn organization_urns_are_read_and_written() {
    assert_eq!(
        organization_urn("8z8fuwxwnifo"),
        "urn:logto:organization:8z8fuwxwnifo"
    );
    for (text, id) in [
        ("urn:logto:organization:8z8fuwxwnifo", Some("8z8fuwxwnifo")),
        ("urn:logto:organization:a:b", Some("a:b")),
        ("urn:logto:organization:", None),
        ("urn:logto:organization", None),
        ("URN:LOGTO:ORGANIZATION:1", None),
        (" urn:logto:organization:1", None),
        ("urn:logto:resource:organizations", None),
        ("https://api.example.com", None),
        ("", None),
    ] {
        assert_eq!(organization_id_from_urn(text), id, "{text:?}");
    }
}

#[test]
fn an_unknown_word_is_named_without_control_characters_and_cut() {
    let text = format!("sign\n_in\u{1b}{}", "x".repeat(1000));
    let message = text.parse::<FirstScreen>().unwrap_err().to_string();
    assert!(message.contains("first screen"), "{message}");
    assert!(!message.chars().any(char::is_control), "{message}");
    assert!(message.len() < 200, "{message}");
}

proptest! {
    #[test]
    fn any_organization_id_survives_its_urn(id in ".+") {
        let urn = organization_urn(&id);
        prop_assert_eq!(organization_id_from_urn(&urn), Some(id.as_str()));
    }

    #[test]
    fn parsing_a_direct_sign_in_never_panics_and_loses_nothing(text in ".*") {
        if let Ok(parsed) = text.parse::<DirectSignIn>() {
            prop_assert_eq!(parsed.to_string(), text);
        }
    }
}
