//! The public items of a crate, read from its sources: without documentation, function bodies and what is private.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Block, Field, Fields, File, ImplItem, Item, ItemImpl, ItemMod, ItemTrait, TraitItem,
    Type, Visibility, parse_quote,
};

use super::foreign::{Foreign, Names};

/// What says nothing about how an item is used.
const KEPT_ATTRIBUTES: [&str; 5] = ["async_trait", "cfg", "derive", "default", "non_exhaustive"];

/// The public items of a crate, and what they name of other crates.
#[derive(Default)]
pub(crate) struct Listing {
    /// By public module. What is public in a private module is reachable by a re-export only, so that its own path says
    /// nothing: it stands in the nearest public module above it.
    modules: BTreeMap<String, Vec<Item>>,
    pub(crate) foreign: Vec<Foreign>,
    dependencies: BTreeSet<String>,
    /// Names of types and traits that are not public.
    private: BTreeSet<String>,
}

impl Listing {
    /// Reads a crate whose sources are in `folder`, and which can name these crates.
    pub(crate) fn of_crate(folder: &Path, dependencies: BTreeSet<String>) -> Self {
        let mut listing = Self {
            dependencies,
            ..Self::default()
        };
        let items = parse(&folder.join("lib.rs"));
        let (mut public, mut private) = (BTreeSet::new(), BTreeSet::new());
        let source = load(items, folder);
        names(&source, &mut public, &mut private);
        listing.private = &private - &public;
        listing.add_module("crate", "crate", source);
        listing
    }

    /// Sorted, so that moving an item within a module changes nothing.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (module, items) in &self.modules {
            text.push_str(&format!("// {module}\n\n"));
            let mut items: Vec<String> = one_impl_each(items.clone())
                .into_iter()
                .map(print)
                .collect();
            items.sort();
            items.dedup();
            for item in items {
                text.push_str(&item);
                text.push('\n');
            }
        }
        text
    }

    /// `path` is where the items are, `module` where they are listed.
    fn add_module(&mut self, module: &str, path: &str, items: Vec<Item>) {
        let dependencies = std::mem::take(&mut self.dependencies);
        let names = Names::of_module(path, &items, &dependencies);
        let mut inner = Vec::new();
        for item in items {
            if let Item::Mod(ItemMod {
                vis,
                ident,
                content,
                ..
            }) = item
            {
                let path = format!("{path}::{ident}");
                let is_public = matches!(vis, Visibility::Public(_));
                let module = if is_public {
                    path.clone()
                } else {
                    module.to_owned()
                };
                inner.push((module, path, content.unwrap_or_default().1));
            } else if let Some(item) = self.public_part(item) {
                self.foreign.extend(names.foreign(&item));
                self.modules
                    .entry(module.to_owned())
                    .or_default()
                    .push(item);
            }
        }
        drop(names);
        self.dependencies = dependencies;
        for (module, path, items) in inner {
            self.add_module(&module, &path, items);
        }
    }

    /// The item without what is private; `None` if nothing remains.
    fn public_part(&self, mut item: Item) -> Option<Item> {
        let (attributes, visibility) = parts(&mut item)?;
        keep_attributes(attributes);
        let is_public =
            visibility.is_none_or(|visibility| matches!(visibility, Visibility::Public(_)));
        match &mut item {
            Item::Macro(item) => {
                let tokens = without_docs(item.mac.tokens.clone());
                // A macro that makes no items is no concern of anybody.
                if !makes_items(&tokens) && item.ident.is_some() {
                    return None;
                }
                item.mac.tokens = tokens;
                let is_local = item.mac.path.get_ident().is_some();
                return is_local.then(|| Item::Macro(item.clone()));
            }
            Item::Impl(item) => self.keep_public_of_impl(item)?,
            Item::Fn(item) => *item.block = empty(),
            Item::Struct(item) => keep_public_fields(&mut item.fields),
            Item::Enum(item) => {
                for variant in &mut item.variants {
                    keep_attributes(&mut variant.attrs);
                    variant
                        .fields
                        .iter_mut()
                        .for_each(|field| keep_attributes(&mut field.attrs));
                }
            }
            Item::Trait(item) => without_bodies(item),
            _ => {}
        }
        is_public.then_some(item)
    }

    fn keep_public_of_impl(&self, item: &mut ItemImpl) -> Option<()> {
        let is_private = |path: &syn::Path| {
            let last = path.segments.last();
            last.is_some_and(|last| self.private.contains(&last.ident.to_string()))
        };
        if matches!(&*item.self_ty, Type::Path(path) if is_private(&path.path)) {
            return None;
        }
        if item
            .trait_
            .as_ref()
            .is_some_and(|(_, path, _)| is_private(path))
        {
            return None;
        }
        let is_inherent = item.trait_.is_none();
        item.items.retain_mut(|item| match item {
            ImplItem::Fn(function) => {
                keep_attributes(&mut function.attrs);
                function.block = empty();
                is_inherent && matches!(function.vis, Visibility::Public(_))
            }
            ImplItem::Const(constant) => {
                keep_attributes(&mut constant.attrs);
                is_inherent && matches!(constant.vis, Visibility::Public(_))
            }
            ImplItem::Type(item) => {
                keep_attributes(&mut item.attrs);
                true
            }
            _ => false,
        });
        (!is_inherent || !item.items.is_empty()).then_some(())
    }
}

fn parse(file: &Path) -> Vec<Item> {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    syn::parse_file(&text).unwrap().items
}

/// The items with those of the files that they name, and without tests.
fn load(items: Vec<Item>, folder: &Path) -> Vec<Item> {
    let mut loaded = Vec::new();
    for mut item in items {
        if parts(&mut item).is_some_and(|(attributes, _)| is_for_tests(attributes)) {
            continue;
        }
        if let Item::Mod(module) = &mut item {
            let name = module.ident.to_string();
            let inner = match module.content.take() {
                Some((_, items)) => items,
                None => parse(&folder.join(format!("{name}.rs"))),
            };
            module.content = Some((Default::default(), load(inner, &folder.join(name))));
        }
        loaded.push(item);
    }
    loaded
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|condition| condition.is_ident("test") || condition.is_ident("doctest"))
    })
}

/// The names of all types and traits.
fn names(items: &[Item], public: &mut BTreeSet<String>, private: &mut BTreeSet<String>) {
    for item in items {
        let (visibility, name) = match item {
            Item::Struct(item) => (&item.vis, &item.ident),
            Item::Enum(item) => (&item.vis, &item.ident),
            Item::Trait(item) => (&item.vis, &item.ident),
            Item::Type(item) => (&item.vis, &item.ident),
            Item::Mod(item) => {
                let (_, items) = item.content.as_ref().unwrap();
                names(items, public, private);
                continue;
            }
            _ => continue,
        };
        let is_public = matches!(visibility, Visibility::Public(_));
        let names = if is_public {
            &mut *public
        } else {
            &mut *private
        };
        names.insert(name.to_string());
    }
}

/// The attributes of an item, and its visibility if it has one.
fn parts(item: &mut Item) -> Option<(&mut Vec<Attribute>, Option<&Visibility>)> {
    Some(match item {
        Item::Const(item) => (&mut item.attrs, Some(&item.vis)),
        Item::Enum(item) => (&mut item.attrs, Some(&item.vis)),
        Item::Fn(item) => (&mut item.attrs, Some(&item.vis)),
        Item::Impl(item) => (&mut item.attrs, None),
        Item::Macro(item) => (&mut item.attrs, None),
        Item::Mod(item) => (&mut item.attrs, Some(&item.vis)),
        Item::Static(item) => (&mut item.attrs, Some(&item.vis)),
        Item::Struct(item) => (&mut item.attrs, Some(&item.vis)),
        Item::Trait(item) => (&mut item.attrs, Some(&item.vis)),
        Item::Type(item) => (&mut item.attrs, Some(&item.vis)),
        Item::Use(item) => (&mut item.attrs, Some(&item.vis)),
        _ => return None,
    })
}

fn keep_attributes(attributes: &mut Vec<Attribute>) {
    attributes.retain(|attribute| {
        let name = attribute.path().segments.last().unwrap().ident.to_string();
        KEPT_ATTRIBUTES.contains(&name.as_str())
    });
}

/// What is private becomes one field `private: _`: that there is one decides who can make a value.
fn keep_public_fields(fields: &mut Fields) {
    let is_public = |field: &Field| matches!(field.vis, Visibility::Public(_));
    fields
        .iter_mut()
        .for_each(|field| keep_attributes(&mut field.attrs));
    match fields {
        Fields::Named(fields) => {
            let all = fields.named.len();
            let mut kept: Vec<Field> = fields
                .named
                .iter()
                .filter(|field| is_public(field))
                .cloned()
                .collect();
            if kept.len() < all {
                kept.push(parse_quote!(private: _));
            }
            fields.named = kept.into_iter().collect();
        }
        Fields::Unnamed(fields) => {
            for field in &mut fields.unnamed {
                if !is_public(field) {
                    *field = parse_quote!(_);
                }
            }
        }
        Fields::Unit => {}
    }
}

/// A method that need not be implemented keeps an empty body.
fn without_bodies(item: &mut ItemTrait) {
    for item in &mut item.items {
        match item {
            TraitItem::Fn(function) => {
                keep_attributes(&mut function.attrs);
                if let Some(body) = &mut function.default {
                    *body = empty();
                }
            }
            TraitItem::Const(item) => keep_attributes(&mut item.attrs),
            TraitItem::Type(item) => keep_attributes(&mut item.attrs),
            _ => {}
        }
    }
}

fn empty() -> Block {
    parse_quote!({})
}

fn makes_items(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Group(group) => makes_items(&group.stream()),
        TokenTree::Ident(name) => name == "impl" || name == "pub",
        _ => false,
    })
}

fn without_docs(tokens: TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in tokens {
        if let TokenTree::Group(group) = &token {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            let is_attribute =
                matches!(kept.last(), Some(TokenTree::Punct(punct)) if punct.as_char() == '#');
            if is_attribute
                && matches!(inner.first(), Some(TokenTree::Ident(name)) if name == "doc")
            {
                kept.pop();
                continue;
            }
            let mut stripped =
                proc_macro2::Group::new(group.delimiter(), without_docs(group.stream()));
            stripped.set_span(group.span());
            kept.push(stripped.into());
        } else {
            kept.push(token);
        }
    }
    kept.into_iter().collect()
}

/// One `impl` for each public function, so that it does not matter which of them stand together.
fn one_impl_each(items: Vec<Item>) -> Vec<Item> {
    let mut split = Vec::new();
    for item in items {
        match item {
            Item::Impl(item) if item.trait_.is_none() => {
                for inner in &item.items {
                    let mut one = item.clone();
                    one.items = vec![inner.clone()];
                    split.push(Item::Impl(one));
                }
            }
            item => split.push(item),
        }
    }
    split
}

fn print(item: Item) -> String {
    prettyplease::unparse(&File {
        shebang: None,
        attrs: Vec::new(),
        items: vec![item],
    })
}
