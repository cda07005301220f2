//! What the pages link to, and what the README shows.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{fs, path::Path};

const SOURCE: &str = "{{ crate::page::SOURCE }}/";

/// How a heading is addressed, as the hosts of repositories do it.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading
        .chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_link_to_the_code_or_the_guide_leads_somewhere() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut links = 0;
    for template in fs::read_dir(package.join("templates")).unwrap() {
        let template = fs::read_to_string(template.unwrap().path()).unwrap();
        for link in template.split(SOURCE).skip(1) {
            let link = link.split('"').next().unwrap();
            let (path, wanted) = link.split_once('#').unwrap_or((link, ""));
            let target = fs::read_to_string(package.join("../..").join(path));
            let target = target.unwrap_or_else(|error| panic!("{path}: {error}"));
            let mut headings = target.lines().filter(|line| line.starts_with('#'));
            assert!(
                wanted.is_empty() || headings.any(|heading| anchor(heading) == wanted),
                "{link}"
            );
            links += 1;
        }
    }
    assert!(links >= 10, "{links}");
}

#[test]
fn the_program_of_the_readme_is_the_shortest_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let example = fs::read_to_string(root.join("examples/axum/src/bin/shortest.rs")).unwrap();
    let (_, program) = example.split_once("\n\n").unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    assert!(readme.contains(&format!("```rust,no_run\n{program}```")));
    let lines = program.lines().filter(|line| !line.trim().is_empty());
    assert!(lines.count() <= 20);
}
