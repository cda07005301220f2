//! What waiting does not help is found when the store connects, and says what to change.

use logto_client::storage::StorageError;
use logto_storage::{PostgresOptions, PostgresStore};

use super::database::Database;
use crate::common::stores;

async fn assert_misconfigured(url: &str, advice: &str) {
    let error = PostgresStore::connect(url).await.expect_err(url);
    assert!(
        matches!(error, StorageError::Misconfigured(_)),
        "{url}: {error:?}"
    );
    let text = format!("{error} {error:?}");
    assert!(text.contains(advice), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_or_user_is_misconfigured() {
    let database = Database::create();
    // pg_hba.conf asks this one for its password.
    database
        .run("DROP ROLE IF EXISTS password_only; CREATE ROLE password_only LOGIN PASSWORD 'right'");
    let advice = "correct the user and the password of the URL";
    assert_misconfigured(&database.url_for("password_only:secret"), advice).await;
    assert_misconfigured(&database.url_for("nobody:secret"), "correct the user").await;
    PostgresStore::connect(&database.url_for("password_only:right"))
        .await
        .unwrap();
}

#[test]
fn options_show_no_password() {
    let options = PostgresOptions::new("postgres://app:secret@localhost/app").max_connections(7);
    let shown = format!("{options:?}");
    assert!(shown.contains("max_connections: 7"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_database_is_misconfigured() {
    let url = stores::server("LOGTO_TEST_POSTGRES_URL");
    let (server, _) = url.rsplit_once('/').unwrap();
    assert_misconfigured(&format!("{server}/no_such"), "correct the database").await;
    let url = stores::server("LOGTO_TEST_PGBOUNCER_URL");
    let (server, _) = url.rsplit_once('/').unwrap();
    assert_misconfigured(&format!("{server}/no_such"), "correct the database").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_connect_is_misconfigured() {
    let database = Database::create();
    let role = database.role();
    let name = database.run("SELECT current_database()");
    database.run(&format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC"));
    assert_misconfigured(&database.url_for(&role), "GRANT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_that_one_side_demands_and_the_other_lacks_is_misconfigured() {
    let database = Database::create();
    let feature = if cfg!(feature = "tls") {
        "correct `sslmode`"
    } else {
        "enable the feature `tls`"
    };
    for mode in ["require", "verify-ca", "verify-full"] {
        let url = format!("{}?sslmode={mode}", database.url());
        assert_misconfigured(&url, feature).await;
    }
    // pg_hba.conf refuses this one without TLS.
    database.run("DROP ROLE IF EXISTS tls_only; CREATE ROLE tls_only LOGIN");
    assert_misconfigured(&database.url_for("tls_only"), "sslmode=require").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn options_that_nobody_knows_are_misconfigured() {
    let database = Database::create();
    for (options, advice) in [
        ("hosts=secret", "unknown option `hosts`"),
        (
            "target_session_attrs=read-write",
            "unknown option `target_session_attrs`",
        ),
        ("sslmode=sometimes", "ssl_mode"),
        ("port=many", "option=value"),
    ] {
        assert_misconfigured(&format!("{}?{options}", database.url()), advice).await;
    }
    for options in [
        "application_name=logto",
        "sslmode=disable",
        "options[search_path]=public",
    ] {
        PostgresStore::connect(&format!("{}?{options}", database.url()))
            .await
            .unwrap();
    }
    assert_misconfigured(&format!("{}?options[no_such]=1", database.url()), "no_such").await;
}

#[tokio::test]
async fn an_unknown_host_is_misconfigured() {
    let url = "postgres://user:secret@no-such-host.invalid/database";
    assert_misconfigured(url, "correct the host").await;
}

/// Without TLS the driver waits for as many bytes as it takes the first ones to announce.
#[cfg(feature = "tls")]
#[tokio::test(flavor = "multi_thread")]
async fn something_else_than_postgresql_is_misconfigured() {
    use std::io::{Read, Write};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 1_000]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let url = format!("postgres://user:secret@{address}/database");
    assert_misconfigured(&url, "is not PostgreSQL").await;
}
