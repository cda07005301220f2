//! As much Markdown as the pages of this repository use.

use std::collections::BTreeSet;

/// Code that mdBook puts into a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Include {
    pub(crate) file: String,
    pub(crate) anchor: Option<String>,
}

pub(crate) struct CodeBlock {
    pub(crate) language: String,
    pub(crate) code: String,
}

/// The lines outside of code blocks, and the blocks.
fn parts(text: &str) -> (Vec<&str>, Vec<CodeBlock>) {
    let (mut prose, mut blocks) = (Vec::new(), Vec::new());
    let mut open: Option<CodeBlock> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(CodeBlock {
                    language: language.to_owned(),
                    code: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.code.push_str(line);
                block.code.push('\n');
            }
            (None, None) => prose.push(line),
        }
    }
    assert!(open.is_none(), "a code block has no end");
    (prose, blocks)
}

pub(crate) fn code_blocks(text: &str) -> Vec<CodeBlock> {
    parts(text).1
}

pub(crate) fn includes(text: &str) -> Vec<Include> {
    let found = text.split("{{#include ").skip(1);
    let found = found.filter_map(|rest| rest.split("}}").next());
    let found = found.map(|include| {
        let (file, anchor) = include.split_once(':').unzip();
        Include {
            file: file.unwrap_or(include).to_owned(),
            anchor: anchor.map(str::to_owned),
        }
    });
    found.collect()
}

/// The addresses of links and pictures, in prose, in definitions such as `[name]: address`, and in HTML.
pub(crate) fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in parts(text).0 {
        // What stands between backticks is no link.
        let line: String = line.split('`').step_by(2).collect();
        if let Some((_, address)) = line.split_once("]: ").filter(|_| line.starts_with('[')) {
            links.push(address.trim().to_owned());
        }
        let ends = line.split("](").skip(1);
        let addresses = ends.filter_map(|rest| rest.split([')', ' ']).next());
        links.extend(addresses.map(str::to_owned));
        let sources = line.split("src=\"").chain(line.split("srcset=\"").skip(1));
        let sources = sources.skip(1).filter_map(|rest| rest.split('"').next());
        links.extend(sources.map(str::to_owned));
    }
    links
}

/// What links within the page can lead to, as mdBook and GitHub write it.
pub(crate) fn headings(text: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for line in parts(text).0 {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        let kept = title
            .trim()
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        let id: String = kept
            .map(|c| if c == ' ' { '-' } else { c })
            .collect::<String>()
            .to_lowercase();
        ids.insert(id);
    }
    ids
}

#[test]
fn links_headings_and_code_are_found() {
    let text = r#"
# A `page`, of two
[one](a.md#b) and ![two](../c.svg) but `[no](d.md)`
[three]: e.md
<img alt="four" src="i.png"> <source srcset="j.png">
```rust
{{#include ../f.rs:g}}
[no](h.md)
```
## 繁體 中文-1
"#;
    assert_eq!(
        links(text),
        ["a.md#b", "../c.svg", "e.md", "i.png", "j.png"]
    );
    let expected = ["a-page-of-two", "繁體-中文-1"].map(str::to_owned);
    assert_eq!(headings(text), expected.into());
    let include = Include {
        file: "../f.rs".to_owned(),
        anchor: Some("g".to_owned()),
    };
    assert_eq!(includes(text), [include]);
    assert_eq!(code_blocks(text)[0].language, "rust");
}
