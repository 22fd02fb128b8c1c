//! Deciding and committing a group of commands.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::watch;
use tracing::{Instrument as _, Span};
use wallex_ports::{
    Claim, CommitError, KeyScope, LockedWallets, NotMigrated, ReadError, StoredAnswer,
    StoredRecord, Unit, UnitOutcome, WalletKey,
};

use super::answers::{Decided, replay, scope_of};
use super::cache::StateCache;
use super::commit::{commit, with_deadline};
use super::deciding::{WorkingStates, key_of};
use super::queue::Waiting;
use super::read::read;
use super::{Deciding, LOOKED_UP_BATCHES, LanePorts, LaneSettings, OPTIMISTIC_TRIES_MAX, spans};
use crate::{Action, Command, CommandError, Decision};

/// Commands that are decided in order and committed together.
pub(crate) struct Group {
    pub(crate) waiting: Vec<Waiting>,
}

impl Group {
    pub(crate) fn new(waiting: Vec<Waiting>) -> Self {
        Self { waiting }
    }

    fn answer_all(self, error: &CommandError) {
        for waiting in self.waiting {
            waiting.fail(error.clone());
        }
    }

    /// The first and the second half, in order.
    fn halves(mut self) -> [Self; 2] {
        let second = self.waiting.split_off(self.waiting.len() / 2);
        [self, Self { waiting: second }]
    }
}

/// The lane's state: the cache, and what it needs from the outside.
pub(crate) struct Lane {
    pub(crate) ports: LanePorts,
    settings: LaneSettings,
    pub(crate) cache: StateCache,
    /// How many batches are still to be looked up before they are decided. In between, keys are believed
    /// to be new, and so are the wallets that are created: the transaction finds out.
    pub(crate) looking: u32,
    /// Told of each transaction that wrote events.
    committed: watch::Sender<()>,
}

impl Lane {
    pub(crate) fn new(ports: LanePorts, settings: LaneSettings) -> Self {
        let cache = StateCache::new(settings.cached_wallets_max);
        Self { ports, settings, cache, looking: 0, committed: watch::Sender::new(()) }
    }

    pub(crate) fn committed(&self) -> watch::Receiver<()> {
        self.committed.subscribe()
    }

    pub(crate) fn settings(&self) -> &LaneSettings {
        &self.settings
    }

    pub(crate) fn forget_all(&mut self) {
        self.cache = StateCache::new(self.settings.cached_wallets_max);
    }

    /// Settles every command of `group`, but for those that it returns, to be decided again.
    pub(crate) async fn settle(&mut self, group: Group) -> Vec<Waiting> {
        let mut again = Vec::new();
        let (beaten, hopeful): (Vec<_>, Vec<_>) =
            group.waiting.into_iter().partition(|w| w.defeats >= OPTIMISTIC_TRIES_MAX);
        // Groups still to do, the next one last. A group that the database refuses as a whole is
        // halved until the command that it refuses stands alone: at most 2n transactions.
        let mut groups = vec![(Group::new(hopeful), false), (Group::new(beaten), true)];
        while let Some((group, lock)) = groups.pop() {
            if group.waiting.is_empty() {
                continue;
            }
            if let Some(refused) = self.attempt(group, lock, &mut again).await {
                groups.extend(refused.halves().map(|half| (half, lock)).into_iter().rev());
            }
        }
        again
    }

    /// One transaction for `group`. Returns it when the database refused it as a whole and it can
    /// be halved; commands to be decided again go to `again`.
    async fn attempt(
        &mut self,
        group: Group,
        lock: bool,
        again: &mut Vec<Waiting>,
    ) -> Option<Group> {
        let looks = self.looking > 0;
        self.looking = self.looking.saturating_sub(1);
        let (records, mut states) = match self.read(&group, looks).await {
            Ok(read) => read,
            Err(error) => return give_up_reading(group, error),
        };
        if !records.is_empty() {
            self.looking = LOOKED_UP_BATCHES;
        }
        let group = Group::new(replay(group, &records));
        if group.waiting.is_empty() {
            return None;
        }
        let locked = if lock { self.lock(&group, &mut states).await } else { Ok(None) };
        let locked = match locked {
            Ok(locked) => locked,
            // Somebody holds one of the wallets for long. Whose it is can't be told.
            Err(CommitError::Blocked(_)) => {
                group.answer_all(&CommandError::Contended);
                return None;
            }
            Err(error) => return give_up(group, error),
        };
        let (decided, units) = self.decide(group, states, again);
        let units: Arc<[Unit]> = units.into();
        match self.commit(&decided, units.clone(), locked).await {
            Ok(outcomes) => {
                let wrote = |(unit, outcome): (&Unit, &UnitOutcome)| {
                    matches!(outcome, UnitOutcome::Committed) && !unit.appends.is_empty()
                };
                if units.iter().zip(&outcomes).any(wrote) {
                    self.committed.send_replace(());
                }
                let unclaimed = self.conclude(decided, &units, outcomes, again);
                self.answer_unclaimed(unclaimed).await;
                None
            }
            Err(error) => {
                self.forget(&units);
                let waiting = decided.into_iter().map(|d| d.waiting).collect();
                give_up(Group { waiting }, error)
            }
        }
    }

    /// Loads the wallets that are not in the cache and, if it `looks`, keys and wallets that are to be
    /// created; those of a command that asks for it, in any case.
    async fn read(
        &mut self,
        group: &Group,
        looks: bool,
    ) -> Result<(HashMap<KeyScope, StoredRecord>, WorkingStates), ReadError> {
        let mut scopes = Vec::new();
        let mut states = WorkingStates::new();
        let mut missing = Vec::new();
        // What several commands rest on is loaded if one of them can't believe that it is new.
        let mut believed = Vec::new();
        for waiting in &group.waiting {
            let looks = looks || waiting.looks;
            if looks {
                scopes.extend(scope_of(&waiting.command));
            }
            let creates = matches!(waiting.command.action, Action::Create(_));
            for key in wallets_of(waiting) {
                if states.contains_key(&key) {
                    continue;
                }
                match self.cache.get(&key) {
                    Some(cached) => {
                        states.insert(key, Some(cached.clone()));
                    }
                    None if creates && !looks => believed.push(key),
                    None => {
                        missing.push(key.clone());
                        states.insert(key, None);
                    }
                }
            }
        }
        for key in believed {
            states.entry(key).or_insert(None);
        }
        let is_cached = scopes.is_empty() && missing.is_empty();
        let contexts = group.waiting.iter().map(|waiting| &waiting.command.context);
        let span = if is_cached { Span::none() } else { spans::loading(contexts) };
        let (records, loaded) = read(&self.ports, &scopes, &missing).instrument(span).await?;
        states.extend(missing.into_iter().zip(loaded));
        let records = scopes.into_iter().zip(records);
        Ok((records.filter_map(|(scope, record)| Some((scope, record?))).collect(), states))
    }

    /// Begins the transaction by locking the wallets, whose states are then certain.
    async fn lock(
        &self,
        group: &Group,
        states: &mut WorkingStates,
    ) -> Result<Option<Box<dyn LockedWallets>>, CommitError> {
        let mut keys: Vec<WalletKey> = states.keys().cloned().collect();
        keys.sort_unstable();
        debug_assert!(group.waiting.iter().flat_map(wallets_of).all(|k| states.contains_key(&k)));
        let (committer, asked) = (self.ports.committer.clone(), keys.clone());
        let locking = async move { committer.lock(asked).await };
        let locked = with_deadline(self.settings.commit_deadline, locking).await;
        // Nothing is written by a lock, however it failed.
        let locked = locked.map_err(|error| match error {
            CommitError::Indeterminate(source) => CommitError::Unavailable(source),
            error => error,
        })?;
        for (key, state) in keys.into_iter().zip(locked.wallets()) {
            states.insert(key, state.clone());
        }
        Ok(Some(locked))
    }

    /// Decides each command on the states that those before it leave. One whose key is claimed by a command
    /// before it goes to `again`, and is told that one's answer then. An answer that is not kept claims
    /// nothing: whoever repeats it is decided at once, and is not one more to come back.
    fn decide(
        &self,
        group: Group,
        mut states: WorkingStates,
        again: &mut Vec<Waiting>,
    ) -> (Vec<Decided>, Vec<Unit>) {
        let mut units = Vec::with_capacity(group.waiting.len());
        let mut all = Vec::with_capacity(group.waiting.len());
        let mut claimed: HashSet<KeyScope> = HashSet::new();
        for mut waiting in group.waiting {
            if scope_of(&waiting.command).is_some_and(|scope| claimed.contains(&scope)) {
                waiting.looks = true;
                again.push(waiting);
                continue;
            }
            let command = &waiting.command;
            let mut deciding = Deciding::new(
                &states,
                &command.context,
                waiting.identities,
                self.settings.default_currency,
                &*self.ports.clock,
                &*self.ports.ids,
            );
            let span = spans::deciding(&command.context);
            let decision = span.in_scope(|| decide(command, &mut deciding));
            let (reads, appends) = deciding.finish();
            let is_kept = decision.as_ref().map_or_else(|refusal| refusal.is_final(), |_| true);
            for append in &appends {
                states.insert(append.stream.clone(), Some(append.after()));
            }
            let answer = self.ports.answers.encode(&command.context, &decision);
            let claim = if is_kept { self.claim(command, &answer) } else { None };
            claimed.extend(claim.as_ref().map(|claim| claim.scope.clone()));
            let outcome = decision.as_ref().map_or_else(|refusal| refusal.name(), |_| "ok");
            span.record("outcome", outcome);
            units.push(Unit { claim, reads, appends });
            all.push(Decided { waiting, answer, outcome });
        }
        (all, units)
    }

    fn claim(&self, command: &Command, answer: &StoredAnswer) -> Option<Claim> {
        let scope = scope_of(command)?;
        let request_hash = command.idempotency.as_ref()?.request_hash;
        let ttl_ms = u64::try_from(self.settings.idempotency_ttl.as_millis()).unwrap_or(u64::MAX);
        Some(Claim { scope, request_hash, answer: answer.clone(), ttl_ms })
    }

    async fn commit(
        &self,
        decided: &[Decided],
        units: Arc<[Unit]>,
        locked: Option<Box<dyn LockedWallets>>,
    ) -> Result<Vec<UnitOutcome>, CommitError> {
        let span = spans::committing(decided.iter().map(|d| &d.waiting.command.context));
        let deadline = self.settings.commit_deadline;
        let started = tokio::time::Instant::now();
        let outcomes = match locked {
            Some(locked) => {
                let committing = async move { locked.commit(units).await };
                with_deadline(deadline, committing).instrument(span.clone()).await
            }
            None => commit(&self.ports, units, deadline).instrument(span.clone()).await,
        };
        if let Err(error) = &outcomes {
            spans::failed(&span, error);
        }
        metrics::histogram!("wallex_lane_commit_duration_seconds").record(started.elapsed());
        outcomes
    }

    pub(crate) fn forget(&mut self, units: &[Unit]) {
        for unit in units {
            let reads = unit.reads.iter().map(|read| &read.stream);
            for stream in reads.chain(unit.appends.iter().map(|append| &append.stream)) {
                self.cache.forget(stream);
            }
        }
    }
}

fn decide(command: &Command, deciding: &mut Deciding<'_>) -> Decision {
    match &command.action {
        Action::Create(create) => create.decide(deciding),
        Action::Credit(credit) => credit.decide(&command.if_match, deciding),
        Action::Debit(debit) => debit.decide(&command.if_match, deciding),
        Action::Transfer(transfer) => transfer.decide(&command.if_match, deciding),
    }
}

/// The wallets that a command rests on.
fn wallets_of(waiting: &Waiting) -> Vec<WalletKey> {
    let key = |wallet_id| key_of(&waiting.command.context.tenant, wallet_id);
    match &waiting.command.action {
        Action::Create(create) => vec![key(&create.wallet_id(&waiting.identities))],
        Action::Credit(credit) => vec![key(&credit.wallet_id)],
        Action::Debit(debit) => vec![key(&debit.wallet_id)],
        Action::Transfer(transfer) => vec![key(&transfer.from), key(&transfer.to)],
    }
}

fn give_up_reading(group: Group, error: ReadError) -> Option<Group> {
    let error = match error {
        ReadError::Unavailable(source) => CommitError::Unavailable(source),
        ReadError::Storage(source) => CommitError::Storage(source),
    };
    give_up(group, error)
}

/// Answers a group that could not be committed, or returns it to be halved.
fn give_up(group: Group, error: CommitError) -> Option<Group> {
    let alone = group.waiting.len() == 1;
    let answer = match error {
        CommitError::Transient(_) | CommitError::Storage(_) if !alone => return Some(group),
        // The database answers: somebody is in the way, each time.
        CommitError::Transient(source) | CommitError::Blocked(source) => {
            tracing::warn!(error = %source, commands = group.waiting.len(), "commands not done");
            CommandError::Contended
        }
        CommitError::Unavailable(source) => {
            tracing::warn!(error = %source, commands = group.waiting.len(), "commands not done");
            if source.is::<NotMigrated>() {
                CommandError::NotMigrated
            } else {
                CommandError::Unavailable
            }
        }
        CommitError::Indeterminate(source) => {
            tracing::error!(error = %source, commands = group.waiting.len(), "outcome unknown");
            CommandError::OutcomeUnknown
        }
        CommitError::Storage(source) => CommandError::Failed(Arc::new(source)),
    };
    group.answer_all(&answer);
    None
}
