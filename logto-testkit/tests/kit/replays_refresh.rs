//! Replays of the recorded refreshes.

use logto_recordings::Recording;

use crate::common::{
    lab::{
        ACME, Ask, DEVICE, EVERYTHING, GLOBEX, INITECH, Lab, ORGANIZATIONS, SHOPPING, SHORT, SPA,
        SPA_SHORT, TRADITIONAL,
    },
    member,
    recording::Replay,
    refusal,
};

/// The lab's main sign-in.
fn everything<'a>() -> Ask<'a> {
    Ask {
        scope: EVERYTHING,
        resources: &[SHOPPING, ORGANIZATIONS],
        ..Ask::default()
    }
}

#[test]
fn recordings_13_to_31_refreshes_of_a_young_token() {
    let lab = Lab::new();
    let token = lab.refresh_token(&everything());
    for number in (13..=28).chain([30, 29, 31]) {
        let recording = Recording::load(number);
        let values = [("refresh_token", token.as_str())];
        let values = if number == 29 {
            &values[..0]
        } else {
            &values[..]
        };
        recording.assert_answered_by(&recording.replay(&lab.logto, values));
    }
    assert!(
        lab.logto.refresh_token_is_usable(&token),
        "no refusal spends a young token"
    );
}

#[test]
fn recordings_32_and_33_a_sign_in_that_asked_for_little() {
    let lab = Lab::new();
    let token = lab.refresh_token(&Ask {
        resources: &[SHOPPING],
        ..Ask::default()
    });
    for number in [32, 33] {
        let recording = Recording::load(number);
        recording.assert_answered_by(&recording.replay(&lab.logto, &[("refresh_token", &token)]));
    }
}

#[test]
fn recordings_34_to_38_a_confidential_app() {
    let lab = Lab::new();
    let recording = Recording::load(34);
    let young = lab.refresh_token(&Ask::default());
    let response = recording.replay(&lab.logto, &[("refresh_token", &young)]);
    recording.assert_answered_by(&response);
    assert_eq!(member(&response, "refresh_token"), young);

    let old = lab.refresh_token(&Ask {
        client: SHORT,
        ..Ask::default()
    });
    lab.wait(14_700);
    let mut rotated = String::new();
    for (number, wait) in [(35, 500), (36, 4_000), (37, 0)] {
        let recording = Recording::load(number);
        let response = recording.replay(&lab.logto, &[("refresh_token", &old)]);
        recording.assert_answered_by(&response);
        if number == 35 {
            rotated = member(&response, "refresh_token");
            assert_ne!(rotated, old);
        }
        lab.wait(wait);
    }
    let recording = Recording::load(38);
    recording.assert_answered_by(&recording.replay(&lab.logto, &[("refresh_token", &rotated)]));
    assert_eq!(lab.logto.late_replays(), 1);
}

#[test]
fn recordings_39_to_43_a_single_page_app() {
    let lab = Lab::new();
    let first = lab.refresh_token(&Ask {
        client: SPA,
        ..Ask::default()
    });
    let (mut newest, mut access_token) = (String::new(), String::new());
    for number in [39, 40] {
        let recording = Recording::load(number);
        let response = recording.replay(&lab.logto, &[("refresh_token", &first)]);
        recording.assert_answered_by(&response);
        newest = member(&response, "refresh_token");
        access_token = member(&response, "access_token");
    }
    lab.wait(3_001);
    for (number, token) in [(41, &first), (42, &newest)] {
        let recording = Recording::load(number);
        recording.assert_answered_by(&recording.replay(&lab.logto, &[("refresh_token", token)]));
    }
    let recording = Recording::load(43);
    recording.assert_answered_by(&recording.replay(&lab.logto, &[("bearer", &access_token)]));
}

#[test]
fn recording_44_an_expired_token() {
    let lab = Lab::new();
    let token = lab.refresh_token(&Ask {
        client: SPA_SHORT,
        ..Ask::default()
    });
    lab.wait(20_000);
    let recording = Recording::load(44);
    recording.assert_answered_by(&recording.replay(&lab.logto, &[("refresh_token", &token)]));
}

#[test]
fn recordings_103_to_107_a_device() {
    let lab = Lab::new();
    let begin = Recording::load(103);
    let response = begin.replay(&lab.logto, &[]);
    begin.assert_answered_by(&response);
    let (device_code, user_code) = (
        member(&response, "device_code"),
        member(&response, "user_code"),
    );

    let mut refresh_token = String::new();
    for number in [104, 105, 107] {
        if number == 105 {
            assert!(lab.logto.approve_device(&user_code, "alice"));
        }
        let recording = Recording::load(number);
        let response = recording.replay(&lab.logto, &[("device_code", &device_code)]);
        recording.assert_answered_by(&response);
        if number == 105 {
            refresh_token = member(&response, "refresh_token");
        }
    }
    let recording = Recording::load(106);
    let values = [("refresh_token", refresh_token.as_str())];
    recording.assert_answered_by(&recording.replay(&lab.logto, &values));
}

#[test]
fn recording_102_an_app_that_is_for_no_device() {
    let recording = Recording::load(102);
    recording.assert_answered_by(&recording.replay(&Lab::new().logto, &[]));
}

#[test]
fn a_denied_and_an_expired_device_are_told() {
    let lab = Lab::new();
    let poll = |device_code: &str| {
        let grant_type = "urn:ietf:params:oauth:grant-type:device_code";
        lab.token(
            DEVICE,
            &[("grant_type", grant_type), ("device_code", device_code)],
        )
    };
    let begin = || lab.post("/oidc/device/auth", DEVICE, &[("scope", "openid")]);
    let denied = begin();
    assert!(lab.logto.deny_device(&member(&denied, "user_code")));
    assert!(
        !lab.logto
            .approve_device(&member(&denied, "user_code"), "alice")
    );
    let refused = refusal(&poll(&member(&denied, "device_code")));
    assert_eq!(refused, (400, "access_denied".to_owned()));

    let slow = begin();
    lab.wait(600_000);
    let refused = refusal(&poll(&member(&slow, "device_code")));
    assert_eq!(refused, (400, "expired_token".to_owned()));
}

/// Permissions are the user's own and those of their organizations, within what was granted.
#[test]
fn permissions_by_user_and_organization() {
    let lab = Lab::new();
    let (both, read) = ("read:products write:products", "read:products");
    for (user, resource, organization, scope) in [
        ("bob", Some(SHOPPING), None, both),
        ("bob", Some(SHOPPING), Some(GLOBEX), both),
        ("bob", None, Some(GLOBEX), "write:shipments read:shipments"),
        ("carol", Some(SHOPPING), None, both),
        ("carol", Some(SHOPPING), Some(ACME), read),
        ("carol", Some(SHOPPING), Some(GLOBEX), both),
        ("alice", Some(SHOPPING), Some(INITECH), both),
    ] {
        let token = lab.refresh_token(&Ask {
            user,
            ..everything()
        });
        let more: Vec<_> = resource
            .map(|resource| ("resource", resource))
            .into_iter()
            .chain(organization.map(|organization| ("organization_id", organization)))
            .collect();
        let response = lab.refresh(TRADITIONAL, &token, &more);
        assert_eq!(
            member(&response, "scope"),
            scope,
            "{user} {resource:?} {organization:?}"
        );
        let claims = crate::common::claims(&member(&response, "access_token"));
        let claimed = organization.filter(|_| resource.is_some());
        assert_eq!(
            claims.get("organization_id").and_then(|id| id.as_str()),
            claimed
        );
    }
}

#[test]
fn two_resources_in_one_request_count_as_none() {
    let lab = Lab::new();
    let token = lab.refresh_token(&everything());
    let more = [("resource", SHOPPING), ("resource", ORGANIZATIONS)];
    let response = lab.refresh(TRADITIONAL, &token, &more);
    assert_eq!(
        member(&response, "access_token").len(),
        43,
        "an opaque token"
    );
}

#[test]
fn claims_are_read_anew_and_narrow_with_the_scope() {
    let lab = Lab::new();
    let token = lab.refresh_token(&everything());
    assert!(
        lab.logto
            .update_user("alice", |alice| alice.name("Alice B. Lab"))
    );
    assert!(lab.logto.remove_member(INITECH, "alice"));
    let claims = |more: &[(&str, &str)]| {
        crate::common::claims(&member(&lab.refresh(TRADITIONAL, &token, more), "id_token"))
    };
    assert_eq!(claims(&[])["name"], "Alice B. Lab");
    assert_eq!(claims(&[])["organizations"], serde_json::json!([ACME]));
    let narrow = claims(&[("scope", "openid email")]);
    assert_eq!(narrow["email"], "alice@example.com");
    assert!(narrow.get("name").is_none());
    assert_eq!(narrow["nonce"], "Q1rSyedAWtL-IMwx0D7kOw");
}
