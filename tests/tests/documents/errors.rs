//! `docs/errors.md` is complete and true: every error has a row, and its code, advice and status are
//! those of the row.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::Response;
use logto_client::{
    Error,
    core::{
        Exchange, LogtoConfig, UnixTime,
        discovery::Discover,
        error::{
            CallbackError, Endpoint, NoResponse, OAuthErrorCode, SigningError, TokenError,
            UsageError,
        },
        sign_in::Callback,
    },
    entropy::EntropyError,
    error::{Advice, DeviceEnd, RequestError, SessionEnd, SignInRefused},
    http::TransportError,
    storage::StorageError,
};

const TABLES: &str = include_str!("../../../docs/errors.md");

#[derive(Debug, PartialEq, Eq)]
struct Row {
    code: &'static str,
    advice: &'static str,
    status: u16,
}

/// The rows, by the name of the error.
fn rows() -> BTreeMap<&'static str, Row> {
    let mut rows = BTreeMap::new();
    let (_, tables) = TABLES.split_once("## Errors of the protocol").unwrap();
    for line in tables.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", name, code, advice, status, ""] = cells[..] else {
            continue;
        };
        if let (Some(name), Ok(status)) = (name.strip_prefix('`'), status.parse()) {
            let row = Row {
                code: code.trim_matches('`'),
                advice: advice.trim_matches('`'),
                status,
            };
            assert!(rows.insert(name.trim_matches('`'), row).is_none(), "{name}");
        }
    }
    rows
}

/// The response of a server, as an exchange sees it.
fn refused(status: u16, body: &str) -> Error {
    let config = LogtoConfig::builder("https://tenant.logto.app", "app-id")
        .build()
        .unwrap();
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Bytes::from(body.to_owned()))
        .unwrap();
    let outcome = Discover::new(&config).accept(response, UnixTime::from_secs(0));
    outcome.unwrap_err().into()
}

fn server(code: &str) -> Error {
    let callback = Callback::from_query(&format!("state=s&error={code}")).unwrap();
    logto_core::Error::from(callback.error().unwrap().clone()).into()
}

fn boxed(text: &str) -> Box<dyn std::error::Error + Send + Sync> {
    text.into()
}

/// When the sample of an unknown key is worth another try.
const KEYS_IN: Duration = Duration::from_secs(30);

/// One error of each row.
fn samples() -> Vec<(String, Error)> {
    let mut samples = Vec::new();
    let mut add = |name: &str, error: Error| samples.push((name.to_owned(), error));
    for error in [
        CallbackError::NoPendingSignIn,
        CallbackError::Expired,
        CallbackError::MissingState,
        CallbackError::StateMismatch,
        CallbackError::RedirectUriMismatch,
        CallbackError::MissingIssuer,
        CallbackError::IssuerMismatch,
        CallbackError::DuplicateParameter("code"),
        CallbackError::MissingCode,
        CallbackError::MalformedCode,
        CallbackError::TooLong,
    ] {
        add(&format!("Callback({})", variant(&error)), error.into());
    }
    for (_, code) in variants(SERVER, "oauth_error_codes! {", " = \"") {
        let error = server(&code);
        let variant = variant(&error.server().unwrap().error);
        add(&format!("Server({variant})"), error);
    }
    add("Server(Other)", server("never_heard_of"));
    add("Unavailable", refused(503, ""));
    add(
        "NoResponse",
        logto_client::core::Error::NoResponse {
            endpoint: Endpoint::Token,
            failure: NoResponse::Lost,
        }
        .into(),
    );
    add("Response", refused(200, "no JSON"));
    add("Discovery", refused(404, ""));
    add("Token", TokenError::BadSignature.into());
    for error in [
        UsageError::NotSignedIn,
        UsageError::NoRefreshToken,
        UsageError::ResourceNotRequested("https://shop.example.com/api".to_owned()),
        UsageError::ScopeNotGranted("read".to_owned()),
        UsageError::OrganizationsScopeMissing,
        UsageError::EndpointNotAdvertised(Endpoint::Revocation),
        UsageError::InvalidParameter("prompt".to_owned()),
        LogtoConfig::builder("", "").build().unwrap_err().into(),
        SigningError("no key".to_owned()).into(),
        UsageError::SessionDataTooLarge { size: 2, limit: 1 },
        UsageError::SessionDataInvalid("Local"),
        UsageError::SessionDataUnreadable("Local"),
        UsageError::SessionNotNew,
        UsageError::AlreadyDone,
    ] {
        add(&format!("Usage({})", variant(&error)), error.into());
    }
    let transport = Error::Transport {
        endpoint: Endpoint::Token,
        source: TransportError::Lost("reset".to_owned()),
    };
    add("Transport", transport);
    for error in [
        StorageError::Unavailable(boxed("down")),
        StorageError::TooLarge { size: 2, limit: 1 },
        StorageError::Misconfigured("no table".to_owned()),
    ] {
        add(&format!("Storage({})", variant(&error)), error.into());
    }
    for end in [
        SessionEnd::RefreshTokenRefused,
        SessionEnd::Removed,
        SessionEnd::Superseded,
        SessionEnd::LifetimeReached,
    ] {
        let name = format!("SessionEnded({})", variant(&end));
        add(&name, Error::SessionEnded(end));
    }
    for end in [DeviceEnd::Denied, DeviceEnd::Expired, DeviceEnd::Spent] {
        add(&format!("Device({})", variant(&end)), Error::Device(end));
    }
    for error in [
        RequestError::CrossSite,
        RequestError::NotANavigation,
        RequestError::MethodNotAllowed,
        RequestError::Forbidden,
    ] {
        add(
            &format!("Request({})", variant(&error)),
            Error::Request(error),
        );
    }
    add(
        "Entropy",
        Error::Entropy(Arc::new(EntropyError(boxed("none")))),
    );
    add("SignInRefused", SignInRefused::new("no seat left").into());
    add("ResponseBegun", Error::ResponseBegun);
    let key_unknown = Error::KeyUnknown {
        retry_after: KEYS_IN,
    };
    add("KeyUnknown", key_unknown);
    let budget = Duration::from_secs(15);
    add("WaitingBudgetSpent", Error::WaitingBudgetSpent { budget });
    add("Busy", Error::Busy);
    add("Superseded", Error::Superseded);
    samples
}

/// The name of a variant, as `Debug` begins.
fn variant(error: &impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

const CORE: &str = include_str!("../../../logto-core/src/error.rs");
const CALLBACK: &str = include_str!("../../../logto-core/src/error/callback.rs");
const SERVER: &str = include_str!("../../../logto-core/src/error/server.rs");
const USAGE: &str = include_str!("../../../logto-core/src/error/usage.rs");
const CLIENT: &str = include_str!("../../../logto-client/src/error.rs");
const STORAGE: &str = include_str!("../../../logto-client/src/storage.rs");
const REFRESH: &str = include_str!("../../../logto-core/src/refresh/step.rs");

/// The variants of the enum that begins with `start`, each with what follows `separator`.
fn variants(source: &str, start: &str, separator: &str) -> Vec<(String, String)> {
    let (_, body) = source.split_once(start).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    lines
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| {
            let (name, rest) = line.split_once(separator).unwrap_or((line, ""));
            let end = name.find(|c: char| !c.is_alphanumeric());
            let code = rest.trim_end_matches(['"', ',']);
            (
                name[..end.unwrap_or(name.len())].to_owned(),
                code.to_owned(),
            )
        })
        .collect()
}

fn names(source: &str, name: &str) -> Vec<String> {
    let variants = variants(source, &format!("pub enum {name} {{"), "(");
    variants.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn every_error_has_the_code_the_advice_and_the_status_of_its_row() {
    let mut rows = rows();
    let mut advice_of = BTreeMap::new();
    for (name, error) in samples() {
        let row = rows
            .remove(name.as_str())
            .unwrap_or_else(|| panic!("docs/errors.md has no row for {name}"));
        let advice = variant(&error.advice());
        if name != "Server(Other)" {
            assert_eq!(error.code(), row.code, "{name}");
        }
        assert_eq!(advice, row.advice, "{name}");
        assert_eq!(error.status().as_u16(), row.status, "{name}");
        let retry_after = (name == "KeyUnknown").then_some(KEYS_IN);
        assert_eq!(error.retry_after(), retry_after, "{name}");
        let code = error.code().to_owned();
        let before = advice_of.insert(code, advice.clone());
        assert!(
            before.is_none_or(|before| before == advice),
            "{name}: another error has the same code and another advice"
        );
    }
    assert_eq!(rows, BTreeMap::new(), "rows without an error");
}

#[test]
fn the_first_table_says_which_status_an_advice_has() {
    let (first, _) = TABLES.split_once("## Errors of the protocol").unwrap();
    for advice in [
        Advice::Retry { after: None },
        Advice::Refused,
        Advice::SignInAgain,
        Advice::FixConfiguration,
    ] {
        let start = format!("| `{}` |", variant(&advice));
        let row = first.lines().find(|line| line.starts_with(&start)).unwrap();
        let end = format!("| {} |", advice.status().as_u16());
        assert!(row.ends_with(&end), "{row}");
    }
}

#[test]
fn every_variant_in_the_source_has_a_row() {
    let mut expected = BTreeSet::new();
    let mut add = |outer: &str, source: &str, name: &str| {
        for inner in names(source, name) {
            expected.insert(format!("{outer}({inner})"));
        }
    };
    add("Callback", CALLBACK, "CallbackError");
    add("Usage", USAGE, "UsageError");
    add("Storage", STORAGE, "StorageError");
    add("SessionEnded", REFRESH, "SessionEnd");
    add("Device", CLIENT, "DeviceEnd");
    add("Request", CLIENT, "RequestError");
    for (variant, _) in variants(SERVER, "oauth_error_codes! {", " = \"") {
        expected.insert(format!("Server({variant})"));
    }
    expected.insert("Server(Other)".to_owned());
    expected.remove("Callback(Server)");
    let taken_apart = [
        "Callback",
        "Server",
        "Usage",
        "Storage",
        "SessionEnded",
        "Device",
        "Request",
        "Protocol",
    ];
    let whole = [names(CORE, "Error"), names(CLIENT, "Error")].concat();
    let whole = whole.into_iter();
    expected.extend(whole.filter(|name| !taken_apart.contains(&name.as_str())));
    let rows: BTreeSet<String> = rows().into_keys().map(str::to_owned).collect();
    assert_eq!(rows, expected);
}

#[test]
fn an_error_that_came_with_a_callback_has_the_code_and_advice_of_the_servers() {
    for (variant, code) in variants(SERVER, "oauth_error_codes! {", " = \"") {
        let direct = server(&code);
        let with_callback = Error::from(CallbackError::Server(direct.server().unwrap().clone()));
        assert_eq!(with_callback.code(), direct.code());
        assert_eq!(with_callback.advice(), direct.advice());
        let expected = match direct.advice() {
            Advice::Refused | Advice::SignInAgain => 400,
            advice => advice.status().as_u16(),
        };
        assert_eq!(with_callback.status().as_u16(), expected, "{variant}");
        assert_eq!(OAuthErrorCode::from(code.as_str()).as_str(), code);
    }
}
