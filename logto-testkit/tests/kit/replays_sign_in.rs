//! Replays of recorded sign-ins: discovery, keys, codes, userinfo.

use http::{StatusCode, header};
use logto_recordings::Recording;

use crate::common::{
    lab::{Ask, EVERYTHING, Lab, ORGANIZATIONS, SHOPPING, SPA, TRADITIONAL},
    member,
    recording::Replay,
};

#[test]
fn recordings_1_2_4_5_discovery_and_keys() {
    let lab = Lab::new();
    for number in [1, 2, 4, 5] {
        let recording = Recording::load(number);
        recording.assert_answered_by(&recording.replay(&lab.logto, &[]));
    }
}

#[test]
fn recording_3_keys_that_are_known_are_not_sent_again() {
    let lab = Lab::new();
    let keys = lab.get("/oidc/jwks");
    let tag = keys.headers()[header::ETAG].to_str().unwrap();
    let recording = Recording::load(3);
    recording.assert_answered_by(&recording.replay(&lab.logto, &[("if-none-match", tag)]));
}

#[test]
fn recordings_6_to_9_the_code_exchange_and_userinfo() {
    let lab = Lab::new();
    let resources = [SHOPPING, ORGANIZATIONS];
    let mut opaque = String::new();
    for number in [7, 6] {
        let recording = Recording::load(number);
        let verifier = recording.param("code_verifier");
        let ask = Ask {
            scope: EVERYTHING,
            resources: &resources,
            verifier: verifier.as_deref(),
            ..Ask::default()
        };
        let response = recording.replay(&lab.logto, &[("code", &lab.code(&ask))]);
        recording.assert_answered_by(&response);
        opaque = member(&response, "access_token");
    }
    for number in [8, 9] {
        let recording = Recording::load(number);
        recording.assert_answered_by(&recording.replay(&lab.logto, &[("bearer", &opaque)]));
    }
}

#[test]
fn recordings_10_to_12_userinfo_refuses() {
    let lab = Lab::new();
    let ask = Ask {
        resources: &[SHOPPING],
        ..Ask::default()
    };
    let jwt = member(&lab.sign_in_for(&ask, Some(SHOPPING)), "access_token");
    for (number, bearer) in [(10, "nonsense"), (11, jwt.as_str()), (12, "")] {
        let recording = Recording::load(number);
        recording.assert_answered_by(&recording.replay(&lab.logto, &[("bearer", bearer)]));
    }
}

#[test]
fn recording_116_userinfo_with_every_scope() {
    let lab = Lab::new();
    let ask = Ask {
        scope: "openid profile email phone address custom_data identities roles \
                urn:logto:scope:organizations urn:logto:scope:organization_roles",
        ..Ask::default()
    };
    let token = member(&lab.sign_in(&ask), "access_token");
    let recording = Recording::load(116);
    recording.assert_answered_by(&recording.replay(&lab.logto, &[("bearer", &token)]));
}

#[test]
fn the_id_token_leaves_out_what_is_large() {
    let lab = Lab::new();
    let ask = Ask {
        scope: "openid profile email phone address custom_data identities roles \
                urn:logto:scope:organizations urn:logto:scope:organization_roles",
        ..Ask::default()
    };
    let claims = crate::common::claims(&member(&lab.sign_in(&ask), "id_token"));
    assert_eq!(claims["address"]["country"], "US");
    assert_eq!(claims["organizations"].as_array().unwrap().len(), 2);
    for large in [
        "custom_data",
        "identities",
        "sso_identities",
        "organization_data",
        "at_hash",
    ] {
        assert!(claims.get(large).is_none(), "{large}");
    }
}

#[test]
fn recordings_45_and_46_a_wrong_verifier_does_not_burn_the_code() {
    let lab = Lab::new();
    let (wrong, right) = (Recording::load(45), Recording::load(46));
    let verifier = right.param("code_verifier");
    let code = lab.code(&Ask {
        verifier: verifier.as_deref(),
        ..Ask::default()
    });
    wrong.assert_answered_by(&wrong.replay(&lab.logto, &[("code", &code)]));
    right.assert_answered_by(&right.replay(&lab.logto, &[("code", &code)]));
}

#[test]
fn recordings_47_to_49_and_53_to_56_requests_that_leave_the_code_alive() {
    let lab = Lab::new();
    let verifier = Recording::load(56).param("code_verifier");
    let code = lab.code(&Ask {
        verifier: verifier.as_deref(),
        ..Ask::default()
    });
    for number in [47, 48, 49, 53, 54, 55, 56] {
        let recording = Recording::load(number);
        let values = [
            ("code", code.as_str()),
            ("code_verifier", verifier.as_deref().unwrap()),
        ];
        recording.assert_answered_by(&recording.replay(&lab.logto, &values));
    }
}

#[test]
fn recordings_50_to_52_and_57_a_replayed_code_revokes_what_it_gave() {
    let lab = Lab::new();
    let replay = Recording::load(50);
    let verifier = replay.param("code_verifier");
    let code = lab.code(&Ask {
        verifier: verifier.as_deref(),
        ..Ask::default()
    });
    let tokens = lab.redeem(TRADITIONAL, &code, verifier.as_deref(), None);
    let refresh_token = member(&tokens, "refresh_token");
    assert!(lab.logto.grant_is_alive(&refresh_token));

    replay.assert_answered_by(&replay.replay(&lab.logto, &[("code", &code)]));
    let refresh = Recording::load(51);
    refresh.assert_answered_by(&refresh.replay(&lab.logto, &[("refresh_token", &refresh_token)]));
    assert!(!lab.logto.grant_is_alive(&refresh_token));
    for number in [52, 57] {
        let recording = Recording::load(number);
        recording.assert_answered_by(&recording.replay(&lab.logto, &[]));
    }
}

#[test]
fn recording_58_a_traditional_app_may_leave_pkce_out() {
    let lab = Lab::new();
    let code = lab.code(&Ask {
        scope: "openid",
        verifier: None,
        ..Ask::default()
    });
    let recording = Recording::load(58);
    recording.assert_answered_by(&recording.replay(&lab.logto, &[("code", &code)]));
}

#[test]
fn a_code_lives_for_sixty_seconds() {
    let lab = Lab::new();
    for (wait, status) in [(59_999, StatusCode::OK), (60_000, StatusCode::BAD_REQUEST)] {
        let code = lab.code(&Ask::default());
        lab.wait(wait);
        let response = lab.redeem(TRADITIONAL, &code, Ask::default().verifier, None);
        assert_eq!(response.status(), status, "after {wait} ms");
    }
}

#[test]
fn recordings_59_to_68_the_authorization_endpoint_refuses() {
    let lab = Lab::new();
    for number in [59, 60, 61, 63, 64, 65, 66, 67, 68] {
        let recording = Recording::load(number);
        let response = recording.replay(&lab.logto, &[]);
        if matches!(number, 59 | 60) {
            recording.assert_error_page(&response);
        } else {
            recording.assert_answered_by(&response);
        }
    }
}

#[test]
fn recordings_62_and_69_to_71_lead_to_the_page_that_the_request_asks_for() {
    let lab = Lab::new();
    for number in [62, 69, 70, 71] {
        let recording = Recording::load(number);
        let response = recording.replay(&lab.logto, &[]);
        recording.assert_answered_by(&response);
        assert!(response.headers().contains_key(header::SET_COOKIE));
    }
}

#[test]
fn recording_117_a_preflight() {
    let lab = Lab::new();
    let recording = Recording::load(117);
    recording.assert_answered_by(&recording.replay(&lab.logto, &[]));
}

#[test]
fn offline_access_needs_consent() {
    use crate::common::lab::{ALWAYS_REFRESH, NATIVE};
    let lab = Lab::new();
    let offline = "openid offline_access";
    for (client, scope, prompt, refresh_token, granted) in [
        (TRADITIONAL, offline, Some("consent"), true, offline),
        (TRADITIONAL, offline, None, false, "openid"),
        (TRADITIONAL, "openid", Some("consent"), false, "openid"),
        (ALWAYS_REFRESH, "openid", None, true, "openid"),
        (ALWAYS_REFRESH, offline, None, true, "openid"),
        (SPA, offline, Some("consent"), true, offline),
        (SPA, offline, None, false, "openid"),
        (NATIVE, offline, Some("consent"), true, offline),
    ] {
        let body = crate::common::json(&lab.sign_in(&Ask {
            client,
            scope,
            prompt,
            ..Ask::default()
        }));
        let case = (client.0, scope, prompt);
        assert_eq!(
            body.get("refresh_token").is_some(),
            refresh_token,
            "{case:?}"
        );
        assert_eq!(body["scope"], granted, "{case:?}");
    }
}

#[test]
fn unknown_scopes_are_dropped() {
    let lab = Lab::new();
    let body = lab.sign_in(&Ask {
        scope: "openid profile nosuchscope",
        ..Ask::default()
    });
    assert_eq!(member(&body, "scope"), "openid profile");
}

#[test]
fn a_json_body_is_read_too() {
    let lab = Lab::new();
    let body = serde_json::json!({
        "grant_type": "refresh_token",
        "refresh_token": lab.refresh_token(&Ask { client: SPA, ..Ask::default() }),
        "client_id": SPA.0,
    });
    let request = http::Request::post("/oidc/token")
        .header(header::CONTENT_TYPE, "application/json")
        .body(body.to_string().into());
    assert_eq!(lab.logto.handle(request.unwrap()).status(), StatusCode::OK);
}
