//! `docs/protocol.md` is complete and correct: it has a row for every entry of a real Logto's discovery document,
//! and everything that a row refers to exists.

use std::collections::{BTreeMap, BTreeSet};

use logto_recordings::Recording;
use serde_json::{Map, Value};

use crate::repository::{code, sources, test_names};

const TABLE: &str = include_str!("../../../docs/protocol.md");
/// The table of what is no list in the discovery document.
const SCALARS: &str = "Endpoints and statements";
/// What Logto reads in an authorization request, by its own documentation and source.
const AUTHORIZATION_PARAMETERS: [&str; 23] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "scope",
    "resource",
    "prompt",
    "login_hint",
    "first_screen",
    "interaction_mode",
    "identifier",
    "direct_sign_in",
    "one_time_token",
    "google_one_tap_credential",
    "ui_locales",
    "organization_id",
    "max_age",
    "acr_values",
    "request_uri",
];

struct Row {
    entry: &'static str,
    ours: &'static str,
    paths: Vec<&'static str>,
    tests: Vec<&'static str>,
}

/// The rows under each heading.
fn sections() -> BTreeMap<&'static str, Vec<Row>> {
    let mut sections: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    let mut heading = "";
    for line in TABLE.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            heading = title;
        } else if line.starts_with("| `") {
            sections.entry(heading).or_default().push(row(line));
        }
    }
    sections
}

fn row(line: &'static str) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [entry, ours, paths, tests] = cells.as_slice() else {
        panic!("not four cells: {line}");
    };
    Row {
        entry: entry.trim_matches('`'),
        ours,
        paths: code(paths),
        tests: code(tests),
    }
}

fn discovery() -> Map<String, Value> {
    serde_json::from_slice(Recording::load(1).response.body()).unwrap()
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect()
}

#[test]
fn every_entry_of_the_discovery_document_has_a_row_and_every_row_an_entry() {
    let sections = sections();
    let entries = |section: &str| -> BTreeSet<&str> {
        let rows = sections
            .get(section)
            .unwrap_or_else(|| panic!("there is no section {section:?}"));
        let entries: BTreeSet<&str> = rows.iter().map(|row| row.entry).collect();
        assert_eq!(
            entries.len(),
            rows.len(),
            "{section}: an entry has two rows"
        );
        entries
    };
    let mut scalars = BTreeSet::new();
    let mut lists = BTreeSet::new();
    let discovery = discovery();
    for (member, value) in &discovery {
        let Value::Array(values) = value else {
            scalars.insert(member.as_str());
            continue;
        };
        let ending = format!(": `{member}`");
        let section = sections.keys().find(|title| title.ends_with(&ending));
        let section = section.unwrap_or_else(|| panic!("there is no section for {member}"));
        let values: BTreeSet<&str> = values.iter().map(|value| value.as_str().unwrap()).collect();
        assert_eq!(entries(section), values, "{member}");
        lists.insert(*section);
    }
    assert_eq!(entries(SCALARS), scalars);
    for title in sections.keys().filter(|title| title.ends_with('`')) {
        assert!(lists.contains(title), "{title}: there is no such list");
    }
}

#[test]
fn every_authorization_parameter_of_logto_has_a_row() {
    let sections = sections();
    let rows = sections["Parameters of the authorization request"].iter();
    let rows: BTreeSet<&str> = rows.map(|row| row.entry).collect();
    let mut known: BTreeSet<&str> = AUTHORIZATION_PARAMETERS.into();
    known.insert("extra");
    assert_eq!(rows, known);
}

#[test]
fn every_row_says_what_we_have_and_names_a_path_and_a_test() {
    let mut rows = 0;
    for (section, section_rows) in sections() {
        for row in section_rows {
            assert!(!row.ours.is_empty(), "{section}: {}", row.entry);
            assert!(!row.paths.is_empty(), "{section}: {}", row.entry);
            assert!(!row.tests.is_empty(), "{section}: {}", row.entry);
            rows += 1;
        }
    }
    assert!(rows > 130, "the table is read: {rows} rows");
}

#[test]
fn every_test_that_a_row_names_exists() {
    let tests = test_names();
    for row in sections().values().flatten() {
        for test in &row.tests {
            assert!(
                tests.contains(*test),
                "{}: there is no test {test}",
                row.entry
            );
        }
    }
}

#[test]
fn every_path_that_a_row_names_exists() {
    let (core, client) = (sources("logto-core/src"), sources("logto-client/src"));
    let (core, client) = (words(&core), words(&client));
    for row in sections().values().flatten() {
        for path in &row.paths {
            let mut segments = path.split("::");
            let words = match segments.next() {
                Some("logto_core") => &core,
                Some("logto_client") => &client,
                other => panic!("{}: {other:?} is none of our crates", row.entry),
            };
            for segment in segments {
                assert!(words.contains(segment), "{}: there is no {path}", row.entry);
            }
        }
    }
}
