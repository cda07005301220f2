//! Errors of Redis that are permanent, and what to change.

use std::{error::Error, io, sync::Arc};

use logto_client::storage::StorageError;
use redis::{ErrorKind, RedisError};

use super::connection::has_code;
use crate::external::{is_unknown_host, unavailable};

const PASSWORD: &str = "correct the user and the password of the URL";
const CLUSTER: &str = "this server belongs to a cluster: use `RedisStore::connect_cluster`";
const COMMANDS: &str = "allow the commands and keys that the documentation of `RedisStore` lists";

const CODES: [(&str, &str); 7] = [
    ("WRONGPASS", PASSWORD),
    ("NOAUTH", PASSWORD),
    ("NOPERM", COMMANDS),
    (
        "DENIED",
        "set a password on the server, or switch off its protected mode",
    ),
    ("MOVED", CLUSTER),
    ("CROSSSLOT", CLUSTER),
    (
        "WRONGTYPE",
        "another program uses these keys: choose another `RedisStore::prefix`",
    ),
];

const TEXTS: [(&str, &str); 5] = [
    ("invalid password", PASSWORD),
    (
        "switch database",
        "correct the number of the database in the URL",
    ),
    (
        "cluster support disabled",
        "this server does not belong to a cluster: use `RedisStore::connect`",
    ),
    ("unknown command", COMMANDS),
    ("can't run this command", COMMANDS),
];

/// Distinguishes a misconfiguration from a temporary failure.
pub(super) fn classify(error: RedisError) -> StorageError {
    match what_to_change(&error) {
        Some(advice) => StorageError::Misconfigured(format!("{error}: {advice}")),
        None => unavailable(error),
    }
}

/// As [`classify`], for a new connection: a server with another protocol is permanent.
pub(super) fn classify_connecting(error: RedisError) -> StorageError {
    if error.kind() == ErrorKind::Parse {
        let advice = "the server at this address is not Redis";
        return StorageError::Misconfigured(format!("{error}: {advice}"));
    }
    classify(error)
}

/// A `rediss://` URL leads to a server without TLS.
pub(super) fn no_tls() -> StorageError {
    StorageError::Misconfigured(
        "the server does not speak TLS on this port: use `redis://`, or its TLS port".to_owned(),
    )
}

fn what_to_change(error: &RedisError) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::InvalidClientConfig if says(error, "TLS") => {
            return Some("enable the feature `tls`, or use `redis://`");
        }
        ErrorKind::InvalidClientConfig => {
            return Some("the URL is `redis://[user:password@]host[:port][/database]`");
        }
        ErrorKind::AuthenticationFailed => return Some(PASSWORD),
        ErrorKind::Io if is_tls_failure(error) => {
            return Some(
                "the server does not speak TLS on this port, or its certificate is not trusted by this machine",
            );
        }
        ErrorKind::Io if io_error(error).is_some_and(is_unknown_host) => {
            return Some("correct the host of the URL");
        }
        _ => {}
    }
    CODES
        .iter()
        .find(|(code, _)| has_code(error, code))
        .or_else(|| TEXTS.iter().find(|(text, _)| says(error, text)))
        .map(|(_, advice)| *advice)
}

fn says(error: &RedisError, text: &str) -> bool {
    error.to_string().contains(text)
}

/// The one source of invalid data besides the protocol of Redis, whose errors have a kind of their own.
fn is_tls_failure(error: &RedisError) -> bool {
    io_error(error).is_some_and(|error| error.kind() == io::ErrorKind::InvalidData)
}

/// The `redis` crate shares the errors that it wraps.
fn io_error(error: &RedisError) -> Option<&io::Error> {
    let shared: &Arc<dyn Error + Send + Sync> = error.source()?.downcast_ref()?;
    shared.downcast_ref()
}
