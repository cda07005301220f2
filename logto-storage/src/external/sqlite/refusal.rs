//! Errors of SQLite that are permanent, and what to change.

use logto_client::storage::StorageError;

use crate::external::unavailable;

const ERROR: i32 = 1;
const PERM: i32 = 3;
const READONLY: i32 = 8;
const CORRUPT: i32 = 11;
const CANTOPEN: i32 = 14;
const NOTADB: i32 = 26;

/// Distinguishes a misconfiguration from a temporary failure.
pub(super) fn classify(error: sqlx::Error) -> StorageError {
    match what_to_change(&error) {
        Some(advice) => StorageError::Misconfigured(format!("{error}: {advice}")),
        None => unavailable(error),
    }
}

/// The lowest byte of an extended result code: <https://www.sqlite.org/rescode.html>.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xFF)
}

fn what_to_change(error: &sqlx::Error) -> Option<&'static str> {
    let code = primary_code(error)?;
    let message = error.as_database_error()?.message();
    match code {
        ERROR if message.contains("no such table") => Some("run `SqliteStore::migrate`"),
        ERROR if message.contains("column") => Some(
            "the table `logto_sessions` has other columns: drop it, and run `SqliteStore::migrate`",
        ),
        PERM | READONLY => Some("let the process write the file and its directory"),
        CANTOPEN => Some("give the path of a file, in a directory that exists and may be written"),
        CORRUPT | NOTADB => {
            Some("this is not an SQLite database, or it is damaged: give another path")
        }
        _ => None,
    }
}
