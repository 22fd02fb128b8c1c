//! Verifying an export, without a database. Events are read one by one; of each wallet the last hash is kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::checkpoint::{CHECKPOINT_FILE, Checkpoint, CheckpointError, ShardCheckpoint};
use crate::digest::WalletHeads;
use crate::event::StoredEvent;
use crate::export::file_name;
use crate::findings::{Finding, Findings};
use crate::history::{History, Milestone, Previous};
use crate::live::{Progress, Verified, compare_identity};

/// A line that is longer is no event: payload and metadata have a few KiB at most.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How many events pass between two looks at the progress.
const TOLD_EVENTS: u64 = 2_000;

/// Why an export can't be verified.
#[derive(Debug, Error)]
pub enum OfflineError {
    /// Its checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// One of its files.
    #[error("{} can't be read", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Verifies the export in `folder` against its own checkpoint, which is returned, and against earlier ones. The
/// caller verifies the signatures.
///
/// # Errors
/// When a file can't be read. What is wrong with the history is no error.
pub fn verify_export(
    folder: &Path,
    earlier: &[Checkpoint],
    progress: &mut dyn FnMut(Progress),
) -> Result<(Checkpoint, Verified), OfflineError> {
    let checkpoint = Checkpoint::read(&folder.join(CHECKPOINT_FILE))?;
    let count = u16::try_from(checkpoint.shards.len()).unwrap_or(u16::MAX);
    let database_id = checkpoint.database_id.clone();
    let mut verified = Verified { database_id, ..Verified::default() };
    for earlier in earlier {
        compare_identity(earlier, &verified.database_id, count, &mut verified.findings);
    }
    let mut told = Progress { done: 0, total: checkpoint.shards.iter().map(|s| s.position).sum() };
    for shard in &checkpoint.shards {
        let milestones = earlier.iter().filter_map(|earlier| earlier.milestone(shard.shard));
        let milestones: Vec<Milestone> = milestones.collect();
        let mut file = ShardFile::open(folder, shard.shard, milestones)?;
        let mut next = told.done + TOLD_EVENTS;
        while file.read_event(&mut verified.findings)? {
            told.done += 1;
            if told.done >= next {
                next += TOLD_EVENTS;
                progress(told);
            }
        }
        let found = file.finish(&mut verified.findings);
        compare(shard, &found, &mut verified.findings);
        verified.shards.push(found);
    }
    unexpected(folder, count, &mut verified.findings)?;
    verified.events = told.done;
    verified.wallets = verified.shards.iter().map(|shard| shard.wallets).sum();
    Ok((checkpoint, verified))
}

/// Compares what a shard's file holds with what its checkpoint says.
fn compare(expected: &ShardCheckpoint, found: &ShardCheckpoint, findings: &mut Findings) {
    if expected.position != found.position {
        let (said, ends) = (expected.position, found.position);
        let what = format!("the export ends at position {ends}, and its checkpoint says {said}");
        findings.of_shard(found.shard, what);
    }
    if expected.history != found.history {
        findings.of_shard(found.shard, "the events are not those of the checkpoint");
    }
    if expected.wallets != found.wallets || expected.wallet_heads != found.wallet_heads {
        findings.of_shard(found.shard, "the wallets are not those of the checkpoint");
    }
}

/// Names files of events that the checkpoint knows nothing of.
fn unexpected(folder: &Path, shards: u16, findings: &mut Findings) -> Result<(), OfflineError> {
    let failed = |source| OfflineError::File { path: folder.into(), source };
    let known: Vec<_> = (0..shards).map(file_name).collect();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name.starts_with("events-") && !known.contains(&name) {
            let what = format!("the checkpoint knows nothing of the file {name}");
            findings.add(Finding { what, ..Finding::default() });
        }
    }
    Ok(())
}

/// A shard's file that is being read.
struct ShardFile {
    path: PathBuf,
    shard: u16,
    lines: BufReader<File>,
    line: u64,
    text: Vec<u8>,
    history: History,
    last: BTreeMap<(String, String), Previous>,
}

impl ShardFile {
    fn open(folder: &Path, shard: u16, milestones: Vec<Milestone>) -> Result<Self, OfflineError> {
        let path = folder.join(file_name(shard));
        let file = File::open(&path);
        let file = file.map_err(|source| OfflineError::File { path: path.clone(), source })?;
        Ok(Self {
            path,
            shard,
            lines: BufReader::new(file),
            line: 0,
            text: Vec::new(),
            history: History::new(shard, milestones),
            last: BTreeMap::new(),
        })
    }

    /// Follows the next event; false at the end of the file.
    fn read_event(&mut self, findings: &mut Findings) -> Result<bool, OfflineError> {
        self.text.clear();
        let mut limited = std::io::Read::take(&mut self.lines, LINE_BYTES_MAX);
        let read = limited.read_until(b'\n', &mut self.text);
        read.map_err(|source| OfflineError::File { path: self.path.clone(), source })?;
        if self.text.is_empty() {
            return Ok(false);
        }
        self.line += 1;
        let text = self.text.strip_suffix(b"\n").ok_or("it has no end".to_owned());
        let text = text.and_then(|text| std::str::from_utf8(text).map_err(|e| e.to_string()));
        match text.and_then(StoredEvent::of_line) {
            Ok(event) => {
                let key = (event.tenant.clone(), event.wallet_id.clone());
                self.history.meet(&event, self.last.get(&key).copied(), findings);
                let StoredEvent { version, position, hash, .. } = event;
                self.last.insert(key, Previous { version, position, hash });
            }
            Err(why) => {
                let what = format!("line {} is no event: {why}", self.line);
                findings.of_shard(self.shard, what);
            }
        }
        Ok(true)
    }

    fn finish(self, findings: &mut Findings) -> ShardCheckpoint {
        self.history.finish(findings);
        let mut heads = WalletHeads::new();
        for ((tenant, wallet_id), last) in &self.last {
            if let Some(hash) = last.hash {
                heads.add(tenant, wallet_id, last.version, hash);
            }
        }
        ShardCheckpoint {
            shard: self.shard,
            position: u64::try_from(self.history.position).unwrap_or(0),
            wallets: heads.wallets,
            wallet_heads: heads.finish(),
            history: self.history.digest,
        }
    }
}
