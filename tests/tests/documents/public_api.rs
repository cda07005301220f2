//! The public API of each published crate is written down in `tests/public_api`, so that a change of it is a decision
//! and not an accident. Nothing in it is of a foreign crate, except of those that `ALLOWED` names.
//!
//! `UPDATE_PUBLIC_API=1 cargo test -p logto-tests --test documents public_api` writes the files again. They are made
//! of the sources, so that they do not depend on the version of the compiler.

mod foreign;
mod listing;

use std::{collections::BTreeSet, env, fs, path::Path};

use crate::packages::{PUBLISHED, ROOT, keys, manifest, section};
use foreign::Names;
use listing::Listing;

/// The vocabulary that all crates share with their users.
const ALLOWED: [&str; 8] = [
    "alloc",
    "bytes",
    "core",
    "http",
    "serde",
    "serde_json",
    "std",
    "url",
];
/// The foreign crates that one crate may name besides: an adapter those of its framework.
fn framework(folder: &str) -> &'static [&'static str] {
    match folder {
        "adapters/actix-web" => &["actix_web"],
        "adapters/axum" => &["axum"],
        "adapters/fetch" => &["js_sys", "wasm_bindgen", "web_sys"],
        "adapters/leptos" => &["leptos"],
        "adapters/rocket" => &["rocket"],
        "adapters/tower" => &[
            "http_body",
            "http_body_util",
            "tower_layer",
            "tower_service",
        ],
        _ => &[],
    }
}

fn package(folder: &str) -> String {
    let manifest = manifest(folder);
    let name = section(&manifest, "[package]")[0];
    name.split('"').nth(1).unwrap().to_owned()
}

/// The crates that a crate can name, on any platform.
fn dependencies(folder: &str) -> BTreeSet<String> {
    let manifest = manifest(folder);
    let sections = manifest.lines().filter(|line| {
        *line == "[dependencies]"
            || line.starts_with("[target.") && line.ends_with(".dependencies]")
    });
    let names = sections.flat_map(|section| keys(&manifest, section));
    names.map(|name| name.replace('-', "_")).collect()
}

fn listing(folder: &str) -> Listing {
    Listing::of_crate(
        &Path::new(ROOT).join(folder).join("src"),
        dependencies(folder),
    )
}

#[test]
fn the_public_api_is_what_is_written_down() {
    let mut changed = Vec::new();
    for folder in PUBLISHED {
        let name = package(folder);
        let features: Vec<String> = keys(&manifest(folder), "[features]").into_iter().collect();
        let now = format!(
            "// The public API of `{name}`. Written by the test `public_api`.\n// Features: {}.\n\n{}",
            features.join(", "),
            listing(folder).text(),
        );
        let file = Path::new(ROOT).join(format!("tests/public_api/{name}.txt"));
        let before = fs::read_to_string(&file).unwrap_or_default();
        if now == before {
            continue;
        }
        if env::var_os("UPDATE_PUBLIC_API").is_some() {
            fs::write(&file, now).unwrap();
            continue;
        }
        let old: BTreeSet<&str> = before.lines().collect();
        let new: BTreeSet<&str> = now.lines().collect();
        let gone = before.lines().filter(|line| !new.contains(line));
        changed.extend(gone.map(|line| format!("{name}: - {line}")));
        let added = now.lines().filter(|line| !old.contains(line));
        changed.extend(added.map(|line| format!("{name}: + {line}")));
        changed.push(format!("{name}: the files differ"));
    }
    assert!(
        changed.is_empty(),
        "The public API has changed. If that is intended, write it down with UPDATE_PUBLIC_API=1, and add an entry to \
         CHANGELOG.md:\n{}",
        changed.join("\n")
    );
}

#[test]
fn nothing_public_is_of_a_foreign_crate_but_what_is_allowed() {
    let mut foreign = Vec::new();
    for folder in PUBLISHED {
        for found in listing(folder).foreign {
            let name = found.of_crate.as_str();
            let is_allowed = ALLOWED.contains(&name) || framework(folder).contains(&name);
            if !is_allowed && !name.starts_with("logto") {
                foreign.push(format!("{folder}: {}::{}", found.module, found.path));
            }
        }
    }
    assert!(foreign.is_empty(), "{foreign:#?}");
}

#[test]
fn a_foreign_crate_is_found_wherever_it_hides() {
    let source = "
        use std::fmt::Debug;
        use hidden::{A, b::{self, C as D}, e::*};
        use {http::Request, other::F};
        pub use hidden::G;
        mod other_crate;
        pub fn own(own: other_crate::Type) {}
        pub fn parameter(a: A) {}
        pub fn result() -> Option<b::X> {}
        pub fn bound<T: Into<D> + Debug>(t: T) {}
        pub struct Field { pub request: Request<F> }
        impl From<hidden::H> for Field {}
        #[derive(Debug, other::Derived)] pub struct Derives;
        make! { impl Trait for hidden::I {} }
    ";
    let dependencies = ["hidden", "http", "other", "other_crate"]
        .map(str::to_owned)
        .into();
    let items = syn::parse_file(source).unwrap().items;
    let names = Names::of_module("crate", &items, &dependencies);
    let found = items.iter().flat_map(|item| names.foreign(item));
    let found: BTreeSet<String> = found
        .filter(|found| found.of_crate != "std")
        .map(|found| format!("{}: {}", found.of_crate, found.path))
        .collect();
    let expected = [
        "hidden: A",
        "hidden: D",
        "hidden: b::X",
        "hidden: hidden::.. in a macro",
        "hidden: hidden::H",
        "hidden: use hidden",
        "http: Request",
        "other: F",
        "other: other::Derived",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}
