//! Defects on purpose: loud where they can be planted, and nowhere else.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use wallex_testkit::{ServerBuilder, TempDatabase, block_on};

/// Where a defect, or a point to die at, is asked for between the lines of the product, because no port
/// stands there. Each is one line.
const HOOKS: [&str; 6] = [
    // `skip-if-match`
    "crates/application/src/lane/deciding.rs",
    // `before-answer`
    "crates/application/src/lane/answers.rs",
    // `mid-batch`
    "crates/unit-of-work/src/sqlite.rs",
    // The migration that only tests have.
    "migrations/src/lib.rs",
    // The variables are no settings, but in a build for tests.
    "crates/wallex/src/config/source.rs",
    // The questions themselves.
    "crates/ports/src/planted.rs",
];

#[test]
fn what_is_planted_is_said_loudly_by_a_build_for_tests_and_refused_by_any_other() {
    block_on(async {
        let database = TempDatabase::sqlite();
        let builder =
            || ServerBuilder::on(&database).env("WALLEX_PLANTED_BUG", "replay-wrong-response");
        if cfg!(debug_assertions) {
            let server = builder().start().await;
            let said = "THIS SERVER IS BROKEN ON PURPOSE: WALLEX_PLANTED_BUG=replay-wrong-response";
            let logs = server.logs();
            let line = logs.lines().find(|line| line.contains(said));
            assert!(line.is_some_and(|line| line.contains("ERROR")), "{logs}");
            let sound = ServerBuilder::on(&database).start().await;
            assert!(!sound.logs().contains("BROKEN"), "{}", sound.logs());
        } else {
            let mut server = builder().spawn();
            assert_eq!(server.wait().await.code(), Some(1), "{}", server.logs());
            let refusal = "there is no setting WALLEX_PLANTED_BUG";
            assert!(server.logs().contains(refusal), "{}", server.logs());
        }
    });
}

/// Sources below `folder`, without those of tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_product_reads_as_if_there_were_no_planted_defects() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    sources(&root.join("migrations/src"), &mut files);
    for name in fs::read_dir(root.join("crates")).expect("the crates") {
        let folder = name.expect("a crate").path();
        // The suites that plant them.
        if !["chaos", "simulation"].iter().any(|suite| folder.ends_with(suite)) {
            sources(&folder.join("src"), &mut files);
        }
    }
    let mut hooks = BTreeSet::new();
    let mut guarded = 0;
    for file in &files {
        let text = fs::read_to_string(file).expect("a source");
        let path = file.strip_prefix(&root).expect("below the root").to_string_lossy().into_owned();
        let is_breaker = path.ends_with("/spoil.rs") || path.contains("/planted/");
        // What a module of a build for tests is called by is guarded below.
        let asks = text.replace("crate::planted::", "").contains("planted::");
        if !is_breaker && asks || path.ends_with("/planted.rs") {
            hooks.insert(path.clone());
        }
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2) {
            let brings_in = ["mod spoil;", "mod planted;"].contains(&pair[1]);
            let uses =
                !is_breaker && ["spoil::", "crate::planted::"].iter().any(|u| pair[1].contains(u));
            if brings_in || uses {
                guarded += 1;
                assert_eq!(pair[0], "#[cfg(debug_assertions)]", "{path}: {}", pair[1]);
            }
        }
    }
    assert!(guarded >= 8, "{guarded}");
    assert_eq!(hooks, HOOKS.map(str::to_owned).into());
}
