//! `docs/requirements.md` and the tests match: every id in a test name has a row, and every row names a test that
//! carries its id.

use std::collections::{BTreeMap, BTreeSet};

use crate::repository::{code, sources, test_names};

const TABLE: &str = include_str!("../../../docs/requirements.md");

struct Row {
    requirement: &'static str,
    source: &'static str,
    test: &'static str,
}

/// The rows by their ids, which are lower case in the names of tests.
fn rows() -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for line in TABLE.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let id = cells[0].to_lowercase();
        if !is_id(&id) {
            continue;
        }
        let &[_, requirement, source, tests] = cells.as_slice() else {
            panic!("not four cells: {line}");
        };
        let &[test] = code(tests).as_slice() else {
            panic!("not one test: {line}");
        };
        let row = Row {
            requirement,
            source,
            test,
        };
        assert!(rows.insert(id, row).is_none(), "{} has two rows", cells[0]);
    }
    assert!(rows.len() > 200, "the table is read: {} rows", rows.len());
    rows
}

/// A letter and at most two digits.
fn is_id(word: &str) -> bool {
    let digits = word.strip_prefix(|first: char| first.is_ascii_lowercase());
    digits.is_some_and(|digits| {
        matches!(digits.len(), 1 | 2) && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

/// The ids in the name of a test; `i1_to_i5` are five.
fn ids(test: &str) -> BTreeSet<String> {
    let words: Vec<&str> = test.split('_').collect();
    let number = |id: &str| id[1..].parse::<u32>().unwrap();
    let mut ids = BTreeSet::new();
    for (index, word) in words.iter().enumerate().filter(|(_, word)| is_id(word)) {
        let last = match words[index + 1..] {
            ["to", last, ..] if is_id(last) => last,
            _ => word,
        };
        let letter = &word[..1];
        ids.extend((number(word)..=number(last)).map(|number| format!("{letter}{number}")));
    }
    ids
}

#[test]
fn every_id_in_the_name_of_a_test_has_a_row() {
    let rows = rows();
    let mut missing = Vec::new();
    for test in test_names() {
        let unknown = ids(&test).into_iter().filter(|id| !rows.contains_key(id));
        missing.extend(unknown.map(|id| format!("{} of {test}", id.to_uppercase())));
    }
    assert!(
        missing.is_empty(),
        "docs/requirements.md has no row for {missing:#?}"
    );
}

#[test]
fn the_first_word_of_a_name_is_an_id_or_a_word() {
    let is_letter = |word: &str| word.len() == 1 && word != "a";
    let letters = test_names().into_iter();
    let letters: Vec<_> = letters
        .filter(|test| test.split('_').next().is_some_and(is_letter))
        .collect();
    assert!(letters.is_empty(), "a letter is no id: {letters:#?}");
}

#[test]
fn every_row_says_what_is_required_and_names_a_test_with_its_id() {
    let tests = test_names();
    for (id, row) in rows() {
        let shown = id.to_uppercase();
        assert!(!row.requirement.is_empty(), "{shown} requires nothing");
        assert!(!row.source.is_empty(), "{shown} has no source");
        assert!(tests.contains(row.test), "{shown}: no test {}", row.test);
        assert!(
            ids(row.test).contains(&id),
            "{shown}: {} has another id",
            row.test
        );
    }
}

#[test]
fn an_id_is_for_tests_and_never_in_what_users_read() {
    let crates = ["logto", "logto-core", "logto-client", "logto-storage"];
    for name in crates.iter().chain(&["logto-testkit"]) {
        for line in sources(&format!("{name}/src")).lines() {
            let mut parentheses = line.split('(').filter_map(|text| text.split_once(')'));
            let id = parentheses.find(|(text, _)| {
                text.starts_with(|first: char| first.is_ascii_uppercase())
                    && is_id(&text.to_lowercase())
            });
            assert!(id.is_none(), "{name}: {line}");
        }
    }
}

#[test]
fn ids_are_words_of_a_name() {
    let of = |test: &str| ids(test).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(of("c1_c2_the_code_with_s256"), "c1 c2");
    assert_eq!(of("s11_a_f36_fifty_at_once"), "f36 s11");
    assert_eq!(of("i1_to_i3_hold"), "i1 i2 i3");
    assert_eq!(of("es384_is_verified"), "");
}
