//! Row 15: the clock of a node is more than an hour off.

use std::path::{Path, PathBuf};

use anyhow::Result;
use wallex_testkit::Backend;

use super::Ran;
use crate::context::Context;
use crate::stand::Settings;

/// Where packages put the library that fakes the time.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];
/// Further off than keys are kept.
const OFF: [&str; 2] = ["+65m", "-65m"];

/// A server whose clock is off by `by`.
fn settings(library: &Path, by: &str) -> Settings {
    vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME", by.to_owned()),
        // A clock that is set wrong still measures how long something takes.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ("DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

pub(crate) async fn off(cx: &Context, backend: Backend) -> Result<Ran> {
    let library = LIBRARIES.iter().map(PathBuf::from).find(|path| path.is_file());
    let Some(library) = library else {
        return Ok(Ran::NotRun("libfaketime is not installed".to_owned()));
    };
    if backend == Backend::Sqlite {
        // A file's time is that of the process that has it open: there is no other clock to be off from.
        return Ok(Ran::NotMeant);
    }
    // By the clock of the second node, every key of the first has expired when it is claimed.
    let ttl = vec![("IDEMPOTENCY_TTL_HOURS", "1".to_owned())];
    let mut trial = cx.trial(backend, 2, ttl).await?;
    for n in 0..trial.scale.injections {
        for (name, value) in settings(&library, OFF[usize::try_from(n)? % OFF.len()]) {
            trial.stand.set(name, value);
        }
        trial.restart(1).await;
        trial.injected();
        trial.recovers().await;
        trial.busy().await?;
    }
    for (name, _) in settings(&library, OFF[0]) {
        trial.stand.unset(name);
    }
    trial.finish().await.map(Ran::Done)
}
