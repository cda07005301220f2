//! The book in `docs` holds together: its pages, their links, their code, and the Chinese half of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use crate::{
    markdown::{self, Include},
    packages::{ROOT, keys, manifest},
    repository::test_names,
};

const ENGLISH: &str = "docs";
const CHINESE: &str = "docs/zh-TW";
/// The folders and the pages that are translated as a whole.
const TRANSLATED: [&str; 8] = [
    "README.md",
    "quick-start.md",
    "settings.md",
    "start/",
    "how-to/",
    "explain/coming-from.md",
    "explain/security.md",
    "explain/sessions.md",
];

fn root() -> PathBuf {
    PathBuf::from(ROOT)
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The Markdown files below a folder, by their paths in the repository.
fn files(folder: &str) -> BTreeSet<String> {
    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = folder.join(&name);
            if root().join(&path).is_dir() {
                if !name.starts_with('.') && !["target", "node_modules"].contains(&&*name) {
                    collect(&path, found);
                }
            } else if name.ends_with(".md") {
                found.insert(path.to_str().unwrap().to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(Path::new(folder), &mut found);
    found
}

/// The pages of a book, by their paths in the repository. What begins with `_` is a part of several pages.
fn pages(book: &str) -> BTreeSet<String> {
    let mut pages = files(book);
    pages.remove(&format!("{book}/SUMMARY.md"));
    pages.retain(|page| book == CHINESE || !page.starts_with(CHINESE));
    pages.retain(|page| !page.contains("/_"));
    pages
}

/// A page with its parts, which are in the same folder.
fn page_text(page: &str) -> String {
    let mut text = read(page);
    for Include { file, .. } in markdown::includes(&text) {
        if file.ends_with(".md") {
            assert!(file.starts_with('_'), "{page} includes {file}");
            let part = read(&resolve(page, &file));
            text = text.replace(&format!("{{{{#include {file}}}}}"), &part);
        }
    }
    text
}

/// `path`, as a file at `from` writes it, from the root of the repository.
fn resolve(from: &str, path: &str) -> String {
    let mut resolved = Path::new(from).parent().unwrap().to_path_buf();
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => assert!(resolved.pop(), "{from}: {path}"),
            Component::Normal(name) => resolved.push(name),
            _ => {}
        }
    }
    resolved.to_str().unwrap().to_owned()
}

fn includes(page: &str) -> Vec<Include> {
    let found = markdown::includes(&page_text(page)).into_iter();
    let found = found.map(|include| Include {
        file: resolve(page, &include.file),
        ..include
    });
    found.collect()
}

#[test]
fn every_page_is_in_the_summary_of_its_book() {
    for book in [ENGLISH, CHINESE] {
        let summary = format!("{book}/SUMMARY.md");
        let links = markdown::links(&read(&summary)).into_iter();
        let listed: BTreeSet<String> = links.map(|link| resolve(&summary, &link)).collect();
        assert_eq!(listed, pages(book), "{book}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let mut headings: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut dead = Vec::new();
    for from in files("") {
        if from.contains("/_") {
            continue;
        }
        for link in markdown::links(&page_text(&from)) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, fragment) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => from.clone(),
                path => resolve(&from, path),
            };
            let exists = root().join(&target).exists();
            let is_page = from.starts_with(ENGLISH) && !from.ends_with("SUMMARY.md");
            // A start page becomes `index.html`: link to its folder.
            let is_out_of_book =
                is_page && (!target.starts_with(ENGLISH) || target.ends_with("README.md"));
            let has_heading = fragment.is_empty()
                || exists
                    && headings
                        .entry(target.clone())
                        .or_insert_with(|| markdown::headings(&page_text(&target)))
                        .contains(fragment);
            if !exists || !has_heading || is_out_of_book {
                dead.push(format!("{from}: {link}"));
            }
        }
    }
    assert!(dead.is_empty(), "dead links: {dead:#?}");
}

#[test]
fn every_include_finds_its_code() {
    let mut found = 0;
    for page in pages(ENGLISH).union(&pages(CHINESE)) {
        for Include { file, anchor } in includes(page) {
            let code = read(&file);
            if let Some(anchor) = anchor {
                for mark in ["ANCHOR", "ANCHOR_END"] {
                    let mark = format!("{mark}: {anchor}");
                    let ends = |line: &str| line.trim_end().ends_with(&mark);
                    assert!(code.lines().any(ends), "{page}: {file} has no {mark}");
                }
            }
            found += 1;
        }
    }
    assert!(found > 50, "the pages are read: {found}");
}

/// Code is included from a file that is compiled, or stands in a page whose code is compiled.
#[test]
fn all_rust_code_is_compiled() {
    let compiled = read("examples/book/src/lib.rs");
    for page in pages(ENGLISH).union(&pages(CHINESE)) {
        for block in markdown::code_blocks(&page_text(page)) {
            let is_rust = block.language.split(',').next() == Some("rust");
            let is_included = block.code.trim_start().starts_with("{{#include ");
            let is_mounted = compiled.contains(&format!("/{page}\""));
            assert!(
                !is_rust || is_included || is_mounted,
                "{page} has code that nothing compiles:\n{}",
                block.code
            );
        }
    }
    for page in pages(ENGLISH).union(&pages(CHINESE)) {
        for Include { file, .. } in includes(page) {
            let is_example = file.starts_with("examples/") || file.starts_with("tests/");
            assert!(is_example || !file.ends_with(".rs"), "{page}: {file}");
        }
    }
}

#[test]
fn a_page_and_its_translation_include_the_same_code() {
    for page in pages(CHINESE) {
        let twin = page.replacen(CHINESE, ENGLISH, 1);
        assert!(pages(ENGLISH).contains(&twin), "{page} has no {twin}");
        assert_eq!(includes(&page), includes(&twin), "{page}");
        let blocks = |page: &str| -> Vec<String> {
            let blocks = markdown::code_blocks(&page_text(page)).into_iter();
            blocks
                .filter(|block| !["text", ""].contains(&&*block.language))
                .map(|block| block.language)
                .collect()
        };
        assert_eq!(blocks(&page), blocks(&twin), "{page}");
    }
}

/// A line break becomes a space, which has no place between two Chinese characters.
#[test]
fn no_line_breaks_within_chinese() {
    for page in pages(CHINESE) {
        let text = page_text(&page);
        let mut before = "";
        for line in text.lines() {
            let is_chinese = |c: Option<char>| c.is_some_and(|c| c as u32 >= 0x2e80);
            let breaks = is_chinese(before.chars().last()) && is_chinese(line.chars().next());
            assert!(!breaks, "{page}:\n{before}\n{line}");
            before = line;
        }
    }
}

#[test]
fn what_applications_need_is_translated() {
    let translated = pages(CHINESE);
    for page in pages(ENGLISH) {
        let path = page.trim_start_matches("docs/");
        let twin = format!("{CHINESE}/{path}");
        let is_needed = TRANSLATED.iter().any(|needed| path.starts_with(needed));
        assert!(
            !is_needed || translated.contains(&twin),
            "there is no {twin}"
        );
    }
}

/// The first column of the tables in `docs/errors.md` that have a code in the second one.
fn codes() -> BTreeSet<String> {
    let errors = read("docs/errors.md");
    let (_, tables) = errors.split_once("## Errors of the protocol").unwrap();
    let cells = tables.lines().filter_map(|line| line.split('|').nth(2));
    let codes = cells.filter_map(|cell| cell.trim().strip_prefix('`')?.strip_suffix('`'));
    let codes: BTreeSet<String> = codes
        .filter(|code| *code != "code")
        .map(str::to_owned)
        .collect();
    assert!(codes.len() > 50, "the tables are read: {codes:?}");
    codes
}

#[test]
fn troubleshooting_has_every_code() {
    for book in [ENGLISH, CHINESE] {
        let page = format!("{book}/how-to/troubleshoot.md");
        let text = read(&page);
        let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
        let explained: BTreeSet<String> = rows
            .filter_map(|row| row.split('`').next())
            .map(str::to_owned)
            .collect();
        let missing: Vec<_> = codes().difference(&explained).cloned().collect();
        assert!(missing.is_empty(), "{page} lacks {missing:?}");
    }
}

/// The features of the crate `logto`.
fn features() -> BTreeSet<String> {
    let mut features = keys(&manifest("logto"), "[features]");
    features.remove("default");
    features
}

#[test]
fn every_feature_is_explained_and_every_manifest_names_features_that_exist() {
    let page = read("docs/features.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    let explained: BTreeSet<String> = rows
        .filter_map(|row| row.split('`').next())
        .map(str::to_owned)
        .collect();
    assert_eq!(explained, features());

    for page in pages(ENGLISH).union(&pages(CHINESE)) {
        for block in markdown::code_blocks(&page_text(page)) {
            let line = block.code.lines().find(|line| line.starts_with("logto = "));
            let Some((_, list)) = line.and_then(|line| line.split_once("features = [")) else {
                continue;
            };
            let list = list.split(']').next().unwrap().split(", ");
            for feature in list.map(|feature| feature.trim_matches('"')) {
                assert!(features().contains(feature), "{page}: no feature {feature}");
            }
        }
    }
}

#[test]
fn every_test_that_the_security_page_names_exists() {
    let tests = test_names();
    let named = |page: &str| -> Vec<String> {
        let text = read(page);
        let rows = text.lines().filter(|line| line.starts_with("| "));
        let last = rows.filter_map(|row| row.rsplit('|').nth(1));
        let named = last.filter_map(|cell| cell.trim().strip_prefix('`')?.strip_suffix('`'));
        named.map(str::to_owned).collect()
    };
    let english = named("docs/explain/security.md");
    assert!(english.len() >= 20, "the tables are read: {english:?}");
    for test in &english {
        assert!(tests.contains(test), "there is no test {test}");
    }
    assert_eq!(named("docs/zh-TW/explain/security.md"), english);
}

#[test]
fn the_program_for_webassembly_in_a_readme_is_one_that_is_compiled() {
    let program = read("examples/worker/examples/shortest.rs");
    let (_, program) = program.split_once("\n\n").unwrap();
    let shown = format!("```rust\n{program}```\n");
    assert!(read("adapters/fetch/README.md").contains(&shown));
}
