//! From a session to an access token, driven by hand.

use bytes::Bytes;
use http::Response;
use logto_core::{
    Error, Machine, Secret, Session, TokenTarget, UnixTime,
    error::{Advice, UsageError},
    refresh::{Action, Demand, Event, RefreshError, SessionEnd, Step},
    sign_in::CompleteSignIn,
};
use serde_json::json;

use crate::support::{
    SigningKey,
    provider::{
        self, ISSUER, NOW, config, done, json_response, metadata, pending_record, response,
        resumed, sent,
    },
    refreshing::{Refreshed, Refreshing, job},
    signing::{claims, claims_with, claims_without, id_token, jwks_response, keys},
};

const API: &str = "https://api.example.com";

/// A signed-in user who asked for one API resource and for organizations.
fn session() -> Session {
    let (config, metadata) = (config(), metadata());
    let mut record = pending_record(&config);
    let organizations = "urn:logto:scope:organizations";
    record["scopes"] = json!(["openid", "offline_access", "read:orders", organizations]);
    record["resources"] = json!([API, "urn:logto:resource:organizations"]);
    let resumed = resumed(record, &config, &metadata, "the-code");
    let mut machine = CompleteSignIn::new(&config, &metadata, resumed, keys());
    sent(&mut machine);
    let body = json!({
        "access_token": "first-access-token",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": format!("openid offline_access {organizations}"),
        "refresh_token": "first-refresh-token",
        "id_token": id_token(&claims()),
    });
    machine.handle(json_response(200, &body), NOW);
    done(&mut machine).unwrap().session
}

fn api() -> TokenTarget {
    TokenTarget::resource(API)
}

fn refresh(session: &Session, target: &TokenTarget, demand: Demand) -> Refreshing {
    Refreshing::new(session, target, demand)
}

/// The answer to a refresh, with a rotated refresh token.
fn answer(id_token: Option<String>) -> Response<Bytes> {
    let mut body = json!({
        "access_token": "second-access-token",
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "read:orders",
        "refresh_token": "second-refresh-token",
    });
    if let Some(id_token) = id_token {
        body["id_token"] = json!(id_token);
    }
    json_response(200, &body)
}

/// A refresh for the API, with the keys at hand, whose every request is answered like this.
fn refreshed(response: Response<Bytes>) -> Refreshed {
    let mut refreshing = refresh(&session(), &api(), Demand::Usable);
    while refreshing.request().is_some() {
        refreshing.respond(response.clone(), NOW);
    }
    refreshing.done()
}

fn refresh_token_in(refreshed: &Refreshed) -> Option<&str> {
    refreshed.delta.refresh_token.as_ref().map(Secret::expose)
}

fn refresh_token_of(session: &Session) -> &str {
    session.refresh_token().unwrap().expose()
}

#[test]
fn a_usable_token_is_handed_out_without_a_request() {
    let target = TokenTarget::user_info();
    let refreshed = refresh(&session(), &target, Demand::Usable).done();
    let token = refreshed.token.as_ref().unwrap();
    assert_eq!(token.token.expose(), "first-access-token");
    assert!(refreshed.delta.is_empty() && refreshed.requests() == 0);
    assert_eq!(refreshed.session, refreshed.before);
}

#[test]
fn t20_a_missing_token_is_fetched_and_the_change_comes_in_one_piece() {
    let mut session = session();
    let mut refreshing = refresh(&session, &api(), Demand::Usable);
    assert!(refreshing.recorded().is_empty(), "nothing has happened yet");
    assert_eq!(
        refreshing.sent().body(),
        "grant_type=refresh_token&refresh_token=first-refresh-token\
         &resource=https%3A%2F%2Fapi.example.com"
    );
    let mut renamed = claims_with("name", json!("Alice the Second"));
    renamed["iat"] = json!(NOW.as_secs() + 5);
    let later = UnixTime::from_secs(NOW.as_secs() + 5);
    refreshing.respond(answer(Some(id_token(&renamed))), later);
    assert_eq!(refreshing.recorded().len(), 1);
    let refreshed = refreshing.done();

    let token = refreshed.token.as_ref().unwrap();
    assert_eq!(token.token.expose(), "second-access-token");
    assert_eq!(token.issued_at, NOW, "when it was asked for");
    session.apply(&refreshed.delta);
    assert_eq!(refreshed.session, session);
    assert_eq!(refresh_token_of(&session), "second-refresh-token");
    assert_eq!(
        session.claims().user.name.as_deref(),
        Some("Alice the Second")
    );
    assert_eq!(session.changed_at(), later);
    assert_eq!(session.created_at(), NOW);
    assert_eq!(session.access_tokens()[&api()], *token);
    assert_eq!(session.access_tokens().len(), 2);

    let again = refresh(&session, &api(), Demand::Usable).done();
    assert_eq!(again.token.unwrap(), *token);
}

#[test]
fn fapi_refresh_token_test_two_refreshes_with_rotated_tokens() {
    let mut session = session();
    for (spent, new) in [
        ("first-refresh-token", "second-refresh-token"),
        ("second-refresh-token", "third-refresh-token"),
    ] {
        let mut refreshing = refresh(&session, &api(), Demand::New);
        assert_eq!(provider::form(&refreshing.sent())["refresh_token"], spent);
        let body = json!({"access_token": new, "token_type": "Bearer", "refresh_token": new});
        refreshing.respond(json_response(200, &body), NOW);
        let refreshed = refreshing.done();
        session.apply(&refreshed.delta);
        assert_eq!(refreshed.session, session);
        assert_eq!(refreshed.token.unwrap().token.expose(), new);
        assert_eq!(refresh_token_of(&session), new);
    }
}

#[test]
fn a_token_can_be_fetched_although_there_is_a_usable_one() {
    let mut refreshing = refresh(&session(), &TokenTarget::user_info(), Demand::New);
    refreshing.respond(answer(None), NOW);
    let token = refreshing.done().token.unwrap();
    assert_eq!(token.token.expose(), "second-access-token");
}

#[test]
fn a_narrowed_token_comes_without_an_id_token_and_is_kept_apart() {
    let narrowed = api().with_scopes(["read:orders"]);
    let mut session = session();
    let mut refreshing = refresh(&session, &narrowed, Demand::Usable);
    assert_eq!(provider::form(&refreshing.sent())["scope"], "read:orders");
    refreshing.respond(answer(None), NOW);
    let refreshed = refreshing.done();
    assert!(refreshed.delta.id_token.is_none());
    session.apply(&refreshed.delta);
    assert_eq!(refreshed.session, session);
    assert!(session.access_tokens().contains_key(&narrowed));
    assert!(!session.access_tokens().contains_key(&api()));
}

#[test]
fn c76_t21_t22_f12_a_refreshed_id_token_continues_the_session_or_nothing_is_believed() {
    let now = NOW.as_secs();
    for (name, claims, reason) in [
        (
            "t21 refresh-token-invalid-issuer",
            claims_with("iss", json!(format!("{ISSUER}1"))),
            "another issuer",
        ),
        (
            "t22 refresh-token-invalid-sub",
            claims_with("sub", json!("alice1")),
            "`sub`",
        ),
        (
            "aud",
            claims_with("aud", json!("other")),
            "another audience",
        ),
        ("azp appears", claims_with("azp", json!("app-id")), "`azp`"),
        ("nonce", claims_with("nonce", json!("another")), "`nonce`"),
        (
            "iat goes back",
            claims_with("iat", json!(now - 61)),
            "`iat`",
        ),
        ("expired", claims_with("exp", json!(now - 61)), "expired"),
        ("at_hash", claims_with("at_hash", json!("AAAA")), "at_hash"),
    ] {
        let outcome = refreshed(answer(Some(id_token(&claims))));
        let error = outcome.error();
        assert!(matches!(error, Error::Token(_)), "{name}: {error}");
        assert!(error.to_string().contains(reason), "{name}: {error}");
        assert_eq!(
            refresh_token_in(&outcome),
            Some("second-refresh-token"),
            "{name}"
        );
        assert!(outcome.delta.id_token.is_none(), "{name}");
        assert!(outcome.delta.access_token.is_none(), "{name}");

        let before = outcome.before;
        let mut session = before.clone();
        session.apply(&outcome.delta);
        assert_eq!(outcome.session, session, "{name}");
        assert_eq!(refresh_token_of(&session), "second-refresh-token");
        assert_eq!(session.claims(), before.claims());
        assert_eq!(session.id_token(), before.id_token());
        assert_eq!(session.access_tokens(), before.access_tokens());
    }
    for claims in [
        claims(),
        claims_with("iat", json!(now - 60)),
        claims_with("nonce", json!("the-nonce")),
        claims_with("email", json!("new@example.com")),
    ] {
        let outcome = refreshed(answer(Some(id_token(&claims))));
        assert!(
            outcome.token.is_ok() && outcome.delta.id_token.is_some(),
            "{claims}"
        );
    }
    let without_nonce = claims_without("nonce");
    assert!(
        refreshed(answer(Some(id_token(&without_nonce))))
            .token
            .is_ok()
    );
}

#[test]
fn f12_an_id_token_that_is_none_is_refused_and_the_refresh_token_kept() {
    let good = id_token(&claims());
    for bad in ["x", "a.b.c", &good[..good.len() - 1], &format!("{good}.x")] {
        let outcome = refreshed(answer(Some(bad.to_owned())));
        assert!(matches!(outcome.error(), Error::Token(_)), "{bad}");
        assert_eq!(refresh_token_in(&outcome), Some("second-refresh-token"));
    }
}

#[test]
fn f12_a_worthless_access_token_does_not_cost_the_refresh_token() {
    let body = json!({
        "access_token": "a",
        "token_type": "DPoP",
        "refresh_token": "second-refresh-token",
        "id_token": id_token(&claims()),
    });
    let outcome = refreshed(json_response(200, &body));
    assert!(matches!(outcome.error(), Error::Response(_)));
    assert_eq!(refresh_token_in(&outcome), Some("second-refresh-token"));
    assert!(outcome.delta.access_token.is_none());
}

#[test]
fn f6_f12_the_rotation_can_be_stored_before_the_keys_are_asked_for() {
    let new = SigningKey::rs256();
    let start = || {
        let mut refreshing = refresh(&session(), &api(), Demand::Usable);
        refreshing.respond(answer(Some(new.sign(&claims()))), NOW);
        assert_eq!(refreshing.sent().uri().path(), "/oidc/jwks");
        let recorded = refreshing.recorded();
        let [rotated] = &*recorded else {
            panic!("{recorded:?}");
        };
        assert_eq!(
            rotated.refresh_token.as_ref().unwrap().expose(),
            "second-refresh-token"
        );
        assert!(rotated.access_token.is_none() && rotated.id_token.is_none());
        let mut session = refreshing.before().clone();
        session.apply(rotated);
        assert_eq!(*refreshing.stored(), session);
        refreshing
    };
    let mut refreshing = start();
    refreshing.respond(jwks_response(&[new]), NOW);
    assert_eq!(refreshing.keys(), 1);
    let outcome = refreshing.done();
    assert!(outcome.token.is_ok() && outcome.delta.access_token.is_some());
    assert_eq!(refresh_token_in(&outcome), Some("second-refresh-token"));

    for (keys, code) in [
        (jwks_response(&[SigningKey::es384()]), "invalid_token"),
        (response(503, "text/html", ""), "temporarily_unavailable"),
        (response(200, "application/json", "{}"), "invalid_response"),
    ] {
        let mut refreshing = start();
        refreshing.respond(keys, NOW);
        let outcome = refreshing.done();
        assert_eq!(outcome.code(), code);
        assert_eq!(refresh_token_in(&outcome), Some("second-refresh-token"));
        assert!(outcome.delta.access_token.is_none());
    }
}

#[test]
fn f32_a_refresh_token_that_stays_is_not_in_the_delta() {
    for unchanged in [json!("first-refresh-token"), json!(""), json!(null)] {
        let body = json!({
            "access_token": "a", "token_type": "Bearer", "refresh_token": unchanged,
        });
        let outcome = refreshed(json_response(200, &body));
        assert_eq!(refresh_token_in(&outcome), None);
        assert_eq!(refresh_token_of(&outcome.session), "first-refresh-token");

        // Stored after another request has rotated it, it must not bring the old one back.
        let mut session = session();
        session.apply(&refreshed(answer(None)).delta);
        session.apply(&outcome.delta);
        assert_eq!(refresh_token_of(&session), "second-refresh-token");
    }
}

#[test]
fn f13_f14_f16_a_refusal_changes_nothing() {
    for (response, code, advice) in [
        (
            json_response(403, &json!({"error": "access_denied"})),
            "access_denied",
            Advice::Refused,
        ),
        (
            json_response(401, &json!({"error": "invalid_client"})),
            "invalid_client",
            Advice::FixConfiguration,
        ),
        (
            response(503, "text/html", "<html>"),
            "temporarily_unavailable",
            Advice::Retry { after: None },
        ),
        (
            response(200, "text/html", "<html>"),
            "temporarily_unavailable",
            Advice::Retry { after: None },
        ),
        (
            response(307, "text/html", ""),
            "invalid_response",
            Advice::Retry { after: None },
        ),
    ] {
        let outcome = refreshed(response);
        assert_eq!(outcome.error().code(), code);
        assert_eq!(outcome.error().advice(), advice);
        assert!(outcome.delta.is_empty());
        assert_eq!(outcome.session, outcome.before);
    }
    // Only this one ends the session, which changes it as little.
    let outcome = refreshed(json_response(400, &json!({"error": "invalid_grant"})));
    let ended = SessionEnd::RefreshTokenRefused;
    assert_eq!(outcome.token, Err(RefreshError::Ended(ended)));
    assert!(outcome.delta.is_empty());
    assert_eq!(outcome.session, outcome.before);
    let marked = |action: &Action<Error>| matches!(action, Action::MarkEnded(end) if *end == ended);
    assert!(outcome.actions.iter().any(marked));
    assert!(matches!(outcome.actions.last(), Some(Action::Remove)));
}

#[test]
fn s14_a_renewal_that_is_refused_ends_no_session() {
    let mut refreshing = refresh(&session(), &api(), Demand::Renewal);
    while refreshing.request().is_some() {
        refreshing.respond(json_response(400, &json!({"error": "invalid_grant"})), NOW);
    }
    let outcome = refreshing.done();
    let refused = SessionEnd::RefreshTokenRefused;
    assert_eq!(outcome.token, Err(RefreshError::Ended(refused)));
    assert_eq!(outcome.session, outcome.before);
    let ends = |action: &Action<Error>| matches!(action, Action::MarkEnded(_) | Action::Remove);
    assert!(!outcome.actions.iter().any(ends));
}

#[test]
fn f14_what_the_server_would_refuse_is_not_sent() {
    let refused = |target: &TokenTarget, demand| {
        let mut refreshing = refresh(&session(), target, demand);
        assert!(refreshing.request().is_none());
        let outcome = refreshing.done();
        assert!(outcome.delta.is_empty() && outcome.requests() == 0);
        outcome.error().clone()
    };
    let other = TokenTarget::resource("https://other.example.com");
    let delete = api().with_scopes(["delete:orders"]);
    for demand in [Demand::Usable, Demand::New] {
        assert_eq!(
            refused(&other, demand),
            UsageError::ResourceNotRequested("https://other.example.com".into()).into()
        );
        assert_eq!(
            refused(&delete, demand),
            UsageError::ScopeNotGranted("delete:orders".into()).into()
        );
    }
}

#[test]
fn polling_repeats_the_request_and_ends_once() {
    let job = job(config(), &api(), Demand::Usable);
    let mut refreshing = Refreshing::of(job, metadata(), &session(), None, NOW);
    // An exchange gives the same request every time, and the refresh asks for it once.
    let waits = |refreshing: &mut Refreshing| {
        assert!(matches!(refreshing.poll(NOW), Step::Wait { until: None }));
        assert_eq!(refreshing.sent().uri(), refreshing.sent().uri());
        assert_eq!(refreshing.sent().body(), refreshing.sent().body());
        assert!(matches!(refreshing.poll(NOW), Step::Wait { until: None }));
    };
    waits(&mut refreshing);
    refreshing.respond(answer(Some(id_token(&claims()))), NOW);
    waits(&mut refreshing);
    refreshing.respond(jwks_response(&[SigningKey::es384()]), NOW);
    let outcome = refreshing.done();
    assert!(outcome.token.is_ok());
    assert_eq!(outcome.requests(), 2);
    for _ in 0..3 {
        let Step::Done(after) = refreshing.poll(NOW) else {
            panic!("it has ended");
        };
        let already_done = RefreshError::Protocol(UsageError::AlreadyDone.into());
        assert_eq!(after.token.unwrap_err(), already_done);
        assert_eq!(*after.session, outcome.session);
        let late = Event::Failed(UsageError::AlreadyDone.into());
        refreshing.handle(late, NOW);
    }
}
