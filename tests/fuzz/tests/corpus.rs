//! What the fuzzer has found, and its seeds, as an ordinary test.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::{collections::BTreeSet, fs, path::PathBuf};

use logto_fuzz::{TARGETS, Target, Verdict};

fn fuzz() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The inputs in the corpus of a target.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let folder = fuzz().join("corpus").join(target.name);
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn file_names(folder: &str) -> BTreeSet<String> {
    let files = fs::read_dir(fuzz().join(folder)).unwrap();
    files
        .map(|file| {
            file.unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect()
}

#[test]
fn every_target_accepts_one_of_its_seeds() {
    for target in TARGETS {
        let seeds = (target.seeds)();
        let verdicts: Vec<Verdict> = seeds.iter().map(|seed| (target.run)(seed)).collect();
        assert!(verdicts.contains(&Verdict::Accepted), "{}", target.name);
    }
}

#[test]
fn nothing_in_the_corpus_breaks_a_target() {
    for target in TARGETS {
        let corpus = corpus(target);
        assert!(!corpus.is_empty(), "{}", target.name);
        for input in corpus {
            (target.run)(&input);
        }
    }
}

#[test]
fn the_fuzzer_has_the_same_targets() {
    let names: BTreeSet<String> = TARGETS
        .iter()
        .map(|target| target.name.to_owned())
        .collect();
    assert_eq!(file_names("fuzz_targets"), names);
    assert_eq!(file_names("corpus"), names);
}
