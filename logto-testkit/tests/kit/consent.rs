//! Third-party applications and the user's consent.

use crate::common::{
    lab::{
        ACME, Ask, CALLBACK, EVERYTHING, GLOBEX, INITECH, Lab, ORGANIZATIONS, SHOPPING,
        THIRD_PARTY, TRADITIONAL, VERIFIER, authorization_url, tenant,
    },
    member, query,
    recording::Replay,
    refusal,
};
use logto_recordings::Recording;
use logto_testkit::{App, BrowserError, BuildError, TestClock, UserConsentScopes};

const SCOPE: &str = "openid offline_access profile email urn:logto:scope:organizations \
     read:products write:products read:shipments write:shipments";

/// All that the application of the lab asked for.
fn ask<'a>() -> Ask<'a> {
    Ask {
        client: THIRD_PARTY,
        scope: SCOPE,
        resources: &[SHOPPING, ORGANIZATIONS],
        ..Ask::default()
    }
}

fn organization_token(lab: &Lab, refresh_token: &str, id: &str) -> http::Response<bytes::Bytes> {
    lab.refresh(THIRD_PARTY, refresh_token, &[("organization_id", id)])
}

/// The refresh token of a sign-in with these organizations.
fn with_organizations(lab: &Lab, ask: &Ask<'_>, ids: &[&str]) -> String {
    let browser = lab.logto.browser();
    let callback = browser.sign_in_with_organizations(&authorization_url(ask), ask.user, ids);
    let code = query(&callback.unwrap(), "code").unwrap();
    let tokens = lab.redeem(ask.client, &code, ask.verifier, None);
    member(&tokens, "refresh_token")
}

#[test]
fn recording_115_a_third_party_exchanges_its_code() {
    let lab = Lab::new();
    let recording = Recording::load(115);
    let verifier = recording.param("code_verifier");
    let code = lab.code(&Ask {
        verifier: verifier.as_deref(),
        ..ask()
    });
    recording.assert_answered_by(&recording.replay(&lab.logto, &[("code", &code)]));
}

#[test]
fn a_third_party_gets_what_it_may_ask_for_and_the_user_consented_to() {
    let lab = Lab::new();
    let token = lab.refresh_token(&ask());
    let acme = organization_token(&lab, &token, ACME);
    assert_eq!(member(&acme, "scope"), "read:shipments");

    let initech = organization_token(&lab, &token, INITECH);
    assert_eq!(refusal(&initech), (403, "access_denied".to_owned()));
    assert_eq!(
        member(&initech, "error_description"),
        "organization access is not granted to the application"
    );
    let shopping = lab.refresh(THIRD_PARTY, &token, &[("resource", SHOPPING)]);
    assert_eq!(member(&shopping, "scope"), "read:products");
    assert!(lab.logto.refresh_token_is_usable(&token));
}

#[test]
fn a_scope_about_users_that_was_not_allowed_is_refused() {
    let lab = Lab::new();
    let url = authorization_url(&Ask {
        scope: "openid profile phone",
        ..ask()
    });
    let callback = lab.logto.sign_in(&url, "alice").unwrap();
    assert_eq!(query(&callback, "error").as_deref(), Some("invalid_scope"));
    assert_eq!(query(&callback, "scope").as_deref(), Some("phone"));
    assert_eq!(
        query(&callback, "error_description").as_deref(),
        Some("requested scope is not allowed")
    );
}

#[test]
fn the_user_selects_the_organizations_and_the_choice_lasts() {
    let lab = Lab::new();
    let token = with_organizations(&lab, &ask(), &[INITECH]);
    assert_eq!(organization_token(&lab, &token, ACME).status(), 403);
    assert_eq!(organization_token(&lab, &token, INITECH).status(), 200);

    let none = with_organizations(&lab, &ask(), &[]);
    assert_eq!(organization_token(&lab, &none, INITECH).status(), 200);
    let both = with_organizations(&lab, &ask(), &[ACME, INITECH]);
    assert_eq!(organization_token(&lab, &both, ACME).status(), 200);
}

#[test]
fn the_page_offers_only_the_organizations_of_the_user() {
    let lab = Lab::new();
    let unknown = Err(BrowserError::UnknownOrganization(GLOBEX.to_owned()));
    let without_scope = Ask {
        scope: "openid offline_access profile",
        ..ask()
    };
    let own = Ask {
        client: TRADITIONAL,
        ..ask()
    };
    for ask in [ask(), without_scope, own] {
        let url = authorization_url(&ask);
        let browser = lab.logto.browser();
        assert_eq!(
            browser.sign_in_with_organizations(&url, "alice", &[GLOBEX]),
            unknown
        );
    }
    let token = lab.refresh_token(&ask());
    assert_eq!(organization_token(&lab, &token, ACME).status(), 200);
}

/// Carol has all her permissions by her roles in organizations.
#[test]
fn permissions_by_roles_in_organizations_come_with_the_selected_ones() {
    let clock = TestClock::new();
    let app = App::traditional("partner", "secret")
        .redirect_uri(CALLBACK)
        .third_party(
            UserConsentScopes::new()
                .user(["urn:logto:scope:organizations"])
                .organization_resource(SHOPPING, ["read:products", "write:products"]),
        );
    let logto = tenant().clock(clock.clone()).app(app).build().unwrap();
    let lab = Lab { logto, clock };
    let ask = Ask {
        client: crate::common::lab::Client("partner", Some("secret")),
        user: "carol",
        scope: "openid offline_access urn:logto:scope:organizations read:products write:products",
        resources: &[SHOPPING],
        ..Ask::default()
    };
    let scope = |ids: &[&str]| {
        let token = with_organizations(&lab, &ask, ids);
        member(
            &lab.refresh(ask.client, &token, &[("resource", SHOPPING)]),
            "scope",
        )
    };
    assert_eq!(scope(&[]), "");
    assert_eq!(scope(&[ACME]), "read:products");
    assert_eq!(scope(&[GLOBEX]), "read:products write:products");
}

#[test]
fn a_user_who_denies_is_signed_in_and_has_granted_nothing() {
    let lab = Lab::new();
    let browser = lab.logto.browser();
    let url = authorization_url(&ask());
    let callback = browser.deny(&url, "alice").unwrap();
    assert_eq!(query(&callback, "error").as_deref(), Some("access_denied"));
    assert_eq!(
        query(&callback, "state").as_deref(),
        Some("8XdVPfvD6yJLcRmV7aV6MQ")
    );
    assert_eq!(browser.cancel(&url, "alice").unwrap().as_str(), CALLBACK);

    let silent = authorization_url(&Ask {
        prompt: Some("none"),
        ..ask()
    });
    let callback = browser.visit(&silent).unwrap().unwrap();
    assert_eq!(
        query(&callback, "error").as_deref(),
        Some("consent_required")
    );
}

#[test]
fn a_consent_is_asked_for_once_unless_the_prompt_says_so() {
    let lab = Lab::new();
    let browser = lab.logto.browser();
    let with = |prompt, scope| {
        authorization_url(&Ask {
            prompt,
            scope,
            ..ask()
        })
    };
    let first = with(None, "openid profile");
    assert_eq!(browser.visit(&first), Ok(None), "nobody is signed in");
    browser
        .sign_in(&authorization_url(&Ask::default()), "alice")
        .unwrap();
    assert_eq!(browser.visit(&first), Ok(None), "the consent page");
    let callback = browser.sign_in(&first, "nobody").unwrap();
    assert!(query(&callback, "code").is_some(), "the session says who");

    for (prompt, scope, code) in [
        (None, "openid profile", true),
        (Some("none"), "openid profile", true),
        (Some("consent"), "openid profile", false),
        (None, "openid profile email", false),
    ] {
        let visited = browser.visit(&with(prompt, scope)).unwrap();
        let answered = visited.is_some_and(|callback| query(&callback, "code").is_some());
        assert_eq!(answered, code, "{prompt:?} {scope}");
    }
}

#[test]
fn membership_is_checked_before_the_organizations_scope() {
    let lab = Lab::new();
    let token = lab.refresh_token(&Ask::default());
    let refused = |id| refusal(&lab.refresh(TRADITIONAL, &token, &[("organization_id", id)]));
    assert_eq!(refused(GLOBEX), (403, "access_denied".to_owned()));
    assert_eq!(refused(ACME), (403, "insufficient_scope".to_owned()));
}

#[test]
fn a_token_exchange_needs_the_consent_too() {
    let scopes = UserConsentScopes::new().user(["urn:logto:scope:organizations"]);
    let app = App::traditional("partner", "secret")
        .redirect_uri(CALLBACK)
        .allow_token_exchange()
        .third_party(scopes);
    let clock = TestClock::new();
    let logto = tenant().clock(clock.clone()).app(app).build().unwrap();
    let lab = Lab { logto, clock };
    let client = crate::common::lab::Client("partner", Some("secret"));
    let exchange = || {
        let subject = lab.logto.create_subject_token("alice").unwrap();
        let form = [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("subject_token", subject.as_str()),
            (
                "subject_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("organization_id", ACME),
        ];
        lab.token(client, &form)
    };
    assert_eq!(refusal(&exchange()), (403, "access_denied".to_owned()));
    let ask = Ask {
        client,
        scope: "openid urn:logto:scope:organizations",
        verifier: Some(VERIFIER),
        ..Ask::default()
    };
    lab.sign_in(&ask);
    assert_eq!(exchange().status(), 200);
}

#[test]
fn a_resource_that_is_not_there_is_a_build_error() {
    let unknown = "https://unknown.example.com";
    for scopes in [
        UserConsentScopes::new().resource(unknown, ["read"]),
        UserConsentScopes::new().organization_resource(unknown, ["read"]),
    ] {
        let app = App::traditional("partner", "secret").third_party(scopes);
        let refused = tenant().app(app).build();
        assert!(
            matches!(&refused, Err(BuildError::Unknown { name, .. }) if name == unknown),
            "{refused:?}"
        );
    }
}

#[test]
fn the_tenants_own_applications_never_ask() {
    let lab = Lab::new();
    let token = with_organizations(
        &lab,
        &Ask {
            client: TRADITIONAL,
            scope: EVERYTHING,
            resources: &[ORGANIZATIONS],
            ..ask()
        },
        &[],
    );
    let initech = lab.refresh(TRADITIONAL, &token, &[("organization_id", INITECH)]);
    assert_eq!(initech.status(), 200);
}
