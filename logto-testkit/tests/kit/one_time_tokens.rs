//! Sign-ins with a one-time token (magic links).

use logto_testkit::{Browser, BrowserError, Logto};
use url::Url;

use crate::common::{
    claims,
    lab::{Ask, Lab, THIRD_PARTY, TRADITIONAL, VERIFIER, authorization_url},
    member, query,
};

const EMAIL: &str = "alice@example.com";
const ALICE: &str = "dknhv6vsaxt5";

fn link(token: &str, email: &str) -> Url {
    let extra = [("one_time_token", token), ("login_hint", email)];
    authorization_url(&Ask {
        extra: &extra,
        ..Ask::default()
    })
}

fn subject(lab: &Lab, callback: &Url) -> String {
    let code = query(callback, "code").unwrap_or_else(|| panic!("no code in {callback}"));
    let tokens = lab.redeem(TRADITIONAL, &code, Some(VERIFIER), None);
    let id_token = claims(&member(&tokens, "id_token"));
    id_token["sub"].as_str().unwrap().to_owned()
}

fn token(logto: &Logto) -> String {
    logto.create_one_time_token(EMAIL).unwrap()
}

fn refused(browser: &Browser, token: &str, email: &str) -> String {
    match browser.visit(&link(token, email)) {
        Err(BrowserError::InvalidLink(code)) => code.to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_one_time_token_signs_its_user_in_once() {
    let lab = Lab::new();
    let token = token(&lab.logto);
    assert_eq!(token.len(), 32);
    let browser = lab.logto.browser();
    let callback = browser.visit(&link(&token, EMAIL)).unwrap().unwrap();
    assert_eq!(subject(&lab, &callback), ALICE);
    let without = authorization_url(&Ask::default());
    assert!(browser.visit(&without).unwrap().is_some(), "a session");

    let elsewhere = refused(&lab.logto.browser(), &token, EMAIL);
    assert_eq!(elsewhere, "one_time_token.token_consumed");
    let again = browser.visit(&link(&token, EMAIL)).unwrap();
    assert!(again.is_some(), "the session of the same user goes on");
}

#[test]
fn a_token_that_is_unknown_foreign_or_too_old_signs_nobody_in() {
    let lab = Lab::new();
    let browser = lab.logto.browser();
    let token = token(&lab.logto);
    for (token, email, code) in [
        ("unknown", EMAIL, "one_time_token.token_not_found"),
        (
            token.as_str(),
            "bob@example.com",
            "one_time_token.email_mismatch",
        ),
        (token.as_str(), "", "one_time_token.email_mismatch"),
    ] {
        assert_eq!(refused(&browser, token, email), code);
    }
    lab.wait(599_999);
    let in_time = lab.logto.sign_in(&link(&token, EMAIL), "alice").unwrap();
    assert!(query(&in_time, "code").is_some());
    let late = lab.logto.create_one_time_token(EMAIL).unwrap();
    lab.wait(600_000);
    let code = refused(&browser, &late, EMAIL);
    assert_eq!(code, "one_time_token.token_expired");
    let without = authorization_url(&Ask::default());
    assert!(browser.visit(&without).unwrap().is_none(), "no session");
    assert_eq!(lab.logto.create_one_time_token("mallory@example.com"), None);
    assert_eq!(lab.logto.create_one_time_token("alice"), None);
}

#[test]
fn a_one_time_token_says_who_signs_in() {
    let lab = Lab::new();
    let named = lab
        .logto
        .sign_in(&link(&token(&lab.logto), EMAIL), "carol")
        .unwrap();
    assert_eq!(subject(&lab, &named), ALICE);

    let browser = lab.logto.browser();
    lab.code_in(
        &browser,
        &Ask {
            user: "bob",
            ..Ask::default()
        },
    );
    let callback = browser.visit(&link(&token(&lab.logto), EMAIL)).unwrap();
    assert_eq!(subject(&lab, &callback.unwrap()), ALICE, "not bob");

    let suspended = token(&lab.logto);
    lab.logto.suspend_user("alice");
    assert_eq!(
        lab.logto.browser().visit(&link(&suspended, EMAIL)),
        Err(BrowserError::UnknownUser(EMAIL.to_owned()))
    );
}

#[test]
fn a_silent_request_leaves_the_token_alone() {
    let lab = Lab::new();
    let token = token(&lab.logto);
    let extra = [("one_time_token", token.as_str()), ("login_hint", EMAIL)];
    let silent = authorization_url(&Ask {
        prompt: Some("none"),
        extra: &extra,
        ..Ask::default()
    });
    let callback = lab.logto.browser().visit(&silent).unwrap().unwrap();
    assert_eq!(query(&callback, "error").as_deref(), Some("login_required"));
    let used = lab.logto.browser().visit(&link(&token, EMAIL)).unwrap();
    assert!(used.is_some());
}

#[test]
fn a_third_party_still_asks_for_consent() {
    let lab = Lab::new();
    let token = token(&lab.logto);
    let extra = [("one_time_token", token.as_str()), ("login_hint", EMAIL)];
    let url = authorization_url(&Ask {
        client: THIRD_PARTY,
        extra: &extra,
        ..Ask::default()
    });
    let browser = lab.logto.browser();
    assert_eq!(browser.visit(&url), Ok(None), "the consent page");
    let callback = browser.sign_in(&url, "nobody").unwrap();
    assert!(query(&callback, "code").is_some(), "the session goes on");
}
