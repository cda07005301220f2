//! Which crates the public items of a module name.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, ItemMacro, ItemUse, UseTree, Visibility,
    punctuated::Punctuated,
    token::Comma,
    visit::{self, Visit},
};

/// A path in a public place that leads to another crate.
pub(crate) struct Foreign {
    pub(crate) of_crate: String,
    pub(crate) module: String,
    pub(crate) path: String,
}

/// What the names in a module stand for.
pub(crate) struct Names<'a> {
    /// The crates that can be named.
    dependencies: &'a BTreeSet<String>,
    /// The crate behind each import.
    imports: BTreeMap<String, String>,
    /// The modules in it, which may be called like a crate.
    modules: BTreeSet<String>,
    module: String,
}

impl<'a> Names<'a> {
    pub(crate) fn of_module(
        module: &str,
        items: &[Item],
        dependencies: &'a BTreeSet<String>,
    ) -> Self {
        let mut names = Self {
            dependencies,
            imports: BTreeMap::new(),
            modules: BTreeSet::new(),
            module: module.to_owned(),
        };
        for item in items {
            match item {
                Item::Use(ItemUse { tree, .. }) => names.import(&root(tree), "", tree),
                Item::Mod(inner) => drop(names.modules.insert(inner.ident.to_string())),
                _ => {}
            }
        }
        names
    }

    /// `parent` is the name before the last `::`, which `self` stands for.
    fn import(&mut self, root: &str, parent: &str, tree: &UseTree) {
        let name = match tree {
            UseTree::Name(name) if name.ident == "self" => parent.to_owned(),
            UseTree::Name(name) => name.ident.to_string(),
            UseTree::Rename(rename) => rename.rename.to_string(),
            UseTree::Glob(_) => return,
            UseTree::Path(path) => return self.import(root, &path.ident.to_string(), &path.tree),
            UseTree::Group(group) => {
                for tree in &group.items {
                    // In `use {a::B, c::D}` each has a crate of its own.
                    let own = self::root(tree);
                    let root = if root.is_empty() { &own } else { root };
                    self.import(root, parent, tree);
                }
                return;
            }
        };
        if self.is_crate(root) {
            self.imports.insert(name, root.to_owned());
        }
    }

    fn is_crate(&self, name: &str) -> bool {
        ["std", "core", "alloc"].contains(&name) || self.dependencies.contains(name)
    }

    fn crate_of(&self, name: &str) -> Option<&str> {
        match self.imports.get(name) {
            Some(root) => Some(root),
            None if self.modules.contains(name) => None,
            None => self.dependencies.get(name).map(String::as_str),
        }
    }

    /// What this item, which has no function bodies any more, names of other crates.
    pub(crate) fn foreign(&self, item: &Item) -> Vec<Foreign> {
        let mut paths = Paths {
            names: self,
            found: Vec::new(),
        };
        paths.visit_item(item);
        paths.found
    }
}

fn root(tree: &UseTree) -> String {
    match tree {
        UseTree::Path(path) => path.ident.to_string(),
        UseTree::Name(name) => name.ident.to_string(),
        UseTree::Rename(rename) => rename.ident.to_string(),
        UseTree::Glob(_) | UseTree::Group(_) => String::new(),
    }
}

struct Paths<'a> {
    names: &'a Names<'a>,
    found: Vec<Foreign>,
}

impl Paths<'_> {
    fn add(&mut self, of_crate: &str, path: String) {
        self.found.push(Foreign {
            of_crate: of_crate.to_owned(),
            module: self.names.module.clone(),
            path,
        });
    }

    /// Crates that a macro names: its tokens have no structure, so that every path in it counts.
    fn visit_tokens(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => self.visit_tokens(group.stream()),
                TokenTree::Ident(name) => {
                    let is_path = matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
                    let name = name.to_string();
                    if is_path && self.names.dependencies.contains(&name) {
                        self.add(&name, format!("{name}::.. in a macro"));
                    }
                }
                _ => {}
            }
        }
    }
}

impl Visit<'_> for Paths<'_> {
    fn visit_item_use(&mut self, item: &ItemUse) {
        if matches!(item.vis, Visibility::Public(_)) {
            let root = root(&item.tree);
            if self.names.is_crate(&root) {
                self.add(&root, format!("use {root}"));
            }
        }
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let first = path.segments[0].ident.to_string();
        if let Some(of_crate) = self.names.crate_of(&first) {
            let segments = path
                .segments
                .iter()
                .map(|segment| segment.ident.to_string());
            let segments: Vec<String> = segments.collect();
            self.add(of_crate, segments.join("::"));
        }
        visit::visit_path(self, path);
    }

    fn visit_attribute(&mut self, attribute: &Attribute) {
        // Who derives a trait implements it. What `thiserror` implements is a trait of `std`.
        if attribute.path().is_ident("derive") {
            let traits =
                attribute.parse_args_with(Punctuated::<syn::Path, Comma>::parse_terminated);
            for path in traits.unwrap() {
                if self.names.crate_of(&path.segments[0].ident.to_string()) != Some("thiserror") {
                    self.visit_path(&path);
                }
            }
        }
    }

    fn visit_item_macro(&mut self, item: &ItemMacro) {
        self.visit_tokens(item.mac.tokens.clone());
    }
}
