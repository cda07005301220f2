//! The ways through the modules, in `docs/architecture.md`, have as many modules as the page says, and each
//! module is imported by one before it.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::Visit;

use super::layers::{ARCHITECTURE, Crate, Imports, layers};

/// The steps of each way, such as `client::session`, by its name.
fn ways() -> BTreeMap<String, Vec<String>> {
    let (_, section) = ARCHITECTURE
        .split_once("## The ways through the modules")
        .expect("docs/architecture.md has the ways");
    let section = section.split("\n#").next().unwrap();
    let mut ways: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut last = Vec::new();
    for line in section.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", way, number, steps, ""] = cells[..] else {
            continue;
        };
        let Ok(number) = number.parse::<usize>() else {
            continue;
        };
        if !steps.starts_with("the same") {
            last.clear();
        }
        last.extend(steps.split('`').skip(1).step_by(2).map(str::to_owned));
        let distinct: BTreeSet<&String> = last.iter().collect();
        assert_eq!([last.len(), distinct.len()], [number; 2], "{way}");
        ways.insert(way.to_owned(), last.clone());
    }
    assert!(ways.len() > 3, "too few ways");
    ways
}

/// Which modules each module of the core and of the client imports.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let [core, client] = ["logto-core", "logto-client"].map(Crate::load);
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, modules) in [("core", &core), ("client", &client)] {
        for (user, used) in modules.siblings()[&Vec::new()].keys() {
            let used = format!("{name}::{used}");
            imports
                .entry(format!("{name}::{user}"))
                .or_default()
                .insert(used);
        }
    }
    for (module, file) in &client.files {
        let mut found = Imports::default();
        found.visit_file(file);
        let paths = found.0.iter().filter(|path| path[0] == "logto_core");
        for (user, used) in paths.filter_map(|path| {
            let used = core.resolve(&Vec::new(), &path[1..]);
            Some((module.first()?, used.first()?.clone()))
        }) {
            let user = format!("client::{user}");
            imports
                .entry(user)
                .or_default()
                .insert(format!("core::{used}"));
        }
    }
    imports
}

#[test]
fn every_way_leads_from_module_to_module() {
    let imports = imports();
    for (way, steps) in ways() {
        for (n, step) in steps.iter().enumerate().skip(1) {
            let is_imported = steps[..n]
                .iter()
                .any(|before| imports.get(before).is_some_and(|used| used.contains(step)));
            assert!(is_imported, "{way}: nothing before {step} imports it");
        }
    }
}

#[test]
fn every_step_of_a_way_has_a_row_in_the_tables() {
    let tables = [("core", "logto-core"), ("client", "logto-client")];
    let tables = tables.map(|(short, name)| (short, layers(name)));
    for (way, steps) in ways() {
        for step in steps {
            let (of, module) = step.split_once("::").unwrap();
            let known = tables
                .iter()
                .any(|(short, table)| *short == of && table.contains_key(module));
            assert!(known, "{way}: {step}");
        }
    }
}
