//! Sessions at the provider: single sign-on, prompts, sign-out, back-channel logout.

use crate::common::{
    claims,
    lab::{ALWAYS_REFRESH, Ask, CALLBACK, Lab, OTHER, TRADITIONAL, authorization_url},
    member, query,
    recording::Replay,
};
use http::{Request, StatusCode, header};
use logto_recordings::Recording;
use logto_testkit::{App, Browser, BrowserError, Endpoint, Logto, User};
use url::Url;

fn silent<'a>() -> Ask<'a> {
    Ask {
        scope: "openid profile",
        prompt: Some("none"),
        ..Ask::default()
    }
}

fn error(callback: &Url) -> Option<String> {
    query(callback, "error")
}

fn visit(browser: &Browser, ask: &Ask<'_>) -> Option<Url> {
    browser.visit(&authorization_url(ask)).unwrap()
}

fn end_session(parameters: &[(&str, &str)]) -> Url {
    Url::parse_with_params("http://localhost:3001/oidc/session/end", parameters).unwrap()
}

#[test]
fn the_callback_carries_code_state_and_issuer() {
    let lab = Lab::new();
    let callback = lab
        .logto
        .sign_in(&authorization_url(&Ask::default()), "alice")
        .unwrap();
    let names: Vec<_> = callback
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    assert_eq!(names, ["code", "state", "iss"]);
    assert_eq!(
        query(&callback, "iss").as_deref(),
        Some("http://localhost:3001/oidc")
    );
    assert!(callback.as_str().starts_with(CALLBACK));
}

#[test]
fn a_session_answers_what_it_was_granted() {
    let lab = Lab::new();
    let browser = lab.logto.browser();
    assert_eq!(
        visit(&browser, &silent())
            .and_then(|url| error(&url))
            .as_deref(),
        Some("login_required")
    );
    browser
        .sign_in(&authorization_url(&Ask::default()), "alice")
        .unwrap();

    let callback = visit(&browser, &silent()).unwrap();
    assert!(query(&callback, "code").is_some());
    for ask in [
        Ask {
            scope: "openid email",
            ..silent()
        },
        Ask {
            client: OTHER,
            ..silent()
        },
    ] {
        let callback = visit(&browser, &ask).unwrap();
        assert_eq!(error(&callback).as_deref(), Some("consent_required"));
    }
}

#[test]
fn prompt_login_shows_the_page_in_spite_of_a_session() {
    let lab = Lab::new();
    let browser = lab.logto.browser();
    browser
        .sign_in(&authorization_url(&Ask::default()), "alice")
        .unwrap();
    for (prompt, page) in [
        (None, false),
        (Some("consent"), false),
        (Some("login"), true),
    ] {
        let shown = visit(
            &browser,
            &Ask {
                prompt,
                ..Ask::default()
            },
        )
        .is_none();
        assert_eq!(shown, page, "{prompt:?}");
    }
}

#[test]
fn max_age_asks_for_a_recent_sign_in_and_tells_its_time() {
    let lab = Lab::new();
    let browser = lab.logto.browser();
    let ask = Ask {
        scope: "openid",
        extra: &[("max_age", "60")],
        ..Ask::default()
    };
    let signed_in_at = lab.clock.unix_seconds();
    let code = lab.code_in(&browser, &ask);
    lab.wait(30_000);
    assert!(visit(&browser, &ask).is_some());
    let tokens = lab.redeem(TRADITIONAL, &code, ask.verifier, None);
    assert_eq!(
        claims(&member(&tokens, "id_token"))["auth_time"],
        signed_in_at
    );
    lab.wait(31_000);
    assert!(visit(&browser, &ask).is_none());

    lab.code_in(&browser, &ask);
    let at_once = Ask {
        extra: &[("max_age", "0")],
        ..ask
    };
    assert!(visit(&browser, &ask).is_some());
    assert!(visit(&browser, &at_once).is_none(), "a login is demanded");
}

#[test]
fn prompt_login_tells_its_time_and_acr_values_tell_nothing() {
    let lab = Lab::new();
    let id_token = |ask: &Ask<'_>| claims(&member(&lab.sign_in(ask), "id_token"));
    let login = id_token(&Ask {
        prompt: Some("login consent"),
        ..Ask::default()
    });
    assert_eq!(login["auth_time"], lab.clock.unix_seconds());
    let acr = id_token(&Ask {
        extra: &[("acr_values", "urn:mfa")],
        ..Ask::default()
    });
    assert!(acr.get("acr").is_none() && acr.get("auth_time").is_none());
}

#[test]
fn an_answer_by_form_post_is_a_page_with_a_form() {
    let lab = Lab::new();
    let ask = Ask {
        extra: &[("response_mode", "form_post")],
        ..Ask::default()
    };
    let url = authorization_url(&ask);
    let form = lab.logto.sign_in_form_post(&url, "alice").unwrap();
    let names: Vec<_> = form.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["code", "state", "iss"]);
    assert_eq!(form.to_request().unwrap().uri(), CALLBACK);
    assert_eq!(
        lab.logto.sign_in(&url, "alice"),
        Err(BrowserError::FormPost)
    );
    let query = authorization_url(&Ask::default());
    assert!(matches!(
        lab.logto.sign_in_form_post(&query, "alice"),
        Err(BrowserError::Redirect)
    ));
}

#[test]
fn a_user_may_deny() {
    let lab = Lab::new();
    let callback = lab
        .logto
        .deny(&authorization_url(&Ask::default()), "access_denied")
        .unwrap();
    assert_eq!(error(&callback).as_deref(), Some("access_denied"));
    assert_eq!(
        query(&callback, "state").as_deref(),
        Some("8XdVPfvD6yJLcRmV7aV6MQ")
    );
}

#[test]
fn browsers_say_why_they_cannot_go_on() {
    let lab = Lab::new();
    let url = authorization_url(&Ask::default());
    assert_eq!(
        lab.logto.sign_in(&url, "mallory"),
        Err(BrowserError::UnknownUser("mallory".to_owned()))
    );
    assert!(lab.logto.suspend_user("alice"));
    assert_eq!(
        lab.logto.sign_in(&url, "alice"),
        Err(BrowserError::UnknownUser("alice".to_owned()))
    );
    let elsewhere = Url::parse("https://other.example.com/oidc/auth").unwrap();
    assert!(matches!(
        lab.logto.sign_in(&elsewhere, "bob"),
        Err(BrowserError::OtherProvider(_))
    ));
    let unregistered = Url::parse(&url.as_str().replace("%2Fcallback", "%2Fevil")).unwrap();
    let refused = lab.logto.sign_in(&unregistered, "bob");
    assert!(
        matches!(
            &refused,
            Err(BrowserError::ErrorPage {
                error: "invalid_redirect_uri",
                ..
            })
        ),
        "{refused:?}"
    );
}

#[test]
fn a_duplicated_state_is_an_error_without_state() {
    let lab = Lab::new();
    let url = authorization_url(&Ask {
        extra: &[("state", "another")],
        ..Ask::default()
    });
    let callback = lab.logto.sign_in(&url, "alice").unwrap();
    assert_eq!(error(&callback).as_deref(), Some("invalid_request"));
    assert_eq!(query(&callback, "state"), None);
}

#[test]
fn a_revoked_grant_leaves_the_session_but_not_the_consent() {
    let lab = Lab::new();
    let browser = lab.logto.browser();
    let ask = Ask::default();
    let code = lab.code_in(&browser, &ask);
    let tokens = lab.redeem(TRADITIONAL, &code, ask.verifier, None);
    assert!(lab.logto.revoke_grant(&member(&tokens, "refresh_token")));
    let callback = visit(&browser, &silent()).unwrap();
    assert_eq!(error(&callback).as_deref(), Some("consent_required"));
}

#[test]
fn sign_out_ends_the_session_and_spares_offline_access() {
    let lab = Lab::new();
    let browser = lab.logto.browser();
    let ask = Ask::default();
    let tokens = lab.redeem(
        TRADITIONAL,
        &lab.code_in(&browser, &ask),
        ask.verifier,
        None,
    );
    let bound = Ask {
        client: ALWAYS_REFRESH,
        scope: "openid",
        prompt: None,
        ..ask
    };
    let bound_tokens = lab.redeem(
        ALWAYS_REFRESH,
        &lab.code_in(&browser, &bound),
        ask.verifier,
        None,
    );

    let landed = browser
        .sign_out(&end_session(&[
            ("id_token_hint", &member(&tokens, "id_token")),
            ("post_logout_redirect_uri", "http://localhost:4000/"),
            ("state", "bye"),
        ]))
        .unwrap();
    assert_eq!(landed.as_str(), "http://localhost:4000/?state=bye");
    let callback = visit(&browser, &silent()).unwrap();
    assert_eq!(error(&callback).as_deref(), Some("login_required"));

    let recording = Recording::load(112);
    let refresh_token = member(&tokens, "refresh_token");
    let response = recording.replay(&lab.logto, &[("refresh_token", &refresh_token)]);
    recording.assert_answered_by(&response);
    let recording = Recording::load(113);
    let opaque = member(&tokens, "access_token");
    recording.assert_answered_by(&recording.replay(&lab.logto, &[("bearer", &opaque)]));
    assert!(
        !lab.logto
            .grant_is_alive(&member(&bound_tokens, "refresh_token"))
    );
}

#[test]
fn where_a_sign_out_ends() {
    let lab = Lab::new();
    let home = ("post_logout_redirect_uri", "http://localhost:4000/");
    let client = ("client_id", TRADITIONAL.0);
    for (parameters, end) in [
        (vec![client, home], Ok("http://localhost:4000/")),
        (
            vec![home],
            Ok("http://localhost:3001/oidc/session/end/success"),
        ),
        (vec![], Ok("http://localhost:3001/oidc/session/end/success")),
        (
            vec![
                client,
                ("post_logout_redirect_uri", "http://localhost:4000/evil"),
            ],
            Err("post_logout_redirect_uri not registered"),
        ),
        (
            vec![("id_token_hint", "garbled"), home],
            Err("could not decode id_token_hint"),
        ),
        (
            vec![("id_token_hint", "a.b.c"), home],
            Err("could not validate id_token_hint"),
        ),
    ] {
        let landed = lab.logto.sign_out(&end_session(&parameters));
        match (&landed, end) {
            (Ok(url), Ok(end)) => assert_eq!(url.as_str(), end),
            (
                Err(BrowserError::ErrorPage {
                    status,
                    error,
                    description,
                }),
                Err(end),
            ) => {
                assert_eq!(
                    (*status, *error),
                    (StatusCode::BAD_REQUEST, "invalid_request")
                );
                assert_eq!(description, end);
            }
            _ => panic!("{parameters:?}: {landed:?}"),
        }
    }
}

#[test]
fn the_form_submits_itself_and_needs_the_browser_it_was_made_for() {
    let lab = Lab::new();
    let ask = Ask::default();
    let begin = |session: &str| {
        let request = Request::get("/oidc/session/end").header(header::COOKIE, session);
        let page = lab.logto.handle(request.body(Default::default()).unwrap());
        assert_eq!(page.status(), StatusCode::OK);
        String::from_utf8(page.body().to_vec()).unwrap()
    };
    let confirm = |page: &str, session: &str| {
        let secret = page
            .split("name=\"xsrf\" value=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let request = Request::post("/oidc/session/end/confirm")
            .header(header::COOKIE, session)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("xsrf={secret}&logout=yes").into());
        lab.logto.handle(request.unwrap()).status()
    };
    lab.code(&ask);
    let page = begin("_session=one");
    assert!(page.contains(".submit()") && page.contains("name=\"logout\" value=\"yes\""));
    assert_eq!(confirm(&page, "_session=two"), StatusCode::BAD_REQUEST);
    assert_eq!(
        confirm(&begin("_session=one"), "_session=one"),
        StatusCode::SEE_OTHER
    );
}

#[test]
fn back_channel_logout_tells_every_app_of_the_session() {
    let clock = logto_testkit::TestClock::at_unix_seconds(1_800_000_000);
    let uri = "http://127.0.0.1:4010/backchannel";
    let app = |id: &str| App::traditional(id, "secret").redirect_uri(CALLBACK);
    let logto = Logto::builder()
        .clock(clock)
        .user(User::new("alice"))
        .app(app(TRADITIONAL.0).backchannel_logout_uri(uri))
        .app(app(OTHER.0).backchannel_logout_uri_without_sid(uri))
        .app(app(ALWAYS_REFRESH.0))
        .build()
        .unwrap();
    let browser = logto.browser();
    for client in [TRADITIONAL, OTHER, ALWAYS_REFRESH] {
        browser
            .sign_in(
                &authorization_url(&Ask {
                    client,
                    ..Ask::default()
                }),
                "alice",
            )
            .unwrap();
    }
    browser.sign_out(&end_session(&[])).unwrap();

    let mut tokens = logto.take_logout_tokens();
    tokens.sort_by_key(|token| token.client_id() == OTHER.0);
    let [with_sid, without] = &tokens[..] else {
        panic!("{tokens:?}")
    };
    let told = claims(with_sid.token());
    assert_eq!(told["aud"], TRADITIONAL.0);
    assert_eq!(told["sub"], "user-alice");
    assert_eq!(
        told["exp"].as_u64().unwrap() - told["iat"].as_u64().unwrap(),
        120
    );
    assert!(told["events"]["http://schemas.openid.net/event/backchannel-logout"].is_object());
    assert_eq!(told["sid"].as_str().map(str::len), Some(43));
    assert!(claims(without.token()).get("sid").is_none());
    assert_eq!(with_sid.to_request().unwrap().uri(), uri);
    assert!(logto.take_logout_tokens().is_empty());
}

#[test]
fn the_sid_of_the_id_token_is_the_logout_tokens() {
    let uri = "http://127.0.0.1:4010/backchannel";
    let Some(secret) = TRADITIONAL.1 else {
        panic!("a secret")
    };
    let app = App::traditional(TRADITIONAL.0, secret).redirect_uri(CALLBACK);
    let logto = Logto::builder()
        .user(User::new("alice"))
        .app(app.backchannel_logout_uri(uri))
        .build()
        .unwrap();
    let lab = Lab {
        logto,
        clock: logto_testkit::TestClock::new(),
    };
    let tokens = lab.sign_in(&Ask::default());
    let sid = claims(&member(&tokens, "id_token"))["sid"].clone();
    let refreshed = lab.refresh(TRADITIONAL, &member(&tokens, "refresh_token"), &[]);
    assert_eq!(claims(&member(&refreshed, "id_token"))["sid"], sid);
    lab.logto.end_sessions("alice").unwrap();
    let tokens = lab.logto.take_logout_tokens();
    assert_eq!(claims(tokens[0].token())["sid"], sid);
}

#[test]
fn requests_are_remembered_and_keep_their_secrets_out_of_debug() {
    let lab = Lab::new();
    let token = lab.refresh_token(&Ask::default());
    lab.logto.reset_counts();
    lab.refresh(TRADITIONAL, &token, &[("organization_id", "acme")]);
    assert_eq!(lab.logto.count(Endpoint::Token), 1);
    assert_eq!(lab.logto.count(Endpoint::Jwks), 0);
    let requests = lab.logto.requests();
    let record = &requests[0];
    assert_eq!(record.grant_type(), Some("refresh_token"));
    assert_eq!(record.organization_id(), Some("acme"));
    assert_eq!(record.client_id(), Some(TRADITIONAL.0));
    assert_eq!(record.param("refresh_token"), Some(token.as_str()));
    assert_eq!(record.status(), Some(StatusCode::FORBIDDEN));
    let shown = format!("{record:?}");
    assert!(
        !shown.contains(&token) && !shown.contains("Basic"),
        "{shown}"
    );
}
