//! The fuzz targets: each is built for libFuzzer, has a corpus, and has it replayed by a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The names in `folder`, without what ends them.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join(folder)).expect("a folder of fuzz");
    let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
    entries.map(|entry| name(&entry.expect("an entry").path())).collect()
}

/// Every source file below `folder`.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// The targets whose corpus a test of some crate replays.
fn replayed() -> BTreeSet<String> {
    let sources = sources(&root().join("crates"));
    let texts = sources.iter().map(|path| fs::read_to_string(path).expect("a source file"));
    let lists = texts.flat_map(|text| {
        let lists = text.split("wallex_fuzz_corpus::replay_corpus!(").skip(1);
        lists.map(|list| list.split(')').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    });
    let names = lists
        .flat_map(|list| list.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>());
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn every_target_is_built_has_a_corpus_and_is_replayed() {
    let wrappers = names("fuzz/fuzz_targets");
    assert!(wrappers.len() >= 19, "{wrappers:?}");
    assert_eq!(names("fuzz/corpus"), wrappers, "corpora and targets");
    assert_eq!(replayed(), wrappers, "tests and targets");
    let manifest = fs::read_to_string(root().join("fuzz/Cargo.toml")).expect("its manifest");
    for target in &wrappers {
        let path = format!("path = \"fuzz_targets/{target}.rs\"");
        assert!(manifest.contains(&path), "fuzz/Cargo.toml does not build {target}");
        let files = names(&format!("fuzz/corpus/{target}"));
        assert!(!files.is_empty(), "{target} has no corpus");
    }
}
