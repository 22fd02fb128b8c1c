//! One page of a shard's events, folded: what each projection should have made of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wallex_domain::{EventHash, TenantId, WalletId};
use wallex_ports::{Difference, Place, WalletKey, WalletState};

use super::chain::{Chains, Link};
use super::follow::{Follower, Met, Sight};
use super::trial_balance::TrialBalance;
use crate::event::Event;
use crate::reconcile::{Broken, Span, Spot, Stretch};

/// Where a walk through a shard stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Point {
    /// Everything up to here was read.
    pub(super) after: Spot,
    /// The wallet whose last event is not known to have been read yet.
    pub(super) reading: Option<Reading>,
    /// The last event that was read, in a drift check.
    #[serde(default)]
    pub(super) link: Option<Link>,
}

impl Point {
    /// Before the first place behind `after`.
    pub(crate) fn new(after: Spot) -> Self {
        Self { after, reading: None, link: None }
    }

    /// How many follow the wallet that is being read, if one is.
    pub(crate) fn followers(&self) -> Option<usize> {
        self.reading.as_ref().map(|reading| reading.followers.len())
    }
}

/// A wallet that is being read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Reading {
    #[serde(with = "WalletKeyJson")]
    pub(super) key: WalletKey,
    /// One for each projector, in their order, and one that takes every event: the write side's.
    pub(super) followers: Vec<Follower>,
}

/// How a wallet's key is kept.
#[derive(Serialize, Deserialize)]
#[serde(remote = "WalletKey")]
pub(super) struct WalletKeyJson {
    tenant: TenantId,
    wallet_id: WalletId,
}

/// A page as it was read.
pub(super) struct Page {
    pub(super) events: Vec<Event>,
    /// Their hashes, in a drift check.
    pub(super) chains: Chains,
    /// As many as there are followers.
    pub(super) sights: Vec<Sight>,
    /// Where it begins.
    pub(super) from: Point,
    /// Where it ends; `None` at the end of the shard.
    pub(super) upto: Option<Spot>,
    /// Whether no page follows.
    pub(super) is_last: bool,
    /// Events behind this position do not count in the trial balance.
    pub(super) balance_upto: u64,
}

/// What one follower has of a page.
#[derive(Debug)]
pub(super) struct Track<'a> {
    span: Span,
    events: Vec<&'a Event>,
    finished: Vec<(WalletKey, WalletState)>,
    broken: BTreeMap<WalletKey, Broken>,
}

impl Track<'_> {
    /// `None` when nothing in the page is new to this follower.
    pub(super) fn stretch(&self, shard: u16) -> Option<Stretch<'_>> {
        (!self.span.is_empty()).then_some(Stretch {
            shard,
            span: &self.span,
            events: &self.events,
            finished: &self.finished,
            broken: &self.broken,
        })
    }
}

/// A page, folded.
pub(super) struct Folding<'a> {
    /// One for each follower.
    pub(super) tracks: Vec<Track<'a>>,
    /// Events that do not follow, or are not what was written.
    pub(super) breaks: Vec<Difference>,
    /// The last hash of each wallet that was met.
    pub(super) heads: &'a BTreeMap<WalletKey, EventHash>,
    pub(super) totals: TrialBalance,
    /// Events that were read for the first time.
    pub(super) events: u64,
    /// Wallets that were finished.
    pub(super) wallets: u64,
    /// Dead letters of those.
    pub(super) parked: u64,
    /// Where the next page begins; `None` when there is none.
    pub(super) next: Option<Point>,
}

impl Page {
    /// Folds the page. Costs no statement.
    pub(super) fn fold(&self) -> Folding<'_> {
        let mut folding = self.begin();
        let mut open = self.from.reading.clone().map(Open::of);
        for event in &self.events {
            if let Some(other) = open.take_if(|open| open.reading.key != event.wallet) {
                self.finish(&other, &mut folding);
            }
            let open = open.get_or_insert_with(|| {
                let followers = vec![Follower::default(); self.sights.len()];
                Open::of(Reading { key: event.wallet.clone(), followers })
            });
            self.meet(event, open, &mut folding);
        }
        match open {
            Some(last) if self.is_last => self.finish(&last, &mut folding),
            Some(last) => {
                last.mark_breaks(&mut folding.tracks);
                let after = self.upto.clone().unwrap_or_else(|| Spot::behind(&last.reading.key));
                let link = self.chains.last.clone();
                folding.next = Some(Point { after, reading: Some(last.reading), link });
            }
            None => {}
        }
        folding
    }

    fn begin(&self) -> Folding<'_> {
        let after = |follower: usize| match &self.from.reading {
            // A follower that went back is behind the others.
            Some(reading) => Spot::at(&reading.key, reading.followers[follower].done),
            None => self.from.after.clone(),
        };
        let track = |follower| Track {
            span: Span::new(after(follower), self.upto.clone()),
            events: Vec::with_capacity(self.events.len()),
            finished: Vec::new(),
            broken: BTreeMap::new(),
        };
        Folding {
            tracks: (0..self.sights.len()).map(track).collect(),
            breaks: self.chains.faults.clone(),
            heads: &self.chains.heads,
            totals: TrialBalance::default(),
            events: 0,
            wallets: 0,
            parked: 0,
            next: None,
        }
    }

    fn meet<'a>(&self, event: &'a Event, open: &mut Open, folding: &mut Folding<'a>) {
        let write_side = self.sights.len() - 1;
        if event.version > open.reading.followers[write_side].done {
            folding.events += 1;
            if event.position <= self.balance_upto
                && let Ok(decoded) = event.decoded()
            {
                folding.totals.count(decoded);
            }
        }
        let followers = open.reading.followers.iter_mut().zip(&self.sights);
        for (i, ((follower, sight), track)) in followers.zip(&mut folding.tracks).enumerate() {
            match follower.meet(event, sight) {
                Met::Counts => track.events.push(event),
                // The write side's follower meets every event, so it tells for all.
                Met::Breaks(error) if i == write_side => {
                    folding.breaks.push(broken_event(event, error));
                }
                Met::Breaks(_) | Met::Passes => {}
            }
        }
    }

    fn finish(&self, open: &Open, folding: &mut Folding<'_>) {
        open.mark_breaks(&mut folding.tracks);
        let key = &open.reading.key;
        folding.wallets += 1;
        let parked = self.sights.iter().filter(|sight| sight.parked.contains_key(key));
        folding.parked += parked.count() as u64;
        for (follower, track) in open.reading.followers.iter().zip(&mut folding.tracks) {
            if !track.broken.contains_key(key)
                && let Some(state) = follower.folded.state(key)
            {
                track.finished.push((key.clone(), state));
            }
        }
    }
}

/// The wallet that is being read, within a page.
struct Open {
    reading: Reading,
    /// What each follower had left unfollowed when the page began.
    unfollowed: Vec<i128>,
}

impl Open {
    fn of(reading: Reading) -> Self {
        let unfollowed = reading.followers.iter().map(|follower| follower.unfollowed).collect();
        Self { reading, unfollowed }
    }

    fn mark_breaks(&self, tracks: &mut [Track<'_>]) {
        let followers = self.reading.followers.iter().zip(&self.unfollowed);
        for ((follower, before), track) in followers.zip(tracks) {
            if let Some(broken) = follower.broken(*before) {
                track.broken.insert(self.reading.key.clone(), broken);
            }
        }
    }
}

fn broken_event(event: &Event, error: String) -> Difference {
    Difference {
        tenant: event.wallet.tenant.to_string(),
        wallet_id: event.wallet.wallet_id.to_string(),
        place: Place::Events,
        version: Some(event.version),
        what: "event".to_owned(),
        expected: Some("an event that follows".to_owned()),
        found: Some(error),
        difference_minor: None,
    }
}
