//! The provider on real sockets: the sign-in page, and faults on the wire.

use std::{num::NonZeroU32, time::Duration};

use crate::common::query;
use http::StatusCode;
use logto_testkit::{Endpoint, Fault, Logto, Server, demo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use url::{Url, form_urlencoded};

/// What came back, byte by byte.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> u16 {
        self.head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// `name=value` of the cookie that it sets.
    fn cookie(&self) -> &str {
        self.header("set-cookie")
            .and_then(|line| line.split(';').next())
            .expect("a cookie")
    }
}

/// Sends a request on a connection of its own and reads until the server closes it.
async fn send(server: &Server, line: &str, headers: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}",
        server.address(),
        body.len(),
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .map(|at| at + 4);
    let body = bytes.split_off(end.unwrap_or_default());
    Answer {
        head: String::from_utf8(bytes).unwrap(),
        body,
    }
}

fn authorization_target() -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs([
        ("client_id", demo::APP_ID),
        ("redirect_uri", "http://localhost:3000/callback"),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "some-state"),
    ]);
    format!("GET /oidc/auth?{}", query.finish())
}

const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

#[tokio::test]
async fn discovery_names_the_port_that_was_taken() {
    let server = Logto::demo().listen(0).await.unwrap();
    let endpoint = format!("http://{}", server.address());
    assert_eq!(server.logto().endpoint(), endpoint);
    let answer = send(
        &server,
        "GET /oidc/.well-known/openid-configuration",
        "",
        "",
    )
    .await;
    assert_eq!(answer.status(), 200);
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(document["token_endpoint"], format!("{endpoint}/oidc/token"));
    assert_eq!(server.logto().count(Endpoint::Discovery), 1);
}

#[tokio::test]
async fn a_person_signs_in_on_the_page() {
    let server = Logto::demo().listen(0).await.unwrap();
    let to_page = send(&server, &authorization_target(), "", "").await;
    assert_eq!(to_page.status(), 303);
    let cookie = format!("cookie: {}\r\n", to_page.cookie());
    let location = to_page.header("location").unwrap();
    let page = send(&server, &format!("GET {location}"), &cookie, "").await;
    assert_eq!(page.status(), 200);
    let html = page.text();
    assert!(html.contains("<label for=\"identifier\">") && html.contains("<option value=\"bob\">"));
    assert!(html.contains("prefers-color-scheme: dark"));
    assert!(
        !html.contains("src=") && !html.contains("href="),
        "no outside assets"
    );
    let interaction = html.split("name=\"interaction\" value=\"").nth(1).unwrap();
    let interaction = interaction.split('"').next().unwrap();

    let submit = |password: &'static str| {
        format!("interaction={interaction}&identifier=alice&password={password}")
    };
    let wrong = send(&server, "POST /sign-in", FORM, &submit("wrong")).await;
    assert_eq!(wrong.status(), 422);
    assert!(wrong.text().contains("role=\"alert\"") && wrong.text().contains("value=\"alice\""));

    let right = send(&server, "POST /sign-in", FORM, &submit("password")).await;
    assert_eq!(right.status(), 303);
    let callback = Url::parse(right.header("location").unwrap()).unwrap();
    assert!(query(&callback, "code").is_some());
    assert_eq!(query(&callback, "state").as_deref(), Some("some-state"));

    let session = format!("cookie: {}\r\n", right.cookie());
    let again = send(&server, &authorization_target(), &session, "").await;
    let callback = Url::parse(again.header("location").unwrap()).unwrap();
    assert!(query(&callback, "code").is_some(), "the session answers");
    let used = send(&server, "POST /sign-in", FORM, &submit("password")).await;
    assert_eq!(used.status(), 400, "an interaction ends with the sign-in");
}

#[tokio::test]
async fn immediate_sign_in_needs_no_page() {
    let server = Logto::demo()
        .immediate_sign_in("alice")
        .listen(0)
        .await
        .unwrap();
    let answer = send(&server, &authorization_target(), "", "").await;
    let callback = Url::parse(answer.header("location").unwrap()).unwrap();
    assert!(query(&callback, "code").is_some());
}

#[tokio::test]
async fn resets_close_the_connection_without_an_answer() {
    let server = Logto::demo().listen(0).await.unwrap();
    for fault in [Fault::ResetBeforeCommit, Fault::ResetAfterCommit] {
        server.logto().fault(Endpoint::Jwks, fault.clone());
        let answer = send(&server, "GET /oidc/jwks", "", "").await;
        assert_eq!(
            (answer.head.as_str(), answer.body.len()),
            ("", 0),
            "{fault:?}"
        );
    }
    assert_eq!(send(&server, "GET /oidc/jwks", "", "").await.status(), 200);
}

#[tokio::test]
async fn f18_bodies_that_are_short_slow_or_swollen() {
    let server = Logto::demo().listen(0).await.unwrap();
    let jwks = async |fault| {
        server.logto().fault(Endpoint::Jwks, fault);
        send(&server, "GET /oidc/jwks", "", "").await
    };
    let half = jwks(Fault::Truncated).await;
    let declared: usize = half.header("content-length").unwrap().parse().unwrap();
    assert_eq!(half.body.len(), declared / 2);

    let bomb = jwks(Fault::GzipBomb(10_000_000)).await;
    assert_eq!(bomb.header("content-encoding"), Some("gzip"));
    assert!(
        bomb.body.starts_with(&[0x1f, 0x8b]) && bomb.body.len() < 20_000,
        "{}",
        bomb.body.len()
    );

    let rate = NonZeroU32::new(10).unwrap();
    let slow = timeout(Duration::from_millis(300), jwks(Fault::Drip(rate))).await;
    assert!(slow.is_err(), "a body of hundreds of bytes at ten a second");
    let late = timeout(
        Duration::from_millis(100),
        jwks(Fault::Delay(Duration::from_secs(60))),
    )
    .await;
    assert!(late.is_err());
}

#[tokio::test]
async fn a_dropped_server_is_gone() {
    let server = Logto::demo().listen(0).await.unwrap();
    let address = server.address();
    drop(server);
    let gone = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    assert!(timeout(Duration::from_secs(5), gone).await.is_ok());
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let server = Logto::demo().listen(0).await.unwrap();
    let port = server.address().port();
    let error = Logto::demo().listen(port).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot listen on 127.0.0.1:{port}")
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let server = Logto::demo().listen(0).await.unwrap();
    let answer = send(&server, "POST /oidc/token", FORM, &"a".repeat(60_000)).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE.as_u16());
}
