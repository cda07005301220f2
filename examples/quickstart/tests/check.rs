//! What `cargo run -p quickstart -- --check` does.

#![allow(clippy::unwrap_used)]

use std::{ffi::OsString, iter::once};

use quickstart::{
    args::{Args, StorageKind},
    check,
};

#[tokio::test]
async fn every_capability_works_with_every_storage_that_needs_no_server() {
    for storage in StorageKind::SELF_CONTAINED {
        let report = check::run(Some(*storage)).await.unwrap();
        assert!(report.is_good(), "{storage}: {report:?}");
    }
}

#[cfg(not(any(feature = "redis", feature = "postgres", feature = "sqlite")))]
#[tokio::test]
async fn a_storage_that_is_not_built_in_is_refused_with_the_flag_to_build_it() {
    for storage in [
        StorageKind::Redis,
        StorageKind::Postgres,
        StorageKind::Sqlite,
    ] {
        let refused = check::run(Some(storage)).await.unwrap_err().to_string();
        assert!(
            refused.contains(&format!("--features {storage}")),
            "{refused}"
        );
    }
}

#[test]
fn every_storage_has_its_word_on_the_command_line() {
    for storage in StorageKind::ALL {
        let words = ["--storage", storage.as_str()].map(OsString::from);
        assert_eq!(Args::parse(words).unwrap().storage, Some(storage));
    }
    let unknown = Args::parse(once(OsString::from("--storage=papyrus")));
    assert!(unknown.unwrap_err().to_string().contains("sqlite"));
}
