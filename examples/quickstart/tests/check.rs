//! What `cargo run -p quickstart -- --check` does.

#![allow(clippy::unwrap_used)]

use quickstart::{args::StorageKind, check};

#[tokio::test]
async fn every_capability_works_with_every_storage() {
    for storage in StorageKind::ALL {
        let report = check::run(Some(storage)).await.unwrap();
        assert!(report.is_good(), "{storage}: {report:?}");
    }
}
