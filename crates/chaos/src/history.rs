//! What the clients asked, when, and what they were told.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::command::{Command, Read};
use crate::http::{Failure, Reply};

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    Command(Arc<Command>),
    Read(Read),
}

/// What the client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is done, or here is the wallet.
    Ok(Said),
    /// A rule says no.
    Refused(Said),
    /// The server says that nothing was done: a 503 with this code.
    NotDone(String),
    /// No answer, or one that says that nobody knows.
    Unknown(String),
    /// The projection is not there yet.
    Behind,
    /// An answer that nothing should get.
    Wrong(String),
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) etag: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) replayed: bool,
}

impl Said {
    /// What a replay repeats.
    pub(crate) fn repeatable(&self) -> (u16, &str, Option<&str>, Option<&str>) {
        (self.status, &self.body, self.etag.as_deref(), self.location.as_deref())
    }

    /// The `code` of a problem; empty when there is none.
    pub(crate) fn code(&self) -> String {
        code_of(&self.body)
    }
}

fn code_of(body: &str) -> String {
    let problem: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    problem["code"].as_str().unwrap_or_default().to_owned()
}

impl Outcome {
    /// What an exchange came to; `None` when nothing was sent.
    pub(crate) fn of(exchanged: Result<Reply, Failure>) -> Option<Self> {
        let reply = match exchanged {
            Ok(reply) => reply,
            Err(Failure::NotSent) => return None,
            Err(Failure::Lost(why)) => return Some(Self::Unknown(why)),
        };
        let text = |name| reply.header(name).map(str::to_owned);
        let said = Said {
            status: reply.status,
            etag: text("etag"),
            location: text("location"),
            replayed: reply.header("idempotency-replayed") == Some("true"),
            body: reply.body,
        };
        Some(match said.status {
            200 | 201 => Self::Ok(said),
            404 | 409 | 412 | 422 => Self::Refused(said),
            503 => match said.code() {
                code if code == "outcome-unknown" => Self::Unknown(code),
                code if code.is_empty() => Self::Wrong(format!("503 {}", said.body)),
                code => Self::NotDone(code),
            },
            504 => Self::Behind,
            status => Self::Wrong(format!("{status} {}", said.body)),
        })
    }

    /// Whether the server did what was asked, or said why it must not.
    pub(crate) fn is_served(&self) -> bool {
        matches!(self, Self::Ok(_) | Self::Refused(_))
    }
}

/// One request. Times are nanoseconds since the run began.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) asked: Asked,
    pub(crate) invoked: u64,
    pub(crate) ended: u64,
    pub(crate) outcome: Outcome,
}

/// All requests of a run, from all its clients.
#[derive(Debug)]
pub(crate) struct History {
    origin: Instant,
    entries: Mutex<Vec<Entry>>,
}

impl Default for History {
    fn default() -> Self {
        Self { origin: Instant::now(), entries: Mutex::default() }
    }
}

impl History {
    /// The time since the run began.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn note(&self, asked: Asked, invoked: u64, outcome: Outcome) {
        let ended = self.now();
        self.locked().push(Entry { asked, invoked, ended, outcome });
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.locked().clone()
    }

    fn locked(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
