//! The layers of `docs/architecture.md` are true: no module imports from a layer above its own, no two
//! modules beside each other import one another, and every module has its place in a table.
//!
//! The tables are the only list of layers. What a module imports is read from its source.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use syn::{
    File, Item, ItemMod, ItemUse, Macro, UseTree, Visibility,
    visit::{self, Visit},
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
pub(crate) const ARCHITECTURE: &str = include_str!("../../../docs/architecture.md");
/// The crates that have a table, which is all that others depend on and that have modules.
const LAYERED: [&str; 4] = [
    "logto-core",
    "logto-client",
    "logto-storage",
    "logto-testkit",
];
/// A module by its path below the root of its crate, which is empty itself.
pub(crate) type Module = Vec<String>;

/// The modules of one crate.
#[derive(Default)]
pub(crate) struct Crate {
    pub(crate) files: BTreeMap<Module, File>,
    /// The names that a module re-exports from its children.
    reexports: BTreeMap<(Module, String), Module>,
}

impl Crate {
    pub(crate) fn load(name: &str) -> Self {
        let mut this = Self::default();
        this.load_folder(&Path::new(ROOT).join(name).join("src"), &Vec::new());
        assert!(!this.files.is_empty(), "{name} has no source");
        for (module, file) in &this.files {
            for item in &file.items {
                let Item::Use(ItemUse { vis, tree, .. }) = item else {
                    continue;
                };
                if matches!(vis, Visibility::Inherited) {
                    continue;
                }
                for mut path in paths(tree) {
                    if path[0] == "self" {
                        path.remove(0);
                    }
                    let name = path.last().unwrap().clone();
                    let child = this.longest(module.clone(), &path);
                    if child.len() > module.len() {
                        this.reexports.insert((module.clone(), name), child);
                    }
                }
            }
        }
        this
    }

    fn load_folder(&mut self, folder: &Path, module: &Module) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let mut inner = module.clone();
            if path.is_dir() {
                inner.push(name);
                self.load_folder(&path, &inner);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                // A program beside a library is another crate.
                if name == "main" && folder.join("lib.rs").exists() {
                    continue;
                }
                if !["lib", "main"].contains(&name.as_str()) {
                    inner.push(name);
                }
                let text = fs::read_to_string(&path).unwrap();
                let file = syn::parse_file(&text).unwrap_or_else(|error| {
                    panic!("{}: {error}", path.display());
                });
                self.files.insert(inner, file);
            }
        }
    }

    /// As far down from `module` as `path` names modules.
    fn longest(&self, mut module: Module, path: &[String]) -> Module {
        for name in path {
            module.push(name.clone());
            if !self.files.contains_key(&module) {
                module.pop();
                break;
            }
        }
        module
    }

    /// The module that a path in `from` leads to: where the item is, not where it is re-exported.
    pub(crate) fn resolve(&self, from: &Module, path: &[String]) -> Module {
        let mut module = from.clone();
        let mut rest = path;
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" => module.clear(),
                "super" => drop(module.pop()),
                "self" => {}
                _ => break,
            }
            rest = others;
        }
        let mut found = self.longest(module.clone(), rest);
        if let Some(name) = rest.get(found.len() - module.len()) {
            while let Some(child) = self.reexports.get(&(found.clone(), name.clone())) {
                found.clone_from(child);
            }
        }
        found
    }

    /// Who imports from whom, among modules of which neither contains the other: by the folder that
    /// they have in common, the names of the two below it, and an example for each.
    pub(crate) fn siblings(&self) -> BTreeMap<Module, BTreeMap<(String, String), String>> {
        let mut siblings: BTreeMap<Module, BTreeMap<_, _>> = BTreeMap::new();
        for (module, file) in &self.files {
            let mut imports = Imports::default();
            imports.visit_file(file);
            for path in imports.0 {
                let target = self.resolve(module, &path);
                let common = module.iter().zip(&target).take_while(|(a, b)| a == b);
                let common = common.count();
                // A child that uses its parent, or a parent that uses its child, is no circle.
                if let (Some(user), Some(used)) = (module.get(common), target.get(common)) {
                    let edge = (user.clone(), used.clone());
                    let example = format!("{} uses {}", module.join("::"), path.join("::"));
                    let folder = siblings.entry(target[..common].to_vec()).or_default();
                    folder.insert(edge, example);
                }
            }
        }
        siblings
    }
}

/// All paths that begin with `crate`, `self`, `super` or `logto_core`, outside of tests.
#[derive(Default)]
pub(crate) struct Imports(pub(crate) Vec<Vec<String>>);

impl Imports {
    fn add(&mut self, path: Vec<String>) {
        if ["crate", "self", "super", "logto_core"].contains(&path[0].as_str()) {
            self.0.push(path);
        }
    }
}

impl Visit<'_> for Imports {
    fn visit_item_mod(&mut self, module: &ItemMod) {
        let is_test = module.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute
                    .parse_args::<syn::Path>()
                    .is_ok_and(|condition| condition.is_ident("test"))
        });
        if !is_test {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_use(&mut self, item: &ItemUse) {
        paths(&item.tree)
            .into_iter()
            .for_each(|path| self.add(path));
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let names = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string());
        self.add(names.collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &Macro) {
        // Tokens, which nobody but the macro can parse: `crate :: a :: b`.
        let tokens = item.tokens.to_string();
        let tokens: Vec<&str> = tokens.split_whitespace().collect();
        for start in 0..tokens.len() {
            let mut path = vec![tokens[start].to_owned()];
            let mut rest = &tokens[start + 1..];
            while let ["::", name, others @ ..] = rest {
                path.push((*name).to_owned());
                rest = others;
            }
            self.add(path);
        }
        visit::visit_macro(self, item);
    }
}

/// The paths of a `use`.
fn paths(tree: &UseTree) -> Vec<Vec<String>> {
    match tree {
        UseTree::Path(path) => {
            let mut inner = paths(&path.tree);
            inner
                .iter_mut()
                .for_each(|inner| inner.insert(0, path.ident.to_string()));
            inner
        }
        UseTree::Group(group) => group.items.iter().flat_map(paths).collect(),
        UseTree::Name(name) => vec![vec![name.ident.to_string()]],
        UseTree::Rename(rename) => vec![vec![rename.ident.to_string()]],
        UseTree::Glob(_) => vec![vec!["*".to_owned()]],
    }
}

/// The crates of the workspace and those beside it, as the manifests list them.
pub(crate) fn crates() -> BTreeSet<String> {
    let listed = |folder: &str, list: &str| -> Vec<String> {
        let manifest = Path::new(ROOT).join(folder).join("Cargo.toml");
        let manifest = fs::read_to_string(manifest).unwrap();
        let (_, list) = manifest.split_once(list).unwrap();
        let (list, _) = list.split_once(']').unwrap();
        let names = list.split('"').skip(1).step_by(2);
        names.map(str::to_owned).collect()
    };
    let adapters = listed("adapters", "members = [").into_iter();
    let adapters = adapters.map(|name| match name.strip_prefix("../") {
        Some(name) => name.to_owned(),
        None => format!("adapters/{name}"),
    });
    let mut crates: BTreeSet<String> = adapters.collect();
    crates.extend(listed("", "members = ["));
    crates.extend(listed("", "exclude = ["));
    crates.remove("adapters");
    crates
}

/// The layer of each module of a crate: the rows of the table below the crate's name.
pub(crate) fn layers(name: &str) -> BTreeMap<String, u32> {
    let (_, section) = ARCHITECTURE
        .split_once(&format!("### `{name}`"))
        .unwrap_or_else(|| panic!("docs/architecture.md has no layers of {name}"));
    let section = section.split("\n#").next().unwrap();
    let mut layers = BTreeMap::new();
    for line in section.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", layer, modules, purpose, never, ""] = cells[..] else {
            continue;
        };
        let Ok(layer) = layer.parse() else { continue };
        assert!(!purpose.is_empty() && !never.is_empty(), "{name}: {line}");
        for module in modules.split(", ") {
            let module = module.trim_matches('`').to_owned();
            let before = layers.insert(module.clone(), layer);
            assert_eq!(before, None, "{name}: {module} has two rows");
        }
    }
    layers
}

/// One circle among `edges`, if there is any.
fn circle(edges: &BTreeMap<(String, String), String>) -> Option<Vec<String>> {
    let mut left = edges.clone();
    // Whoever imports from nobody, or from whom nobody imports, is in no circle.
    loop {
        let users: BTreeSet<String> = left.keys().map(|(user, _)| user.clone()).collect();
        let used: BTreeSet<String> = left.keys().map(|(_, used)| used.clone()).collect();
        let before = left.len();
        left.retain(|(from, to), _| used.contains(from) && users.contains(to));
        if left.len() == before {
            return (before > 0).then(|| left.into_values().collect());
        }
    }
}

#[test]
fn no_modules_beside_each_other_import_one_another() {
    let crates = crates();
    assert!(LAYERED.iter().all(|name| crates.contains(*name)));
    for name in crates {
        for (folder, edges) in Crate::load(&name).siblings() {
            if let Some(circle) = circle(&edges) {
                panic!(
                    "{name}: a circle in `{}`:\n{}",
                    folder.join("::"),
                    circle.join("\n")
                );
            }
        }
    }
}

#[test]
fn no_module_imports_from_a_layer_above_its_own() {
    for name in LAYERED {
        let layers = layers(name);
        let edges = Crate::load(name).siblings().remove(&Vec::new());
        for ((user, used), example) in edges.unwrap_or_default() {
            assert!(layers[&user] >= layers[&used], "{name}: {example}");
        }
    }
}

#[test]
fn every_module_has_its_place_in_a_table() {
    for name in LAYERED {
        let in_table: BTreeSet<String> = layers(name).into_keys().collect();
        let in_source: BTreeSet<String> = Crate::load(name)
            .files
            .into_keys()
            .filter_map(|module| module.into_iter().next())
            .collect();
        assert_eq!(in_table, in_source, "{name}");
    }
}

#[test]
fn a_circle_is_found_wherever_it_hides() {
    let edges = |pairs: &[(&str, &str)]| {
        let edges = pairs.iter().map(|(user, used)| {
            let edge = ((*user).to_owned(), (*used).to_owned());
            (edge, format!("{user} {used}"))
        });
        edges.collect()
    };
    assert_eq!(circle(&edges(&[("a", "b"), ("b", "c"), ("a", "c")])), None);
    let hidden = edges(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "b"), ("d", "e")]);
    assert_eq!(circle(&hidden).unwrap(), ["b c", "c d", "d b"]);

    let mut imports = Imports::default();
    let source = "use crate::{a::{B, c::D}, e};
        #[cfg(test)] mod tests { use crate::no; }
        mod inner { use super::f; }
        fn g(x: crate::h::I) { println!(\"{}\", crate::j::k(x)); super::l::m(); std::n(); }";
    imports.visit_file(&syn::parse_file(source).unwrap());
    let found: BTreeSet<String> = imports.0.iter().map(|path| path.join("::")).collect();
    let expected = [
        "crate::a::B",
        "crate::a::c::D",
        "crate::e",
        "crate::h::I",
        "crate::j::k",
        "super::f",
        "super::l::m",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}
