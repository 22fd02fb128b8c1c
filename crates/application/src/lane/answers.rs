//! Answering a group: by what was committed, or by what its keys were told before.

use std::collections::HashMap;

use wallex_ports::{KeyScope, StoredAnswer, StoredRecord, Unit, UnitOutcome, planted};

use super::group::{Group, Lane};
use super::queue::Waiting;
use super::read::read;
use super::{LOOKED_UP_BATCHES, TRIES_MAX};
use crate::{Action, Answer, Command, CommandError};

/// A command whose decision stands, if its unit commits.
pub(crate) struct Decided {
    pub(crate) waiting: Waiting,
    pub(crate) answer: StoredAnswer,
    pub(crate) outcome: &'static str,
}

impl Decided {
    /// Tells the client, now that it is durable or known to be true.
    fn answer(self) {
        let Self { waiting, answer, outcome } = self;
        if waiting.command.idempotency.is_some() {
            count_key("miss");
        }
        waiting.answer(outcome, Ok(Answer { stored: answer, replayed: false }));
    }
}

impl Lane {
    /// Answers what was committed, and remembers its states; the rest is decided again. Returns the
    /// refusals that no claim has held to their keys.
    pub(crate) fn conclude(
        &mut self,
        decided: Vec<Decided>,
        units: &[Unit],
        outcomes: Vec<UnitOutcome>,
        again: &mut Vec<Waiting>,
    ) -> Vec<Decided> {
        let mut unclaimed = Vec::new();
        for ((mut decided, unit), outcome) in decided.into_iter().zip(units).zip(outcomes) {
            match outcome {
                UnitOutcome::Committed => {
                    for append in &unit.appends {
                        self.cache.keep(append.stream.clone(), append.after());
                    }
                    planted::pass("before-answer");
                    let is_keyed = decided.waiting.command.idempotency.is_some();
                    if is_keyed && unit.claim.is_none() {
                        unclaimed.push(decided);
                    } else {
                        decided.answer();
                    }
                }
                UnitOutcome::KeyTaken { stored } => {
                    self.looking = LOOKED_UP_BATCHES;
                    self.forget(std::slice::from_ref(unit));
                    answer_from_record(decided.waiting, stored);
                }
                UnitOutcome::VersionConflict => {
                    self.forget(std::slice::from_ref(unit));
                    metrics::counter!("wallex_lane_conflicts_total").increment(1);
                    decided.waiting.defeats += 1;
                    decided.waiting.looks = true;
                    if decided.waiting.defeats < TRIES_MAX {
                        again.push(decided.waiting);
                    } else {
                        decided.waiting.fail(CommandError::Contended);
                    }
                }
            }
        }
        unclaimed
    }

    /// Answers refusals that are not kept, and so were not held to their keys by a claim. Such a command
    /// may be the retry of one that was answered otherwise, by another process just now; what it is
    /// refused for may be that one's effect. So its key is looked up once what was refused is known to
    /// be true: if there is no record then, there was none when it was true.
    pub(crate) async fn answer_unclaimed(&mut self, unclaimed: Vec<Decided>) {
        if unclaimed.is_empty() {
            return;
        }
        let scopes = unclaimed.iter().filter_map(|decided| scope_of(&decided.waiting.command));
        let scopes: Vec<KeyScope> = scopes.collect();
        match read(&self.ports, &scopes, &[]).await {
            Ok((records, _)) => {
                for (decided, record) in unclaimed.into_iter().zip(records) {
                    match record {
                        Some(record) => {
                            self.looking = LOOKED_UP_BATCHES;
                            answer_from_record(decided.waiting, record);
                        }
                        None => decided.answer(),
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, commands = unclaimed.len(), "keys could not be looked up");
                for decided in unclaimed {
                    decided.waiting.fail(CommandError::Unavailable);
                }
            }
        }
    }
}

/// The command's key in its scope; its record lives with the wallet in the path.
pub(crate) fn scope_of(command: &Command) -> Option<KeyScope> {
    let wallet_id = match &command.action {
        Action::Create(_) => None,
        Action::Credit(credit) => Some(credit.wallet_id.clone()),
        Action::Debit(debit) => Some(debit.wallet_id.clone()),
        Action::Transfer(transfer) => Some(transfer.from.clone()),
    };
    let key = command.idempotency.as_ref()?.key.clone();
    let (tenant, route) = (command.context.tenant.clone(), command.context.route.clone());
    Some(KeyScope { tenant, route, key, wallet_id })
}

/// Answers the commands whose key was answered before; the rest is left.
pub(crate) fn replay(group: Group, records: &HashMap<KeyScope, StoredRecord>) -> Vec<Waiting> {
    let mut left = Vec::with_capacity(group.waiting.len());
    for waiting in group.waiting {
        let Some(scope) = scope_of(&waiting.command) else {
            left.push(waiting);
            continue;
        };
        match records.get(&scope) {
            Some(record) => answer_from_record(waiting, record.clone()),
            None => left.push(waiting),
        }
    }
    left
}

/// The stored answer, if it answers this very request.
fn answer_from_record(waiting: Waiting, record: StoredRecord) {
    let asked = waiting.command.idempotency.as_ref().map(|keyed| keyed.request_hash);
    count_key("hit");
    if asked == Some(record.request_hash) {
        waiting.answer("replayed", Ok(Answer { stored: record.answer, replayed: true }));
    } else {
        waiting.fail(CommandError::KeyReused);
    }
}

/// Counts a command with a key that was answered: from its record, or for the first time.
fn count_key(result: &'static str) {
    metrics::counter!("wallex_idempotency_lookups_total", "result" => result).increment(1);
}
