//! The session value: reading, planning, applying deltas, serialization.

use std::{collections::BTreeSet, time::Duration};

use logto_core::{
    AccessToken, Error, LogtoConfig, Secret, Session, TokenTarget, UnixTime,
    error::{Advice, UsageError},
    refresh::Demand,
    session::SessionDelta,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{
    provider::{self, NOW, builder, config, metadata},
    refreshing::{Refreshing, job},
    sessions::{API, at, delta, id_token, record, session, session_with, token_record},
};

fn api() -> TokenTarget {
    TokenTarget::resource(API)
}

fn token(token: &str, scopes: &[&str], expires_in: i64) -> AccessToken {
    serde_json::from_value(token_record(token, scopes, expires_in)).unwrap()
}

/// A refresh of `session` that begins at `now`.
fn refreshing(session: &Session, target: &TokenTarget, now: UnixTime) -> Refreshing {
    let job = job(config(), target, Demand::Usable);
    Refreshing::of(job, metadata(), session, None, now)
}

/// `use` with the token, `refresh` with the request's parameters, or the error's code.
fn planned(session: &Session, target: &TokenTarget, now: UnixTime) -> String {
    let mut refreshing = refreshing(session, target, now);
    let Some(request) = refreshing.request() else {
        let outcome = refreshing.done();
        return match &outcome.token {
            Ok(token) => format!("use {}", token.token.expose()),
            Err(_) => outcome.error().code().to_owned(),
        };
    };
    let form = provider::form(&request);
    let named = ["resource", "organization_id", "scope"]
        .iter()
        .filter_map(|name| form.get(*name).map(|value| format!(" {name}={value}")));
    format!("refresh{}", named.collect::<String>())
}

#[test]
fn the_plan_uses_refreshes_or_refuses_without_a_request() {
    let session = session();
    let organization = || TokenTarget::organization("org1");
    let template = || TokenTarget::resource("urn:logto:resource:organizations");
    for (target, seconds, expected) in [
        (TokenTarget::user_info(), 0, "use for-userinfo"),
        (TokenTarget::user_info(), 3539, "use for-userinfo"),
        (TokenTarget::user_info(), 3540, "refresh"),
        (TokenTarget::user_info(), 1_000_000, "refresh"),
        (TokenTarget::user_info(), -60, "use for-userinfo"),
        (TokenTarget::user_info(), -61, "refresh"),
        (api(), 0, "use for-the-api"),
        (api(), 540, "refresh resource=https://api.example.com"),
        (
            api().with_scopes(["read:orders"]),
            0,
            "refresh resource=https://api.example.com scope=read:orders",
        ),
        (
            api().in_organization("org1"),
            0,
            "refresh resource=https://api.example.com organization_id=org1",
        ),
        (organization(), 0, "refresh organization_id=org1"),
        (
            organization().with_scopes(["read:orders"]),
            0,
            "refresh organization_id=org1 scope=read:orders",
        ),
        (
            template(),
            0,
            "refresh resource=urn:logto:resource:organizations",
        ),
        (
            TokenTarget::resource("https://api.example.com/"),
            0,
            "resource_not_requested",
        ),
        (
            TokenTarget::resource("https://other.example.com"),
            0,
            "resource_not_requested",
        ),
        (api().with_scopes(["delete:orders"]), 0, "scope_not_granted"),
        (
            api().with_scopes(["read:orders", "delete:orders"]),
            0,
            "scope_not_granted",
        ),
    ] {
        assert_eq!(
            planned(&session, &target, at(seconds)),
            expected,
            "{target} {seconds}"
        );
    }
}

#[test]
fn f14_organization_tokens_need_the_granted_scope() {
    let not_granted = session_with("granted_scopes", json!(["openid"]));
    for target in [
        TokenTarget::organization("org1"),
        api().in_organization("org1"),
    ] {
        assert_eq!(
            planned(&not_granted, &target, NOW),
            "missing_scope_organizations"
        );
        let error = not_granted
            .refresh(&config(), &metadata(), &target, NOW)
            .unwrap_err();
        assert_eq!(error, UsageError::OrganizationsScopeMissing);
        assert_eq!(Error::from(error).advice(), Advice::FixConfiguration);
    }
}

#[test]
fn without_a_refresh_token_only_usable_tokens_are_to_be_had() {
    let session = session_with("refresh_token", Value::Null);
    assert_eq!(planned(&session, &api(), NOW), "use for-the-api");
    assert_eq!(planned(&session, &api(), at(600)), "no_refresh_token");
    let error = UsageError::NoRefreshToken;
    assert_eq!(Error::from(error).advice(), Advice::SignInAgain);
    // What can never be had is said first.
    let other = TokenTarget::resource("https://other.example.com");
    assert_eq!(planned(&session, &other, NOW), "resource_not_requested");
}

#[test]
fn a_token_that_may_not_be_asked_for_is_not_handed_out_from_memory_either() {
    let session = session_with("requested_resources", json!([]));
    assert_eq!(planned(&session, &api(), NOW), "resource_not_requested");
    assert!(session.usable_token(&config(), &api(), NOW).is_some());
}

#[test]
fn x4_the_leeway_is_the_configured_one_but_leaves_short_tokens_usable() {
    let with_leeway = |seconds: u64| -> LogtoConfig {
        builder()
            .expiry_leeway(Duration::from_secs(seconds))
            .build()
            .unwrap()
    };
    let session = session();
    for (leeway, usable_until) in [(0, 600), (60, 540), (150, 450), (3600, 450)] {
        let config = with_leeway(leeway);
        let usable = |seconds| session.usable_token(&config, &api(), at(seconds)).is_some();
        assert!(
            usable(usable_until - 1) && !usable(usable_until),
            "{leeway}"
        );
    }
}

#[test]
fn x15_missing_scopes_are_those_that_nothing_holds() {
    let session = session();
    let missing: Vec<&str> = session.missing_scopes().into_iter().collect();
    assert_eq!(missing, ["email"]);
    let mut without_token = session.clone();
    assert!(without_token.forget(&api()));
    assert!(!without_token.forget(&api()));
    let missing: Vec<&str> = without_token.missing_scopes().into_iter().collect();
    assert_eq!(missing, ["email", "read:orders"]);
    assert!(session.has_offline_access());
    assert!(!session_with("granted_scopes", json!(["openid"])).has_offline_access());
}

#[test]
fn b6_organizations_are_forgotten_until_the_next_id_token() {
    let with_many = json!({
        "name": "Alice",
        "organizations": ["acme", "globex"],
        "organization_roles": ["acme:member"],
        "organization_data": [{"id": "acme", "name": "Acme"}],
    });
    let mut session = session_with("id_token", json!(id_token(&with_many)));
    let before = session.clone();
    assert!(session.forget_organizations());
    assert!(!session.forget_organizations(), "there are none any more");

    assert_eq!(session.id_token(), None, "what is left was never issued");
    let user = &session.claims().user;
    assert!(user.organizations.is_absent() && user.organization_data.is_absent());
    assert!(user.organization_roles.is_absent());
    assert_eq!(user.name, before.claims().user.name);
    assert_eq!(session.claims().sub, before.claims().sub);
    assert_eq!(session.claims().iat, before.claims().iat);

    let json = serde_json::to_value(&session).unwrap();
    assert_eq!(
        serde_json::from_value::<Session>(json).unwrap(),
        session,
        "it is stored like this"
    );

    session.apply(&delta(
        json!({"id_token": id_token(&with_many), "forgotten": []}),
    ));
    assert_eq!(session.claims(), before.claims());
    assert!(session.id_token().is_some());
}

#[test]
fn x9_a_change_is_committed_as_a_whole() {
    let mut session = session();
    let new = token_record("new-for-the-api", &["read:orders"], 900);
    session.apply(&delta(json!({
        "refresh_token": "rotated",
        "id_token": id_token(&json!({"name": "Alice"})),
        "access_token": [{"resource": API}, new],
        "forgotten": [{}],
        "at": at(5),
    })));
    assert_eq!(session.refresh_token().unwrap().expose(), "rotated");
    assert_eq!(session.claims().user.name.as_deref(), Some("Alice"));
    assert_eq!(session.id_token().unwrap().expose(), id_token_in(&session));
    let targets: Vec<&TokenTarget> = session.access_tokens().keys().collect();
    assert_eq!(targets, [&api()]);
    assert_eq!(
        session.access_tokens()[&api()],
        token("new-for-the-api", &["read:orders"], 900)
    );
    assert_eq!((session.created_at(), session.changed_at()), (NOW, at(5)));
    assert_eq!(session.id().as_bytes(), &[7; 16]);
}

fn id_token_in(session: &Session) -> String {
    serde_json::to_value(session).unwrap()["id_token"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn an_empty_delta_changes_nothing_and_time_does_not_go_back() {
    let mut changed = session();
    let empty = SessionDelta::default();
    assert!(empty.is_empty());
    changed.apply(&empty);
    assert_eq!(changed, session());

    let dated = delta(json!({"at": at(-100)}));
    assert!(dated.is_empty(), "a date alone is no change");
    changed.apply(&dated);
    assert_eq!(changed.changed_at(), NOW);
    for change in [
        json!({"refresh_token": "r"}),
        json!({"id_token": id_token(&json!({}))}),
        json!({"access_token": [{}, token_record("t", &[], 1)]}),
        json!({"forgotten": [{}]}),
    ] {
        assert!(!delta(change.clone()).is_empty(), "{change}");
    }
}

#[test]
fn f32_two_writers_are_merged_in_either_order() {
    let one = delta(json!({
        "access_token": [{"organization_id": "org1"}, token_record("one", &[], 600)],
        "at": at(1),
    }));
    let other = delta(json!({
        "access_token": [{"organization_id": "org2"}, token_record("other", &[], 600)],
        "refresh_token": "rotated",
        "at": at(2),
    }));
    let applied = |deltas: [&SessionDelta; 2]| {
        let mut session = session();
        deltas.into_iter().for_each(|delta| session.apply(delta));
        session
    };
    let merged = applied([&one, &other]);
    assert_eq!(merged, applied([&other, &one]));
    assert_eq!(merged.access_tokens().len(), 4);
    assert_eq!(merged.refresh_token().unwrap().expose(), "rotated");
    assert_eq!(merged.changed_at(), at(2));
    assert_eq!(
        merged,
        applied([&other, &other]).merged_with(&one),
        "twice is once"
    );
}

trait MergedWith {
    fn merged_with(self, delta: &SessionDelta) -> Self;
}

impl MergedWith for Session {
    fn merged_with(mut self, delta: &SessionDelta) -> Self {
        self.apply(delta);
        self
    }
}

#[test]
fn a_token_remembers_when_it_was_handed_out_last() {
    let mut session = session();
    session.touch(&api(), at(30));
    assert_eq!(session.access_tokens()[&api()].last_used, at(30));
    session.touch(&api(), at(20));
    assert_eq!(session.access_tokens()[&api()].last_used, at(30));
    let before = session.clone();
    session.touch(&TokenTarget::organization("org1"), at(40));
    assert_eq!(session, before);
}

#[test]
fn secrets_compare_by_value() {
    assert_eq!(Secret::from("a"), Secret::new("a".to_owned()));
    for other in ["b", "", "aa", "A", "a\0"] {
        assert_ne!(Secret::from("a"), Secret::from(other), "{other:?}");
    }
}

proptest! {
    #[test]
    fn f53_no_time_panics(now in any::<i64>(), then in any::<i64>(), seconds in any::<u64>()) {
        let (now, then) = (UnixTime::from_secs(now), UnixTime::from_secs(then));
        let duration = Duration::from_secs(seconds);
        prop_assert!(now.plus(duration) >= now && now.minus(duration) <= now);
        prop_assert_eq!(now.since(then).is_zero(), now <= then);
        let session = session();
        let _ = refreshing(&session, &api(), now).request();
        let _ = session.usable_token(&config(), &TokenTarget::user_info(), now);
    }

    #[test]
    fn f50_f53_a_token_is_usable_only_within_its_life(
        issued_at in any::<i64>(), expires_at in any::<i64>(), now in any::<i64>(), leeway in any::<u64>(),
    ) {
        let token: AccessToken = serde_json::from_value(json!({
            "token": "t", "scopes": [], "issued_at": issued_at, "expires_at": expires_at,
            "last_used": issued_at,
        })).unwrap();
        if token.is_usable(UnixTime::from_secs(now), Duration::from_secs(leeway)) {
            prop_assert!(now < expires_at);
            prop_assert!(i128::from(now) >= i128::from(issued_at) - 60);
        }
    }

    #[test]
    fn f33_no_stored_text_panics(text in ".{0,100}", id_token in "[A-Za-z0-9_.-]{0,60}") {
        let _ = serde_json::from_str::<Session>(&text);
        let mut record = record();
        record["id_token"] = json!(id_token);
        prop_assert!(serde_json::from_value::<Session>(record).is_err());
    }

    #[test]
    fn f32_deltas_for_different_tokens_commute(
        names in prop::collection::btree_set("[a-z]{1,4}", 0..6),
    ) {
        let deltas: Vec<SessionDelta> = names
            .iter()
            .map(|name| delta(json!({
                "access_token": [{"organization_id": name}, token_record(name, &[], 600)],
            })))
            .collect();
        let forwards = deltas.iter().fold(session(), MergedWith::merged_with);
        let backwards = deltas.iter().rev().fold(session(), MergedWith::merged_with);
        prop_assert_eq!(&forwards, &backwards);
        let kept: BTreeSet<&str> = forwards
            .access_tokens()
            .keys()
            .filter_map(TokenTarget::organization_id)
            .collect();
        prop_assert_eq!(kept, names.iter().map(String::as_str).collect());
    }
}

#[test]
fn a_target_says_what_its_token_is_for() {
    let api = || TokenTarget::resource("https://api.example.com");
    for (target, text) in [
        (TokenTarget::user_info(), "userinfo"),
        (api(), "resource https://api.example.com"),
        (TokenTarget::organization("org1"), "organization org1"),
        (
            api().in_organization("org1"),
            "resource https://api.example.com in organization org1",
        ),
        (
            api().with_scopes(["write", "read"]),
            "resource https://api.example.com with read write",
        ),
    ] {
        assert_eq!(target.to_string(), text);
    }
}

#[test]
fn without_a_refresh_token_nothing_can_be_fetched() {
    assert_eq!(session().can_fetch(&api()), Ok(()));
    let without = session_with("refresh_token", Value::Null);
    assert_eq!(without.can_fetch(&api()), Err(UsageError::NoRefreshToken));
    let other = TokenTarget::resource("https://other.example.com");
    let refused = without.can_fetch(&other);
    assert!(matches!(refused, Err(UsageError::ResourceNotRequested(_))));
}
