//! Errors of PostgreSQL that are permanent, and what to change.

use logto_client::storage::StorageError;

use crate::external::{is_unknown_host, unavailable};

const PASSWORD: &str = "correct the user and the password of the URL";
const DATABASE: &str = "correct the database of the URL";
const OPTIONS: &str = "correct `options` in the URL";
const POOLER: &str = "behind PgBouncer, or another pooler in transaction mode, connect with `PostgresOptions::transaction_pooling`";

const COLUMNS: &str =
    "the table `logto_sessions` has other columns: drop it, and run `PostgresStore::migrate`";
const COLUMNS_OR_POOLER: &str = "the table `logto_sessions` has other columns: drop it, and run `PostgresStore::migrate`; or, behind PgBouncer or another pooler in transaction mode, connect with `PostgresOptions::transaction_pooling`";

const CODES: [(&str, &str); 14] = [
    ("28P01", PASSWORD),
    (
        "28000",
        "correct the user of the URL, or allow this connection in pg_hba.conf; a server that demands TLS needs `sslmode=require` in the URL and the feature `tls`",
    ),
    ("3D000", DATABASE),
    ("42704", OPTIONS),
    ("22023", OPTIONS),
    ("42501", super::RIGHTS),
    ("3F000", super::RIGHTS),
    ("42P01", "run `PostgresStore::migrate`"),
    // No such column, a column of another type, and types that cannot be compared.
    ("42703", COLUMNS),
    ("42804", COLUMNS),
    ("42883", COLUMNS),
    // A statement that another client of the pooler prepared, or on another server connection: it is
    // missing, it is there already, or its parameters have other types.
    ("26000", POOLER),
    ("42P05", POOLER),
    ("22P03", POOLER),
];

/// PgBouncer has one code for all its errors, 08P01. PostgreSQL gives it to a statement of another
/// client of the pooler that has another number of parameters or columns.
const TEXTS: [(&str, &str); 5] = [
    ("bind message", POOLER),
    ("no such database", DATABASE),
    ("does not exist", DATABASE),
    ("no such user", PASSWORD),
    (
        "unsupported startup parameter",
        "add the parameter to `ignore_startup_parameters` of PgBouncer, or take it out of the URL",
    ),
];

/// Distinguishes a misconfiguration from a temporary failure.
pub(super) fn classify(error: sqlx::Error) -> StorageError {
    match what_to_change(&error) {
        Some(advice) => StorageError::Misconfigured(format!("{error}: {advice}")),
        None => unavailable(error),
    }
}

/// As [`classify`], for a new store: a server with another protocol is permanent.
pub(super) fn classify_connecting(error: sqlx::Error) -> StorageError {
    if matches!(error, sqlx::Error::Protocol(_)) {
        let advice = "the server at this address is not PostgreSQL";
        return StorageError::Misconfigured(format!("{error}: {advice}"));
    }
    classify(error)
}

fn what_to_change(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        sqlx::Error::Configuration(_) => {
            Some("the URL is `postgres://user:password@host[:port]/database[?option=value]`")
        }
        sqlx::Error::Tls(_) if cfg!(feature = "tls") => {
            Some("correct `sslmode` in the URL, or the certificates")
        }
        sqlx::Error::Tls(_) => Some("enable the feature `tls`, or correct `sslmode` in the URL"),
        sqlx::Error::Io(error) if is_unknown_host(error) => Some("correct the host of the URL"),
        // The statement that ran is not the one that was asked for.
        sqlx::Error::ColumnIndexOutOfBounds { .. } | sqlx::Error::ColumnNotFound(_) => Some(POOLER),
        sqlx::Error::ColumnDecode { .. } => Some(COLUMNS_OR_POOLER),
        sqlx::Error::Database(error) => {
            let code = error.code()?;
            let advice = |table: &[(&str, &'static str)], matches: &dyn Fn(&str) -> bool| {
                let entry = table.iter().find(|(key, _)| matches(key));
                entry.map(|(_, advice)| *advice)
            };
            advice(&CODES, &|key| key == code).or_else(|| {
                advice(&TEXTS, &|key| {
                    code == "08P01" && error.message().contains(key)
                })
            })
        }
        _ => None,
    }
}
