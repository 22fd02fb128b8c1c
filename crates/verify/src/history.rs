//! A shard's events in the order of positions, one after the other: what both verifiers share.

use wallex_domain::EventHash;

use crate::digest::{before_history, with_event};
use crate::event::StoredEvent;
use crate::findings::{Finding, Findings};

/// The event of the same wallet with the version before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Previous {
    pub(crate) version: i64,
    pub(crate) position: i64,
    /// As it stands.
    pub(crate) hash: Option<EventHash>,
}

/// What an earlier checkpoint says of the shard.
#[derive(Debug, Clone)]
pub(crate) struct Milestone {
    /// How far the history went.
    pub(crate) position: u64,
    /// What it came to.
    pub(crate) history: EventHash,
    /// Which checkpoint says so.
    pub(crate) checkpoint: String,
}

/// How far a shard was followed.
#[derive(Debug)]
pub(crate) struct History {
    shard: u16,
    /// Of the last event.
    pub(crate) position: i64,
    /// How many events there were.
    pub(crate) events: u64,
    /// What they come to.
    pub(crate) digest: EventHash,
    /// Those that are not reached yet.
    milestones: Vec<Milestone>,
}

impl History {
    pub(crate) fn new(shard: u16, mut milestones: Vec<Milestone>) -> Self {
        milestones.retain(|milestone| milestone.position > 0);
        Self { shard, position: 0, events: 0, digest: before_history(shard), milestones }
    }

    /// Follows the next event.
    pub(crate) fn meet(
        &mut self,
        event: &StoredEvent,
        previous: Option<Previous>,
        findings: &mut Findings,
    ) {
        let mut tell = |what: String| {
            findings.add(Finding {
                shard: Some(self.shard),
                position: Some(event.position),
                tenant: Some(event.tenant.clone()),
                wallet_id: Some(event.wallet_id.clone()),
                version: Some(event.version),
                what,
            });
        };
        if event.position != self.position.wrapping_add(1) {
            tell(format!(
                "position {} comes behind {}: an event is missing or moved",
                event.position, self.position
            ));
        }
        if let Some(wrong) = wrong_link(event, previous) {
            tell(wrong);
        }
        let hash = event.hash.unwrap_or(EventHash::BEFORE_FIRST);
        self.digest = with_event(self.digest, event.position, hash);
        (self.position, self.events) = (event.position, self.events + 1);
        self.reach(findings);
    }

    fn reach(&mut self, findings: &mut Findings) {
        let (shard, position, digest) = (self.shard, self.position, self.digest);
        self.milestones.retain(|milestone| {
            if i64::try_from(milestone.position) != Ok(position) {
                return true;
            }
            if milestone.history != digest {
                findings.of_shard(
                    shard,
                    format!(
                        "the first {position} events are not those of {}: history was rewritten",
                        milestone.checkpoint
                    ),
                );
            }
            false
        });
    }

    /// Says what was not reached, when there are no more events.
    pub(crate) fn finish(&self, findings: &mut Findings) {
        for milestone in &self.milestones {
            let (position, events) = (milestone.position, self.position);
            findings.of_shard(
                self.shard,
                format!(
                    "the history ends at position {events}, and {} has {position}: its end was cut off",
                    milestone.checkpoint
                ),
            );
        }
    }
}

/// What is wrong between an event and the one before it in its wallet.
fn wrong_link(event: &StoredEvent, previous: Option<Previous>) -> Option<String> {
    let Some(hash) = event.hash else { return Some("it has no hash of 32 bytes".to_owned()) };
    let before = match previous {
        None if event.version == 1 => EventHash::BEFORE_FIRST,
        None => return Some(format!("version {} is missing", event.version.wrapping_sub(1))),
        Some(previous) if event.version.checked_sub(1) != Some(previous.version) => {
            let (version, last) = (event.version, previous.version);
            return Some(format!("version {version} comes behind version {last}"));
        }
        Some(previous) if previous.position >= event.position => {
            return Some("it comes before the version before it: events were moved".to_owned());
        }
        // The one before was told of; nothing can be built on it.
        Some(Previous { hash: None, .. }) => return None,
        Some(Previous { hash: Some(before), .. }) => before,
    };
    let expected = event.hash_behind(before);
    (expected != hash).then(|| {
        format!(
            "its hash is {hash:.12}… and should be {expected:.12}…: it, or the event before it, was \
             changed",
            hash = hash.to_string(),
            expected = expected.to_string()
        )
    })
}
