//! A history as files: one line of JSON an event, one file a shard, in the order of positions.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::checkpoint::CHECKPOINT_FILE;
use crate::event::StoredEvent;

/// A folder that gets a history. The checkpoint comes last: without one an export is not whole.
#[derive(Debug)]
pub struct Export {
    folder: PathBuf,
}

impl Export {
    /// Into `folder`, which is made where it is not there yet, and must be empty.
    ///
    /// # Errors
    /// When it can't be made, or is not empty.
    pub fn into_folder(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        if std::fs::read_dir(folder)?.next().is_some() {
            return Err(io::Error::other("it is not empty"));
        }
        Ok(Self { folder: folder.into() })
    }

    /// Where its checkpoint belongs.
    #[must_use]
    pub fn checkpoint(&self) -> PathBuf {
        self.folder.join(CHECKPOINT_FILE)
    }

    pub(crate) fn shard(&self, shard: u16) -> io::Result<ShardFile> {
        let file = File::create_new(self.folder.join(file_name(shard)))?;
        Ok(ShardFile(BufWriter::new(file)))
    }
}

/// The file of one shard.
pub(crate) struct ShardFile(BufWriter<File>);

impl ShardFile {
    pub(crate) fn write(&mut self, event: &StoredEvent) -> io::Result<()> {
        self.0.write_all(event.to_line().as_bytes())?;
        self.0.write_all(b"\n")
    }

    pub(crate) fn finish(self) -> io::Result<()> {
        self.0.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    }
}

/// `events-0000.jsonl`, and so on.
pub(crate) fn file_name(shard: u16) -> String {
    format!("events-{shard:04}.jsonl")
}
