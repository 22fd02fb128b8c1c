//! Replays the corpus of the fuzz targets in ordinary tests.
//!
//! A fuzz target is a function of any bytes that panics when a promise is broken. It stands in the
//! crate whose code it tests, behind `cfg(any(test, fuzzing))`: the tests of that crate replay
//! `fuzz/corpus/TARGET` through it, and `just fuzz TARGET` looks for more.

use std::fs;
use std::path::PathBuf;

/// The files of `fuzz/corpus/TARGET`, by name: what is kept to be tried at every change.
///
/// # Panics
/// When there is none, or one can't be read.
#[must_use]
pub fn inputs(target: &str) -> Vec<(String, Vec<u8>)> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus"));
    let folder = root.join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{target}: {error}"));
    let mut inputs: Vec<_> = files
        .map(|file| {
            let file = file.unwrap_or_else(|error| panic!("{target}: {error}"));
            let bytes = fs::read(file.path()).unwrap_or_else(|error| panic!("{file:?}: {error}"));
            (file.file_name().to_string_lossy().into_owned(), bytes)
        })
        .collect();
    assert!(!inputs.is_empty(), "{target} has no corpus");
    inputs.sort();
    inputs
}

/// Gives every input of `name`'s corpus to `target`.
///
/// # Panics
/// When `target` does; the last input that is printed is the one.
#[expect(clippy::print_stdout, reason = "a test that fails shows which input it was")]
pub fn replay(name: &str, target: impl Fn(&[u8])) {
    for (file, bytes) in inputs(name) {
        println!("fuzz/corpus/{name}/{file}");
        target(&bytes);
    }
}

/// A test for each of these targets, which replays its corpus. They must stand in the module above.
#[macro_export]
macro_rules! replay_corpus {
    ($($target:ident),+ $(,)?) => {
        $(
            #[test]
            fn $target() {
                $crate::replay(stringify!($target), super::$target);
            }
        )+
    };
}
