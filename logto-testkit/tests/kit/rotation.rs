//! Rotation, replay and expiry of refresh tokens, with a manual clock.

use crate::common::{
    lab::{
        ACME, ALWAYS_REFRESH, Ask, Client, GLOBEX, Lab, NATIVE, NO_ROTATION, ORGANIZATIONS,
        SHOPPING, SHORT, SPA, SPA_SHORT, TRADITIONAL,
    },
    member, refusal,
};
use http::StatusCode;

const DAY: u64 = 86_400_000;

fn sign_in(lab: &Lab, client: Client) -> String {
    lab.refresh_token(&Ask {
        client,
        ..Ask::default()
    })
}

/// The refresh token of a refresh, `None` when it is refused with `invalid_grant`.
fn refreshed(lab: &Lab, client: Client, token: &str) -> Option<String> {
    let response = lab.refresh(client, token, &[]);
    if response.status() == StatusCode::OK {
        return Some(member(&response, "refresh_token"));
    }
    assert_eq!(refusal(&response), (400, "invalid_grant".to_owned()));
    None
}

#[test]
fn a_confidential_app_keeps_its_token_until_70_percent() {
    let lab = Lab::new();
    let token = sign_in(&lab, SHORT);
    for _ in 0..3 {
        assert_eq!(refreshed(&lab, SHORT, &token).as_ref(), Some(&token));
    }
    lab.wait(13_999);
    assert_eq!(refreshed(&lab, SHORT, &token).as_ref(), Some(&token));
    lab.wait(1);
    let rotated = refreshed(&lab, SHORT, &token).unwrap();
    assert_ne!(rotated, token);
    assert_eq!(
        lab.logto.latest_refresh_token(&token),
        Some(rotated.clone())
    );
    lab.wait(19_999);
    assert!(
        refreshed(&lab, SHORT, &rotated).is_some(),
        "its lifetime began anew"
    );
}

#[test]
fn replay_within_three_seconds_forks() {
    let lab = Lab::new();
    let token = sign_in(&lab, SHORT);
    lab.wait(14_000);
    let first = refreshed(&lab, SHORT, &token).unwrap();
    lab.wait(3_000);
    let second = refreshed(&lab, SHORT, &token).unwrap();
    assert_ne!(first, second);
    assert!(lab.logto.refresh_token_is_usable(&first));
    assert!(lab.logto.refresh_token_is_usable(&second));
}

#[test]
fn every_replay_starts_the_three_seconds_anew() {
    let lab = Lab::new();
    let token = sign_in(&lab, SPA);
    for _ in 0..10 {
        assert!(refreshed(&lab, SPA, &token).is_some());
        lab.wait(2_999);
    }
    lab.wait(2);
    assert_eq!(refreshed(&lab, SPA, &token), None);
}

#[test]
fn a_late_replay_ends_the_grant_of_a_confidential_app() {
    let lab = Lab::new();
    let token = sign_in(&lab, SHORT);
    lab.wait(14_000);
    let rotated = refreshed(&lab, SHORT, &token).unwrap();
    lab.wait(3_001);
    assert_eq!(refreshed(&lab, SHORT, &token), None);
    assert_eq!(refreshed(&lab, SHORT, &rotated), None);
    assert!(!lab.logto.grant_is_alive(&rotated));
    assert_eq!(lab.logto.late_replays(), 1);
}

#[test]
fn a_public_app_rotates_at_every_refresh() {
    let lab = Lab::new();
    for client in [SPA, NATIVE] {
        let token = sign_in(&lab, client);
        let first = refreshed(&lab, client, &token).unwrap();
        let second = refreshed(&lab, client, &token).unwrap();
        assert!(first != token && second != token && first != second);
        let newest = refreshed(&lab, client, &first).unwrap();
        let opaque = member(&lab.refresh(client, &newest, &[]), "access_token");
        assert_eq!(lab.userinfo(&opaque).status(), StatusCode::OK);
        lab.wait(3_001);
        assert_eq!(refreshed(&lab, client, &token), None);
        assert_eq!(refreshed(&lab, client, &newest), None);
        assert_eq!(lab.userinfo(&opaque).status(), StatusCode::UNAUTHORIZED);
    }
}

#[test]
fn parallel_refreshes_all_succeed() {
    let lab = Lab::new();
    let token = sign_in(&lab, SPA);
    let tokens: Vec<_> = std::thread::scope(|scope| {
        let refreshes: Vec<_> = (0..5)
            .map(|_| scope.spawn(|| refreshed(&lab, SPA, &token).unwrap()))
            .collect();
        refreshes
            .into_iter()
            .map(|refresh| refresh.join().unwrap())
            .collect()
    });
    let distinct: std::collections::HashSet<_> = tokens.iter().collect();
    assert_eq!(distinct.len(), 5);
}

#[test]
fn an_expired_token_is_refused_and_ends_nothing_else() {
    let lab = Lab::new();
    let token = sign_in(&lab, SHORT);
    lab.wait(14_000);
    let rotated = refreshed(&lab, SHORT, &token).unwrap();
    lab.wait(6_000);
    assert_eq!(refreshed(&lab, SHORT, &token), None);
    assert!(refreshed(&lab, SHORT, &rotated).is_some());
}

#[test]
fn without_rotation_the_token_stays_to_its_end() {
    let lab = Lab::new();
    let token = sign_in(&lab, NO_ROTATION);
    lab.wait(19_999);
    assert_eq!(refreshed(&lab, NO_ROTATION, &token).as_ref(), Some(&token));
    lab.wait(1);
    assert_eq!(refreshed(&lab, NO_ROTATION, &token), None);
}

#[test]
fn a_public_apps_session_has_a_fixed_end() {
    let lab = Lab::new();
    let token = sign_in(&lab, SPA_SHORT);
    lab.wait(10_000);
    let rotated = refreshed(&lab, SPA_SHORT, &token).unwrap();
    lab.wait(11_500);
    assert_eq!(refreshed(&lab, SPA_SHORT, &rotated), None);
}

#[test]
fn a_grant_ends_after_180_days_however_often_it_was_refreshed() {
    let lab = Lab::new();
    let mut token = sign_in(&lab, TRADITIONAL);
    for _ in 0..17 {
        lab.wait(10 * DAY);
        token = refreshed(&lab, TRADITIONAL, &token).unwrap();
    }
    lab.wait(10 * DAY - 1);
    token = refreshed(&lab, TRADITIONAL, &token).unwrap();
    lab.wait(1);
    assert_eq!(refreshed(&lab, TRADITIONAL, &token), None);
}

/// A user who is no member, or a session without the scope for organizations: neither denial spends the token.
#[test]
fn organization_denials_come_before_the_rotation_and_unknown_targets_after() {
    let lab = Lab::new();
    let ask = Ask {
        client: SPA,
        scope: "openid offline_access urn:logto:scope:organizations",
        resources: &[ORGANIZATIONS],
        ..Ask::default()
    };
    let token = lab.refresh_token(&ask);
    for organization in [GLOBEX, "nope"] {
        let denied = lab.refresh(SPA, &token, &[("organization_id", organization)]);
        assert_eq!(refusal(&denied), (403, "access_denied".to_owned()));
        assert_eq!(
            lab.logto.latest_refresh_token(&token).as_ref(),
            Some(&token)
        );
    }
    assert_eq!(
        lab.refresh(SPA, &token, &[("organization_id", ACME)])
            .status(),
        StatusCode::OK
    );

    let token = lab.refresh_token(&ask);
    let lost = lab.refresh(SPA, &token, &[("resource", SHOPPING)]);
    assert_eq!(refusal(&lost), (400, "invalid_target".to_owned()));
    lab.wait(3_001);
    assert_eq!(
        refreshed(&lab, SPA, &token),
        None,
        "its successor was in no response"
    );
}

#[test]
fn a_suspended_user_gets_no_tokens_and_keeps_the_grant() {
    let lab = Lab::new();
    let tokens = lab.sign_in(&Ask {
        client: SPA,
        ..Ask::default()
    });
    let token = member(&tokens, "refresh_token");
    assert!(lab.logto.suspend_user("alice"));
    assert_eq!(refreshed(&lab, SPA, &token), None);
    let opaque = member(&tokens, "access_token");
    assert_eq!(lab.userinfo(&opaque).status(), StatusCode::UNAUTHORIZED);
    assert!(lab.logto.reactivate_user("alice"));
    assert!(refreshed(&lab, SPA, &token).is_some());
}

#[test]
fn a_revoked_grant_gives_nothing() {
    let lab = Lab::new();
    let token = sign_in(&lab, TRADITIONAL);
    assert!(lab.logto.revoke_grant(&token));
    assert!(!lab.logto.revoke_grant("nonsense"));
    assert_eq!(refreshed(&lab, TRADITIONAL, &token), None);
}

#[test]
fn a_token_without_offline_access_ends_with_the_session() {
    let lab = Lab::new();
    let ask = Ask {
        client: ALWAYS_REFRESH,
        scope: "openid",
        prompt: None,
        ..Ask::default()
    };
    let token = lab.refresh_token(&ask);
    lab.wait(10 * DAY);
    let token = refreshed(&lab, ALWAYS_REFRESH, &token).unwrap();
    lab.wait(4 * DAY);
    assert_eq!(
        refreshed(&lab, ALWAYS_REFRESH, &token),
        None,
        "the session was 14 days old"
    );
}
