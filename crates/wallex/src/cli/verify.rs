//! Verifying the history, on the command line.

use std::path::PathBuf;

use clap::Args;

use super::ProgressArgs;

/// What to verify, and against what.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("trust").args(["public_key", "unsigned"]))]
pub(crate) struct VerifyArgs {
    /// Write the history to this folder, which must be empty or new: one line of JSON an event, one file a shard,
    /// and a checkpoint, unless something is wrong.
    #[arg(long, value_name = "DIR")]
    pub(crate) export: Option<PathBuf>,
    /// Sign the checkpoint with this private key (Ed25519, PEM).
    #[arg(long, value_name = "FILE", requires = "export")]
    pub(crate) signing_key: Option<PathBuf>,
    /// Compare the database with an earlier checkpoint: its history must begin with that one's. More than once,
    /// where there are several.
    #[arg(long, value_name = "CHECKPOINT", requires = "public_key")]
    pub(crate) against: Vec<PathBuf>,
    /// Instead of a database, verify the export in this folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["export", "against"], requires = "trust")]
    pub(crate) offline: Option<PathBuf>,
    /// Compare the export with an earlier checkpoint. More than once, where there are several.
    #[arg(long, value_name = "CHECKPOINT", requires_all = ["offline", "public_key"], conflicts_with = "unsigned")]
    pub(crate) since: Vec<PathBuf>,
    /// The public key that checkpoints must be signed for (Ed25519, PEM).
    #[arg(long, value_name = "FILE")]
    pub(crate) public_key: Option<PathBuf>,
    /// Don't ask for a signature: anyone may have made the export.
    #[arg(long, requires = "offline", conflicts_with = "public_key")]
    pub(crate) unsigned: bool,
    /// Make a pair of keys, and nothing else: the private one in FILE, the public one in FILE.pub.
    #[arg(long, value_name = "FILE", exclusive = true)]
    pub(crate) generate_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) progress: ProgressArgs,
}

impl VerifyArgs {
    /// Whether it is about a database.
    pub(crate) fn needs_database(&self) -> bool {
        self.offline.is_none() && self.generate_key.is_none()
    }
}
