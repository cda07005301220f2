//! What a published crate says about itself: its features are explained, and its README leads somewhere.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::{layers::crates, repository::source_files};

pub(crate) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The folders of the published crates.
pub(crate) const PUBLISHED: [&str; 12] = [
    "logto",
    "logto-core",
    "logto-client",
    "logto-storage",
    "logto-testkit",
    "adapters/actix-web",
    "adapters/axum",
    "adapters/common",
    "adapters/fetch",
    "adapters/leptos",
    "adapters/rocket",
    "adapters/tower",
];

pub(crate) fn manifest(folder: &str) -> String {
    read(folder, "Cargo.toml")
}

/// The lines of a section of a manifest, without comments.
pub(crate) fn section<'a>(manifest: &'a str, name: &str) -> Vec<&'a str> {
    let lines = manifest.lines().skip_while(|line| *line != name).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    lines
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .collect()
}

/// The names that stand before the `=` in a section of a manifest.
pub(crate) fn keys(manifest: &str, name: &str) -> BTreeSet<String> {
    let lines = section(manifest, name).into_iter();
    let lines = lines.filter_map(|line| line.split_once(" = "));
    lines
        .map(|(key, _)| key.trim_end_matches(".workspace").to_owned())
        .collect()
}

fn read(folder: &str, file: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(folder).join(file)).unwrap()
}

/// The cells before the second bar of the table below `# Features` in a crate's documentation.
fn explained(source: &str) -> BTreeSet<(String, bool)> {
    let rows = source
        .lines()
        .map(|line| line.trim_start_matches("//!").trim());
    let rows = rows.skip_while(|line| !line.starts_with("| feature |"));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1].trim_matches('`').to_owned(), cells[2] == "yes")
    })
    .collect()
}

#[test]
fn every_crate_is_published_or_says_that_it_is_not() {
    for folder in crates() {
        let manifest = manifest(&folder);
        let is_private = section(&manifest, "[package]").contains(&"publish = false");
        assert_ne!(is_private, PUBLISHED.contains(&&*folder), "{folder}");
    }
}

/// The unit tests of a target with `test = false` would never run.
#[test]
fn a_target_without_a_harness_has_no_unit_tests() {
    let mut targets = 0;
    for folder in crates() {
        for section in manifest(&folder).split("\n[") {
            let (kind, keys) = section.split_once("]\n").unwrap_or_default();
            if !keys.lines().any(|line| line == "test = false") {
                continue;
            }
            targets += 1;
            for path in files_of_target(&folder, kind == "lib", keys) {
                let source = fs::read_to_string(&path).unwrap();
                let has_test = source
                    .lines()
                    .map(str::trim_start)
                    .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
                assert!(!has_test, "{}", path.display());
            }
        }
    }
    assert!(targets > 30, "{targets}");
}

/// The sources of a library, or of a binary with these keys in its manifest.
fn files_of_target(folder: &str, is_library: bool, keys: &str) -> Vec<PathBuf> {
    let root = Path::new(ROOT).join(folder);
    let value = |key: &str| {
        let mut values = keys.lines().filter_map(|line| line.strip_prefix(key));
        values.find_map(|value| value.strip_prefix(" = \"")?.strip_suffix('"'))
    };
    if !is_library {
        let named = value("name").map(|name| root.join(format!("src/bin/{name}.rs")));
        let path = value("path").map(|path| root.join(path)).or(named);
        let path = path.filter(|path| path.exists());
        return vec![path.unwrap_or_else(|| root.join("src/main.rs"))];
    }
    let files = source_files(&format!("{folder}/src")).into_iter();
    let is_binary = |path: &PathBuf| {
        path.ends_with("src/main.rs")
            || path
                .parent()
                .is_some_and(|parent| parent.ends_with("src/bin"))
    };
    files.filter(|path| !is_binary(path)).collect()
}

#[test]
fn every_feature_is_explained() {
    for folder in PUBLISHED {
        let manifest = manifest(folder);
        let default = section(&manifest, "[features]")
            .into_iter()
            .find(|line| line.starts_with("default = "))
            .unwrap_or_default();
        let mut features = keys(&manifest, "[features]");
        features.remove("default");
        let features: BTreeSet<(String, bool)> = features
            .into_iter()
            .map(|name| {
                let is_default = default.contains(&format!("\"{name}\""));
                (name, is_default)
            })
            .collect();
        let lib = read(folder, "src/lib.rs");
        let readme = read(folder, "README.md");
        let tables = [explained(&lib), explained(&readme)];
        let tables: Vec<_> = tables.iter().filter(|table| !table.is_empty()).collect();
        assert_eq!(tables.is_empty(), features.is_empty(), "{folder}");
        for table in tables {
            assert_eq!(*table, features, "{folder}");
        }
    }
}

#[test]
fn every_published_crate_is_ready_for_docs_rs() {
    for folder in PUBLISHED {
        let manifest = manifest(folder);
        let metadata = section(&manifest, "[package.metadata.docs.rs]");
        let expected: &[&str] = match folder {
            // Elsewhere there is nothing to document.
            "adapters/fetch" => &[
                "all-features = true",
                "default-target = \"wasm32-unknown-unknown\"",
            ],
            _ => &["all-features = true"],
        };
        assert_eq!(metadata, expected, "{folder}");
        let lib = read(folder, "src/lib.rs");
        let has_features = !keys(&manifest, "[features]").is_empty();
        let shows_features = lib.contains("#![cfg_attr(docsrs, feature(doc_cfg))]");
        assert_eq!(shows_features, has_features, "{folder}");
    }
}

#[test]
fn every_published_crate_is_packed_with_its_sources_and_licences_only() {
    for folder in PUBLISHED {
        let manifest = manifest(folder);
        let package = section(&manifest, "[package]");
        for line in [
            "include = [\"/src\", \"/README.md\", \"/LICENSE-*\"]",
            "license.workspace = true",
            "readme = \"README.md\"",
            "repository.workspace = true",
        ] {
            assert!(package.contains(&line), "{folder} lacks {line}");
        }
        for file in ["LICENSE-APACHE", "LICENSE-MIT"] {
            assert_eq!(read(folder, file), read(".", file), "{folder}/{file}");
        }
    }
}
