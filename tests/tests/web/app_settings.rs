//! What an application sets for its routes: the parameters of sign-ins and sign-outs, and the routes that Logto calls.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, header};
use logto_client::{
    Error, SignIn,
    core::{
        error::{Endpoint, UsageError},
        sign_in::Callback,
        sign_out::SignOut,
        vocabulary::FirstScreen,
    },
    http::TransportError,
    storage::StorageError,
    web::{LogtoAppBuilder, Route},
};
use logto_testkit::{Interaction, Webhook};
use logto_tests::{stage::Deployment, visitor::location, world::APP_ID};
use serde_json::json;

use super::app::Mounted;

type Set = fn(LogtoAppBuilder) -> LogtoAppBuilder;

/// A parameter of the URL that the browser is sent to.
async fn parameter(mounted: &Mounted, path: &str, name: &str) -> Option<String> {
    let response = mounted.send(&mounted.alice().get(path)).await;
    let url = location(&response);
    let mut pairs = url.query_pairs();
    pairs.find_map(|(other, value)| (other == name).then(|| value.into_owned()))
}

#[tokio::test(start_paused = true)]
async fn every_sign_in_has_the_parameters_of_the_application() {
    let mounted = Mounted::new(Deployment::Memory, |builder| {
        let sign_in = SignIn::new().first_screen(FirstScreen::SingleSignOn);
        builder.sign_in(sign_in.ui_locales(["zh-TW"]))
    });
    let mounted = mounted.await;
    for (path, first_screen) in [
        ("/sign-in", "single_sign_on"),
        ("/sign-up", "register"),
        ("/sign-in?first_screen=reset_password", "reset_password"),
        ("/sign-in?first_screen=no_such", "single_sign_on"),
    ] {
        let asked = parameter(&mounted, path, "first_screen").await;
        assert_eq!(asked.as_deref(), Some(first_screen), "{path}");
        let languages = parameter(&mounted, path, "ui_locales").await;
        assert_eq!(languages.as_deref(), Some("zh-TW"), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_sign_out_has_the_parameters_of_the_application() {
    let mounted = Mounted::new(Deployment::Memory, |builder| {
        builder.sign_out(SignOut::new().state("bye"))
    });
    let mounted = mounted.await;
    mounted.sign_in("/sign-in").await;
    let out = mounted.alice().visit(Method::POST, "/sign-out");
    let response = mounted.send(&out).await;
    let url = location(&response);
    assert!(url.path().ends_with("/session/end"), "{url}");
    assert!(
        url.query_pairs()
            .any(|pair| pair == ("state".into(), "bye".into()))
    );
}

#[tokio::test(start_paused = true)]
async fn l10_a_webhook_needs_the_key_that_the_application_has_set() {
    let hook = Webhook::new("http://localhost:3000/webhooks", "the signing key");
    let settings: [(Set, StatusCode); 3] = [
        (
            |builder| builder.webhook("/webhooks", "the signing key"),
            StatusCode::OK,
        ),
        (
            |builder| builder.webhook("/webhooks", "another key"),
            StatusCode::UNAUTHORIZED,
        ),
        (
            |builder| builder.path(Route::Webhook, "/webhooks"),
            StatusCode::NOT_FOUND,
        ),
    ];
    for (set, status) in settings {
        let mounted = Mounted::new(Deployment::Store, set).await;
        mounted.sign_in("/sign-in").await;
        let logto = &mounted.stage.world.logto;
        let delivery = logto
            .interaction_webhook(&hook, Interaction::ForgotPassword, "alice", APP_ID)
            .unwrap();
        assert_eq!(mounted.deliver(delivery).await.status(), status);
        let is_in = mounted.alice().is_signed_in(mounted.stage.web(0)).await;
        assert_eq!(is_in, status != StatusCode::OK, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_back_channel_logout_reaches_the_application_at_its_route() {
    let mounted = Mounted::new(Deployment::Store, |builder| builder).await;
    mounted.sign_in("/sign-in").await;
    let world = &mounted.stage.world;
    let now = world.now().as_secs();
    let claims = json!({
        "iss": world.logto.issuer(), "aud": APP_ID, "sub": world.logto.user_entity("alice").unwrap()["id"],
        "iat": now, "exp": now + 120, "jti": "token-1",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    let token = world
        .logto
        .sign_token(json!({"typ": "logout+jwt"}), &claims)
        .unwrap();
    for (token, status, is_in) in [
        (format!("{token}x"), StatusCode::BAD_REQUEST, true),
        (token, StatusCode::OK, false),
    ] {
        let request = Request::post("http://localhost:3000/back-channel-logout")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(format!("logout_token={token}")))
            .unwrap();
        assert_eq!(mounted.deliver(request).await.status(), status);
        let found = mounted.alice().is_signed_in(mounted.stage.web(0)).await;
        assert_eq!(found, is_in, "{status}");
    }
}

/// An error that the provider reports.
fn reported(code: &str) -> Error {
    let callback = Callback::from_query(&format!("state=s&error={code}")).unwrap();
    logto_client::core::Error::from(callback.error().unwrap().clone()).into()
}

#[tokio::test(start_paused = true)]
async fn the_hint_for_a_developer_names_the_setting() {
    let unreachable = Error::Transport {
        endpoint: Endpoint::Token,
        source: TransportError::Lost("connection reset".to_owned()),
    };
    let mounted = Mounted::new(Deployment::Memory, |builder| builder).await;
    for (error, hint) in [
        (unreachable, Some("LOGTO_ENDPOINT")),
        (
            StorageError::Unavailable("down".into()).into(),
            Some("storage"),
        ),
        (reported("invalid_client"), Some("LOGTO_APP_SECRET")),
        (reported("invalid_target"), Some("LOGTO_RESOURCES")),
        (
            UsageError::ResourceNotRequested("https://shop.example.com".to_owned()).into(),
            Some("LOGTO_RESOURCES"),
        ),
        (reported("invalid_scope"), Some("LOGTO_SCOPES")),
        (UsageError::AlreadyDone.into(), Some("log")),
        (reported("access_denied"), None),
    ] {
        let shown = error.to_string();
        let mut parts = mounted.alice().get("/orders").parts().clone();
        let host = HeaderValue::from_static("localhost:3000");
        parts.headers.insert(header::HOST, host);
        let response = mounted.request(&parts, async |_| Err(error)).await;
        let page = std::str::from_utf8(response.body()).unwrap();
        let developer = page.split_once("For the developer:").map(|(_, hint)| hint);
        match hint {
            Some(hint) => assert!(
                developer.is_some_and(|text| text.contains(hint)),
                "{shown}: {page}"
            ),
            None => assert_eq!(developer, None, "{shown}"),
        }
    }
}
