//! What the pages link to, and what the README shows and links to.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::{fs, path::Path};

use sha2::{Digest, Sha256};

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

#[test]
fn every_relative_link_of_the_readme_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let targets = readme.split("](").skip(1).map(|rest| rest.split(')'));
    let images = ["src=\"", "srcset=\""].into_iter();
    let images = images.flat_map(|attribute| readme.split(attribute).skip(1));
    let targets = targets.chain(images.map(|rest| rest.split('"')));
    let mut links = 0;
    for target in targets.map(|mut parts| parts.next().unwrap()) {
        if target.starts_with("https://") {
            continue;
        }
        let (path, wanted) = target.split_once('#').unwrap_or((target, ""));
        assert!(root.join(path).exists(), "{target}");
        if !wanted.is_empty() {
            let page = fs::read_to_string(root.join(path)).unwrap();
            let mut headings = page.lines().filter(|line| line.starts_with('#'));
            assert!(
                headings.any(|heading| anchor(heading) == wanted),
                "{target}"
            );
        }
        links += 1;
    }
    assert!(links >= 20, "{links}");
}

#[test]
fn the_pictures_are_not_older_than_the_page() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let templates = fs::read_dir(package.join("templates")).unwrap();
    let mut templates: Vec<_> = templates.map(|entry| entry.unwrap().path()).collect();
    templates.sort();
    let mut hash = Sha256::new();
    for template in templates {
        hash.update(fs::read(template).unwrap());
    }
    let now = format!("{:x}", hash.finalize());
    let then = fs::read_to_string(package.join("../../docs/images/quickstart.sha256")).unwrap();
    assert_eq!(then.trim(), now, "take them again: ci/screenshots.mjs");
}
