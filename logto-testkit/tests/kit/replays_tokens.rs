//! Replays of recorded revocations, introspections, machine-to-machine tokens, token exchanges and pushed requests.

use http::StatusCode;
use logto_recordings::Recording;
use url::Url;

use crate::common::{
    lab::{
        Ask, CALLBACK, EVERYTHING, EXCHANGE, Lab, ORGANIZATIONS, SHOPPING, TRADITIONAL, VERIFIER,
    },
    member, query,
    recording::Replay,
    refusal,
};

struct Tokens {
    opaque: String,
    jwt: String,
    refresh_token: String,
}

/// Without organization permissions, as in the lab's section 6.
fn tokens(lab: &Lab) -> Tokens {
    let ask = Ask {
        scope: "openid offline_access profile email roles urn:logto:scope:organizations \
                urn:logto:scope:organization_roles read:products write:products",
        resources: &[SHOPPING],
        ..Ask::default()
    };
    let first = lab.sign_in(&ask);
    let refresh_token = member(&first, "refresh_token");
    let api = lab.refresh(TRADITIONAL, &refresh_token, &[("resource", SHOPPING)]);
    Tokens {
        opaque: member(&first, "access_token"),
        jwt: member(&api, "access_token"),
        refresh_token,
    }
}

fn replay(lab: &Lab, number: u16, values: &[(&str, &str)]) {
    let recording = Recording::load(number);
    recording.assert_answered_by(&recording.replay(&lab.logto, values));
}

#[test]
fn recordings_72_to_77_introspection() {
    let lab = Lab::new();
    let tokens = tokens(&lab);
    replay(&lab, 72, &[("token", &tokens.opaque)]);
    replay(&lab, 73, &[("token", &tokens.refresh_token)]);
    replay(&lab, 74, &[("token", &tokens.jwt)]);
    replay(&lab, 75, &[("token", &tokens.opaque)]);
    replay(&lab, 76, &[]);
    replay(&lab, 77, &[("token", &tokens.opaque)]);
}

/// An opaque access token takes the refresh token with it.
#[test]
fn recordings_78_to_80_revoking_an_access_token() {
    let lab = Lab::new();
    let tokens = tokens(&lab);
    replay(&lab, 78, &[("token", &tokens.jwt)]);
    replay(&lab, 79, &[("token", &tokens.opaque)]);
    replay(&lab, 80, &[("bearer", &tokens.opaque)]);
    assert!(!lab.logto.grant_is_alive(&tokens.refresh_token));
}

#[test]
fn recordings_81_to_84_revoking_a_refresh_token() {
    let lab = Lab::new();
    let tokens = tokens(&lab);
    replay(&lab, 81, &[("token", &tokens.refresh_token)]);
    replay(&lab, 82, &[("refresh_token", &tokens.refresh_token)]);
    replay(&lab, 83, &[("token", &tokens.refresh_token)]);
    replay(&lab, 84, &[("bearer", &tokens.opaque)]);
}

#[test]
fn recordings_85_to_88_revocations_that_change_nothing() {
    let lab = Lab::new();
    let tokens = tokens(&lab);
    replay(&lab, 85, &[("token", &tokens.refresh_token)]);
    for number in [86, 87, 88] {
        replay(&lab, number, &[]);
    }
    assert!(lab.logto.refresh_token_is_usable(&tokens.refresh_token));
}

#[test]
fn recordings_89_to_101_machine_to_machine() {
    let lab = Lab::new();
    for number in 89..=101 {
        replay(&lab, number, &[]);
    }
}

#[test]
fn recordings_108_to_110_token_exchange() {
    let lab = Lab::new();
    let impersonation = lab.logto.create_subject_token("alice").unwrap();
    replay(&lab, 108, &[("subject_token", &impersonation)]);
    let again = Recording::load(108).replay(&lab.logto, &[("subject_token", &impersonation)]);
    assert_eq!(
        refusal(&again),
        (400, "invalid_grant".to_owned()),
        "single-use"
    );
    let personal = lab.logto.create_personal_access_token("alice").unwrap();
    for _ in 0..2 {
        replay(&lab, 109, &[("subject_token", &personal)]);
    }
    replay(&lab, 110, &[]);
    assert_eq!(lab.logto.create_subject_token("mallory"), None);
}

#[test]
fn an_exchanged_token_names_its_actor() {
    let lab = Lab::new();
    let ask = Ask {
        scope: "openid",
        user: "bob",
        ..Ask::default()
    };
    let actor = member(&lab.sign_in(&ask), "access_token");
    let access_token = "urn:ietf:params:oauth:token-type:access_token";
    let exchange = |actor: &str| {
        let subject = lab.logto.create_subject_token("alice").unwrap();
        lab.token(
            EXCHANGE,
            &[
                (
                    "grant_type",
                    "urn:ietf:params:oauth:grant-type:token-exchange",
                ),
                ("subject_token", &subject),
                ("subject_token_type", access_token),
                ("actor_token", actor),
                ("actor_token_type", access_token),
                ("resource", SHOPPING),
            ],
        )
    };
    let claims = crate::common::claims(&member(&exchange(&actor), "access_token"));
    assert_eq!(claims["act"]["sub"], "user-bob");
    assert_eq!(claims["sub"], "dknhv6vsaxt5");
    assert_eq!(
        refusal(&exchange("nonsense")),
        (400, "invalid_grant".to_owned())
    );
}

#[test]
fn recording_111_a_pushed_request_signs_in_once() {
    let lab = Lab::new();
    let recording = Recording::load(111);
    let challenge = crate::common::lab::challenge(VERIFIER);
    let pushed = recording.replay(&lab.logto, &[("code_challenge", &challenge)]);
    recording.assert_answered_by(&pushed);

    let url = Url::parse_with_params(
        "http://localhost:3001/oidc/auth",
        [
            ("client_id", TRADITIONAL.0),
            ("request_uri", &member(&pushed, "request_uri")),
        ],
    )
    .unwrap();
    let callback = lab.logto.sign_in(&url, "alice").unwrap();
    let code = query(&callback, "code").unwrap();
    let tokens = lab.redeem(TRADITIONAL, &code, Some(VERIFIER), None);
    assert_eq!(member(&tokens, "scope"), "openid profile");
    assert!(lab.logto.sign_in(&url, "alice").is_err(), "used up");
}

#[test]
fn a_pushed_request_is_checked_when_it_is_pushed() {
    let lab = Lab::new();
    let form = [
        ("redirect_uri", CALLBACK),
        ("response_type", "code"),
        ("prompt", "create"),
    ];
    let response = lab.post("/oidc/request", TRADITIONAL, &form);
    assert_eq!(refusal(&response), (400, "invalid_request".to_owned()));
}

#[test]
fn secrets_in_the_header_must_be_form_encoded() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let secret = "s3cr3t+/ :%";
    let logto = logto_testkit::Logto::builder()
        .app(logto_testkit::App::machine_to_machine("service", secret))
        .build()
        .unwrap();
    for (credentials, status) in [
        ("service:s3cr3t%2B%2F+%3A%25", StatusCode::BAD_REQUEST),
        ("service:s3cr3t%2B%2F%20%3A%25", StatusCode::BAD_REQUEST),
        ("service:s3cr3t+/ :%", StatusCode::BAD_REQUEST),
        ("service:other", StatusCode::UNAUTHORIZED),
    ] {
        let request = http::Request::post("/oidc/token")
            .header(
                "authorization",
                format!("Basic {}", STANDARD.encode(credentials)),
            )
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials".into());
        let response = logto.handle(request.unwrap());
        assert_eq!(response.status(), status, "{credentials}");
        let expected = match credentials {
            "service:s3cr3t+/ :%" => "invalid_request",
            "service:other" => "invalid_client",
            _ => "invalid_target",
        };
        assert_eq!(member(&response, "error"), expected, "{credentials}");
    }
}

#[test]
fn organization_permissions_need_the_organizations_resource() {
    let lab = Lab::new();
    for (resources, scope) in [(&[][..], ""), (&[ORGANIZATIONS][..], "read:shipments")] {
        let token = lab.refresh_token(&Ask {
            scope: EVERYTHING,
            resources,
            ..Ask::default()
        });
        let more = [("organization_id", crate::common::lab::ACME)];
        assert_eq!(
            member(&lab.refresh(TRADITIONAL, &token, &more), "scope"),
            scope
        );
    }
}
