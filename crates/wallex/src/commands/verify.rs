//! `wallex verify`: proves that the history is what was written.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use wallex_database::Database;
use wallex_ports::Clock as _;
use wallex_verify::{
    Checkpoint, Export, Finding, Findings, Progress, PublicKey, ShardCheckpoint, SigningKey,
    Verified, verify_database,
};

use super::Outcome;
use super::table::{Align, Table};
use super::units::{count, counted, time};
use crate::adapters::SystemClock;
use crate::cli::VerifyArgs;

const BAR: &str = "{bar:32} {percent:>3} %  {wide_msg}";
/// How often a line of JSON says how far it has come, where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(1);
/// What stands where there is nothing.
const NOTHING: &str = "-";

/// Makes a pair of keys.
///
/// # Errors
/// When a file is there already, or can't be written.
pub(crate) fn generate_key(path: &Path) -> anyhow::Result<Outcome> {
    let public = SigningKey::generate(path)?;
    Ok(Outcome::fine(format!(
        "private key  {}  (keep it where no master of the database can read it)\n\
         public key   {}\n",
        path.display(),
        public.display()
    )))
}

/// Verifies an export, without a database.
///
/// # Errors
/// When a file can't be read, or an earlier checkpoint can't be trusted.
pub(crate) fn export(arguments: &VerifyArgs) -> anyhow::Result<Outcome> {
    let folder = arguments.offline.as_deref().expect("invariant: the caller looked");
    let key = arguments.public_key.as_deref().map(PublicKey::read).transpose()?;
    let earlier = earlier(&arguments.since, key.as_ref())?;
    let mut view = View::new(arguments);
    let verified = wallex_verify::verify_export(folder, &earlier, &mut |at| view.show(at));
    let elapsed = view.end();
    let (checkpoint, mut verified) = verified
        .with_context(|| format!("the export in {} can't be verified", folder.display()))?;
    let signature = match &key {
        Some(key) => checkpoint.verify(key),
        None => Ok(()),
    };
    if let Err(error) = signature {
        verified.findings.add(Finding { what: error.to_string(), ..Finding::default() });
    }
    let trust = match key {
        Some(_) => "the signature was verified with the public key",
        None => "NO SIGNATURE WAS ASKED FOR: anyone may have made this export",
    };
    let found = Found { verified, elapsed, checkpoint: None, signed: checkpoint.is_signed() };
    found.outcome(arguments, &format!("{trust}\n"))
}

/// Verifies a database, and exports it where that is asked for.
///
/// # Errors
/// When it can't be read, the export can't be written, an earlier checkpoint can't be trusted, or `stop` comes first.
pub(super) async fn database(
    db: &Database,
    arguments: &VerifyArgs,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<Outcome> {
    let key = arguments.public_key.as_deref().map(PublicKey::read).transpose()?;
    let earlier = earlier(&arguments.against, key.as_ref())?;
    // Whatever is wrong with the key should show before the hours that a long history takes.
    let signing = arguments.signing_key.as_deref().map(SigningKey::read).transpose()?;
    let export = arguments.export.as_deref().map(|folder| {
        let context = || format!("can't export to {}", folder.display());
        Export::into_folder(folder).with_context(context)
    });
    let export = export.transpose()?;
    let mut view = View::new(arguments);
    let mut show = |at| view.show(at);
    let verified = {
        let work = pin!(verify_database(db, &earlier, export.as_ref(), &mut show));
        let mut stop = pin!(stop);
        tokio::select! {
            () = &mut stop => bail!("left before the end; nothing was changed. Run it again to begin anew"),
            verified = work => verified.context("the history can't be verified")?,
        }
    };
    let elapsed = view.end();
    let mut found = Found { verified, elapsed, checkpoint: None, signed: signing.is_some() };
    let note = match &export {
        None => String::new(),
        Some(_) if !found.verified.findings.is_empty() => {
            "the export was written WITHOUT A CHECKPOINT: nobody should vouch for this history\n"
                .to_owned()
        }
        Some(export) => {
            let (path, signed) = (export.checkpoint(), signing.is_some());
            write_checkpoint(&found.verified, signing.as_ref(), &path)?;
            let note = format!(
                "checkpoint  {}{}\n",
                path.display(),
                if signed { "" } else { "  (NOT SIGNED)" }
            );
            found.checkpoint = Some(path);
            note
        }
    };
    found.outcome(arguments, &note)
}

/// Reads checkpoints that a history must begin with, and whether they can be trusted.
fn earlier(paths: &[PathBuf], key: Option<&PublicKey>) -> anyhow::Result<Vec<Checkpoint>> {
    let read = |path: &PathBuf| {
        let checkpoint = Checkpoint::read(path)?;
        let key = key.expect("invariant: the command line asks for a key with a checkpoint");
        let verified = checkpoint.verify(key);
        verified.with_context(|| format!("{} can't be trusted", path.display()))?;
        Ok(checkpoint)
    };
    paths.iter().map(read).collect()
}

fn write_checkpoint(
    verified: &Verified,
    key: Option<&SigningKey>,
    path: &Path,
) -> anyhow::Result<()> {
    let now = SystemClock.now().unix_ms();
    let checkpoint = Checkpoint::new(verified.database_id.clone(), now, verified.shards.clone());
    let checkpoint = match key {
        Some(key) => checkpoint.signed(key),
        None => checkpoint,
    };
    Ok(checkpoint.write(path)?)
}

/// What was found, and what was made of it.
struct Found {
    verified: Verified,
    elapsed: Duration,
    checkpoint: Option<PathBuf>,
    signed: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FoundJson<'a> {
    whole: bool,
    database_id: &'a str,
    events: u64,
    wallets: u64,
    elapsed_ms: u64,
    shards: &'a [ShardCheckpoint],
    findings: &'a Findings,
    checkpoint: Option<&'a Path>,
    signed: bool,
}

impl Found {
    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX)
    }

    fn outcome(&self, arguments: &VerifyArgs, note: &str) -> anyhow::Result<Outcome> {
        let text = if arguments.progress.output.json {
            crate::pretty_json(&self.json())?
        } else {
            self.text(note)
        };
        let findings = self.verified.findings.total;
        Ok(if findings == 0 {
            Outcome::fine(text)
        } else {
            let found = counted(findings, "finding", "findings");
            let complaint =
                format!("{found}: the history is not what was written; see the runbook");
            Outcome::unwell(text, complaint)
        })
    }

    fn json(&self) -> FoundJson<'_> {
        let verified = &self.verified;
        FoundJson {
            whole: verified.findings.is_empty(),
            database_id: &verified.database_id,
            events: verified.events,
            wallets: verified.wallets,
            elapsed_ms: self.elapsed_ms(),
            shards: &verified.shards,
            findings: &verified.findings,
            checkpoint: self.checkpoint.as_deref(),
            signed: self.signed,
        }
    }

    fn text(&self, note: &str) -> String {
        let verified = &self.verified;
        let heading = format!(
            "verified {} of {} in {}\n\n",
            counted(verified.events, "event", "events"),
            counted(verified.wallets, "wallet", "wallets"),
            time(self.elapsed_ms()),
        );
        let findings = if verified.findings.is_empty() {
            "the history is whole\n".to_owned()
        } else {
            findings(&verified.findings)
        };
        let gap = if note.is_empty() { "" } else { "\n" };
        format!("{heading}{}\n{findings}{gap}{note}", shards(&verified.shards))
    }
}

fn shards(all: &[ShardCheckpoint]) -> String {
    use Align::{Left, Right};
    let mut table =
        Table::new([("SHARD", Right), ("POSITION", Right), ("WALLETS", Right), ("HISTORY", Left)]);
    for shard in all {
        table.row([
            shard.shard.to_string(),
            count(shard.position),
            count(shard.wallets),
            shard.history.to_string(),
        ]);
    }
    table.render()
}

fn findings(findings: &Findings) -> String {
    use Align::{Left, Right};
    let mut table = Table::new([
        ("SHARD", Right),
        ("POSITION", Right),
        ("TENANT", Left),
        ("WALLET", Left),
        ("VERSION", Right),
        ("WHAT", Left),
    ]);
    let number = |number: Option<i64>| number.map_or_else(|| NOTHING.to_owned(), count);
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| NOTHING.to_owned());
    for finding in &findings.first {
        table.row([
            number(finding.shard.map(i64::from)),
            number(finding.position),
            text(&finding.tenant),
            text(&finding.wallet_id),
            number(finding.version),
            finding.what.clone(),
        ]);
    }
    let named = findings.first.len() as u64;
    let more = match findings.total.saturating_sub(named) {
        0 => String::new(),
        more => format!("and {} more\n", count(more)),
    };
    table.render() + &more
}

/// How far it has come, as it goes, on stderr: a bar on a terminal, lines of JSON elsewhere.
struct View {
    began: Instant,
    bar: Option<ProgressBar>,
    lines: bool,
    told: Option<Instant>,
}

impl View {
    fn new(arguments: &VerifyArgs) -> Self {
        let (quiet, terminal) = (arguments.progress.quiet, io::stderr().is_terminal());
        let bar = (!quiet && terminal).then(|| {
            let style = ProgressStyle::with_template(BAR)
                .expect("invariant: the template is a constant")
                .progress_chars("=> ");
            ProgressBar::no_length().with_style(style)
        });
        Self { began: Instant::now(), bar, lines: !quiet && !terminal, told: None }
    }

    fn show(&mut self, at: Progress) {
        if let Some(bar) = &self.bar {
            bar.set_length(at.total);
            bar.set_position(at.done);
            bar.set_message(format!("{} of {} events", count(at.done), count(at.total)));
        }
        if self.lines && self.told.is_none_or(|told| told.elapsed() >= LINE_INTERVAL) {
            let progress = serde_json::json!({ "done": at.done, "total": at.total });
            eprintln!("{}", serde_json::json!({ "kind": "verify", "progress": progress }));
            self.told = Some(Instant::now());
        }
    }

    /// How long it took.
    fn end(self) -> Duration {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.began.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_named_and_counted() {
        let mut found = Findings { total: 6, ..Findings::default() };
        found.add(Finding {
            shard: Some(0),
            position: Some(1_234),
            tenant: Some("default".to_owned()),
            wallet_id: Some("w-1".to_owned()),
            version: Some(7),
            what: "it was changed".to_owned(),
        });
        found.add(Finding { what: "a file too many".to_owned(), ..Finding::default() });
        assert_eq!(
            findings(&found),
            "SHARD  POSITION  TENANT   WALLET  VERSION  WHAT\n    \
             0     1,234  default  w-1           7  it was changed\n    \
             -         -  -        -             -  a file too many\nand 6 more\n"
        );
    }
}
