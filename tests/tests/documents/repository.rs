//! Sources and test names of the repository.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// All Rust sources below a folder of the repository.
pub(crate) fn sources(folder: &str) -> String {
    let files = source_files(folder).into_iter();
    files
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

/// The paths of all Rust sources below a folder of the repository.
pub(crate) fn source_files(folder: &str) -> Vec<PathBuf> {
    fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy();
            if path.is_dir() && !["node_modules", "target"].contains(&&*name) {
                collect(&path, files);
            } else if name.ends_with(".rs") {
                files.push(path);
            }
        }
    }
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let mut files = Vec::new();
    collect(&root.join(folder), &mut files);
    files
}

/// The names of all tests, without their modules.
pub(crate) fn test_names() -> BTreeSet<String> {
    names(&sources(""))
}

/// A test is a function behind an attribute for tests, or a row of the macro `rows!`, which makes a test of it for
/// each provider.
fn names(sources: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let (mut after_attribute, mut in_rows) = (false, false);
    for line in sources.lines() {
        let code = line.trim_start();
        if code.starts_with("#[test]") || code.starts_with("#[tokio::test") {
            after_attribute = true;
        } else if let Some((_, function)) = code.split_once("fn ") {
            if after_attribute {
                names.insert(identifier(function));
            }
            after_attribute = false;
        } else if in_rows && code.contains("=>") {
            names.insert(identifier(code));
        }
        match line {
            "rows! {" => in_rows = true,
            "}" => in_rows = false,
            _ => {}
        }
    }
    names
}

fn identifier(code: &str) -> String {
    let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    code.split(ends).next().unwrap_or_default().to_owned()
}

/// What stands between backticks.
pub(crate) fn code(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

#[test]
fn tests_are_found_by_their_attribute_and_in_tables() {
    let sources = "
        #[test]
        fn one() {}
        fn helper() {}
        #[tokio::test(start_paused = true)]
        #[ignore]
        async fn two() {}
rows! {
    three => [1];
}
        x => 1,
";
    let expected = ["one", "two", "three"].map(str::to_owned);
    assert_eq!(names(sources), expected.into());
}
