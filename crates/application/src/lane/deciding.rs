//! What a use case sees while it decides: the wallets as the commands before it leave them.

use std::collections::HashMap;

use uuid::Uuid;
use wallex_domain::{Currency, EventHash, TenantId, Wallet, WalletEvent, WalletId};
use wallex_ports::{
    Clock, EventMetadata, IdGenerator, NewEvent, StreamAppend, StreamState, StreamVersion,
    Timestamp, WalletKey, WalletState, planted,
};

use crate::{Precondition, Refusal, RequestContext};

/// The ids that a command was given when it was accepted. They stay when it is decided again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identities {
    /// The command itself: the cause of its events.
    pub(crate) command: Uuid,
    /// What the command brings into being: a wallet without an id of the client's, a transfer.
    pub(crate) subject: Uuid,
}

/// The wallets of a batch while it is decided; `None` for one that does not exist.
pub(crate) type WorkingStates = HashMap<WalletKey, Option<StreamState>>;

/// One command's view of the batch's wallets, and a record of what it read and appended.
pub(crate) struct Deciding<'a> {
    states: &'a WorkingStates,
    context: &'a RequestContext,
    identities: Identities,
    default_currency: Currency,
    now: Timestamp,
    ids: &'a dyn IdGenerator,
    reads: Vec<StreamVersion>,
    appends: Vec<StreamAppend>,
}

impl<'a> Deciding<'a> {
    pub(crate) fn new(
        states: &'a WorkingStates,
        context: &'a RequestContext,
        identities: Identities,
        default_currency: Currency,
        clock: &dyn Clock,
        ids: &'a dyn IdGenerator,
    ) -> Self {
        let now = clock.now();
        let (reads, appends) = (Vec::new(), Vec::new());
        Self { states, context, identities, default_currency, now, ids, reads, appends }
    }

    pub(crate) fn identities(&self) -> &Identities {
        &self.identities
    }

    pub(crate) fn default_currency(&self) -> Currency {
        self.default_currency
    }

    pub(crate) fn key(&self, wallet_id: &WalletId) -> WalletKey {
        key_of(&self.context.tenant, wallet_id)
    }

    /// The wallet of `key`, and a note that the decision rests on it.
    pub(crate) fn read(&mut self, key: &WalletKey) -> Option<WalletState> {
        let state = self
            .states
            .get(key)
            .expect("invariant: every wallet that a command names is loaded before it decides")
            .as_ref()
            .map(|stream| stream.state.clone());
        let version = state.as_ref().map_or(0, |state| state.wallet.version());
        self.reads.push(StreamVersion { stream: key.clone(), version });
        state
    }

    /// The wallet of `wallet_id`, which must exist and fit `if_match`.
    pub(crate) fn existing(
        &mut self,
        wallet_id: &WalletId,
        if_match: &Precondition,
    ) -> Result<(WalletKey, WalletState), Refusal> {
        let key = self.key(wallet_id);
        let wallet_id = wallet_id.clone();
        let Some(state) = self.read(&key) else {
            return Err(Refusal::WalletNotFound { wallet_id });
        };
        let version = state.wallet.version();
        match if_match {
            Precondition::OneOf(versions)
                if !versions.contains(&version) && !planted::is("skip-if-match") =>
            {
                Err(Refusal::VersionMismatch { wallet_id, version })
            }
            _ => Ok((key, state)),
        }
    }

    /// Notes `event` on the wallet of `key`; the state that it leads to.
    pub(crate) fn record(&mut self, key: &WalletKey, event: WalletEvent) -> WalletState {
        let before = self.states.get(key).and_then(Option::as_ref);
        let state = self.after(key, before.map(|stream| &stream.state), &event);
        let expected_version = before.map_or(0, |stream| stream.state.wallet.version());
        let previous = before.map_or(EventHash::BEFORE_FIRST, |stream| stream.last_hash);
        let metadata = EventMetadata {
            correlation_id: self.context.correlation_id.clone(),
            causation_id: self.identities.command,
            traceparent: self.context.traceparent.clone(),
        };
        let event_id = self.ids.next().into();
        let place = (key, expected_version + 1, previous);
        let event = NewEvent::chained(place, event_id, event, metadata, state.updated_at);
        self.appends.push(StreamAppend {
            stream: key.clone(),
            expected_version,
            events: vec![event],
            state: state.clone(),
        });
        state
    }

    fn after(
        &self,
        key: &WalletKey,
        before: Option<&WalletState>,
        event: &WalletEvent,
    ) -> WalletState {
        const FOLLOWS: &str = "invariant: a decided event follows from the state it was decided on";
        match before {
            None => {
                let wallet = Wallet::from_created(key.wallet_id.clone(), event).expect(FOLLOWS);
                WalletState { wallet, created_at: self.now, updated_at: self.now }
            }
            Some(before) => {
                let mut after = before.clone();
                after.wallet.apply(event).expect(FOLLOWS);
                // Clocks of nodes differ; a wallet's own time does not go back.
                after.updated_at = self.now.max(before.updated_at);
                after
            }
        }
    }

    /// What was read and not appended to, and what was appended.
    pub(crate) fn finish(self) -> (Vec<StreamVersion>, Vec<StreamAppend>) {
        let Self { mut reads, appends, .. } = self;
        reads.retain(|read| appends.iter().all(|append| append.stream != read.stream));
        (reads, appends)
    }
}

pub(crate) fn key_of(tenant: &TenantId, wallet_id: &WalletId) -> WalletKey {
    WalletKey { tenant: tenant.clone(), wallet_id: wallet_id.clone() }
}
