//! What `cargo run -p quickstart -- --check` does at a Logto that is not its own.

#![allow(clippy::unwrap_used)]

use std::process::Output;

use logto_testkit::{App, Logto, Server, demo::SHOPPING_API};
use tokio::process::Command;

const BASE_URL: &str = "http://localhost:4711";

/// A tenant with an application at [`BASE_URL`], one for machines and one for devices.
async fn tenant() -> Server {
    let app = App::traditional("shop", "secret")
        .redirect_uri(format!("{BASE_URL}/callback"))
        .post_logout_redirect_uri(format!("{BASE_URL}/"));
    Logto::demo()
        .app(app)
        .app(App::machine_to_machine("machine", "machine-secret").role("shopper"))
        .app(App::native("device").device_flow())
        .listen(0)
        .await
        .unwrap()
}

/// Runs the check with these variables instead of those that fit.
async fn check(server: &Server, changes: &[(&str, &str)]) -> (Output, String) {
    let endpoint = server.logto().endpoint().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    command
        .arg("--check")
        .env("LOGTO_ENDPOINT", endpoint)
        .env("LOGTO_APP_ID", "shop")
        .env("LOGTO_APP_SECRET", "secret")
        .env("LOGTO_BASE_URL", BASE_URL)
        .env("LOGTO_RESOURCES", SHOPPING_API)
        .env("LOGTO_SCOPES", "read:products")
        .env("LOGTO_M2M_APP_ID", "machine")
        .env("LOGTO_M2M_APP_SECRET", "machine-secret")
        .env("LOGTO_DEVICE_APP_ID", "device");
    for (name, value) in changes {
        match value.is_empty() {
            true => command.env_remove(name),
            false => command.env(name, value),
        };
    }
    let output = command.output().await.unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output, text)
}

#[tokio::test]
async fn what_needs_no_person_is_checked_and_the_rest_is_named() {
    let server = tenant().await;
    let (output, text) = check(&server, &[]).await;
    assert!(output.status.success(), "{text}");
    for line in [
        "ok  memory storage opens",
        "ok  discovery document of the configured issuer",
        "ok  keys to verify tokens with",
        "ok  redirect URI, scopes and resources are registered: Logto asks who signs in",
        "ok  post sign-out redirect URI is registered",
        "ok  credentials of the application",
        "ok  credentials of the machine-to-machine application",
        "ok  machine-to-machine token for https://shop.example.com/api",
        "ok  a device is given a code to sign in with",
        "--  left out: sign-in, the user's tokens, refresh and sign-out",
        "--  left out: back-channel logout",
        "9 checks passed, 0 did not",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("FAILED"), "{text}");
}

#[tokio::test]
async fn what_is_not_configured_is_left_out() {
    let server = tenant().await;
    let variables = [
        "LOGTO_APP_SECRET",
        "LOGTO_M2M_APP_ID",
        "LOGTO_DEVICE_APP_ID",
    ];
    let (output, text) = check(&server, &variables.map(|name| (name, ""))).await;
    assert!(output.status.success(), "{text}");
    for variable in variables {
        let line = format!("({variable} is not set)");
        assert!(text.contains(&line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn the_redirect_uris_of_every_host_are_checked() {
    let server = tenant().await;
    let hosts = [("LOGTO_OTHER_HOSTS", "127.0.0.1 *.localhost")];
    let (output, text) = check(&server, &hosts).await;
    assert!(!output.status.success(), "{text}");
    for line in [
        "redirect URI of 127.0.0.1 is registered: http://127.0.0.1:4711/callback: HTTP 400: redirect_uri did not match",
        "post sign-out redirect URI of 127.0.0.1 is registered: HTTP 400: post_logout_redirect_uri not registered",
        "--  left out: redirect URIs of *.localhost",
        "9 checks passed, 2 did not",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_logto_says_of_it() {
    let server = tenant().await;
    for (name, value, failed) in [
        (
            "LOGTO_BASE_URL",
            "http://localhost:4712",
            "Logto asks who signs in: http://localhost:4712/callback: HTTP 400: redirect_uri did not match",
        ),
        (
            "LOGTO_BASE_URL",
            "http://localhost:4712",
            "post sign-out redirect URI is registered: HTTP 400: post_logout_redirect_uri not registered",
        ),
        (
            "LOGTO_RESOURCES",
            "https://unknown.example/api",
            "Logto asks who signs in: invalid_target",
        ),
        (
            "LOGTO_APP_ID",
            "nobody",
            "Logto asks who signs in: http://localhost:4711/callback: HTTP 400",
        ),
        (
            "LOGTO_APP_SECRET",
            "wrong",
            "credentials of the application: ",
        ),
        (
            "LOGTO_M2M_APP_SECRET",
            "wrong",
            "credentials of the machine-to-machine application: ",
        ),
        (
            "LOGTO_DEVICE_APP_ID",
            "nobody",
            "a device is given a code to sign in with: ",
        ),
        (
            "LOGTO_ENDPOINT",
            "http://127.0.0.1:9/",
            "discovery document of the configured issuer: ",
        ),
    ] {
        let (output, text) = check(&server, &[(name, value)]).await;
        assert_eq!(output.status.code(), Some(1), "{text}");
        let line = text
            .lines()
            .find(|line| line.starts_with("FAILED") && line.contains(failed));
        assert!(line.is_some(), "{name} {failed}\n{text}");
        assert!(!text.contains("secret"), "{text}");
    }
}
