//! A store in memory that several lanes can share, as nodes share a database, and that fails when
//! told to.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use uuid::Uuid;
use wallex_application::{
    Action, AnswerEncoder, Command, CommandLane, CreateWallet, CreditWallet, DebitWallet, Decision,
    KeyedRequest, LanePorts, LaneSettings, LaneTask, Precondition, RequestContext, Success,
    TransferMoney,
};
use wallex_domain::{Amount, Balance, EventHash, Memo, OwnerId, Wallet, WalletEvent, WalletId};
use wallex_ports::{
    Clock, CommitError, Committer, CorrelationId, IdGenerator, IdempotencyKey, IdempotencyRecords,
    KeyScope, LockedWallets, NewEvent, ReadError, RequestHash, Route, StoredAnswer, StoredRecord,
    StreamAppend, StreamState, Timestamp, Unit, UnitOutcome, WalletKey, WalletState, Wallets,
};

/// What goes wrong with one transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// The database is away; nothing is written.
    Unavailable,
    /// The transaction is given up; nothing is written.
    Transient,
    /// What it needs is held for too long; nothing is written.
    Blocked,
    /// It is written, and the answer is lost.
    AnswerLost,
    /// The adapter has a defect.
    Panic,
}

type Interference = Box<dyn FnMut(&mut Tables) + Send>;
type BeforeLoad = Box<dyn FnOnce(&mut Tables) + Send>;

#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) wallets: HashMap<WalletKey, StreamState>,
    pub(crate) records: HashMap<KeyScope, StoredRecord>,
    pub(crate) history: HashMap<WalletKey, Vec<WalletEvent>>,
    pub(crate) batches: Vec<usize>,
    pub(crate) locks: usize,
    pub(crate) faults: VecDeque<Fault>,
    /// A unit that touches this wallet is refused by the database.
    pub(crate) poisoned: Option<WalletKey>,
    /// Look-ups that the database does not answer.
    pub(crate) read_faults: usize,
    /// The clock has a defect, once.
    pub(crate) clock_breaks: bool,
    /// Somebody at a prompt holds this wallet's row.
    pub(crate) held: Option<WalletKey>,
    /// Locked rows are written by others all the same.
    pub(crate) locks_hold_nobody: bool,
    /// What another process does just before each transaction that did not lock first.
    interference: Option<Interference>,
    /// What another process does just before the next time that wallets are loaded.
    before_load: Option<BeforeLoad>,
}

impl Tables {
    /// What another process commits.
    pub(crate) fn credit_elsewhere(&mut self, key: &WalletKey, sum: i64) {
        let StreamState { state, .. } = self.wallets.get_mut(key).expect("there");
        let event = state.wallet.credit(amount(sum), Memo::default()).expect("room");
        state.wallet.apply(&event).expect("follows");
        self.history.entry(key.clone()).or_default().push(event);
    }

    pub(crate) fn create_elsewhere(&mut self, key: &WalletKey, sum: i64) {
        let opened = opened(sum);
        let wallet = Wallet::from_created(key.wallet_id.clone(), &opened).expect("a creation");
        let at = Timestamp::from_unix_ms(0);
        let state = WalletState { wallet, created_at: at, updated_at: at };
        let stream = StreamState { state, last_hash: EventHash::BEFORE_FIRST };
        assert!(self.wallets.insert(key.clone(), stream).is_none(), "created once");
        self.history.insert(key.clone(), vec![opened]);
    }

    fn write(&mut self, units: &[Unit]) -> Vec<UnitOutcome> {
        let mut fallen: HashSet<WalletKey> = HashSet::new();
        let mut outcomes = Vec::new();
        for unit in units {
            let changes = |key: &WalletKey| unit.appends.iter().any(|a| a.stream == *key);
            let twice = unit.reads.iter().find(|read| changes(&read.stream));
            assert_eq!(twice, None, "what is changed is verified by that alone");
            let version =
                |key: &WalletKey| self.wallets.get(key).map_or(0, |s| s.state.wallet.version());
            let fits = |key: &WalletKey, expected| {
                self.held.as_ref() != Some(key) && !fallen.contains(key) && version(key) == expected
            };
            let stored = unit.claim.as_ref().and_then(|claim| self.records.get(&claim.scope));
            let outcome = if let Some(stored) = stored {
                UnitOutcome::KeyTaken { stored: stored.clone() }
            } else if unit.reads.iter().all(|read| fits(&read.stream, read.version))
                && unit.appends.iter().all(|a| fits(&a.stream, a.expected_version))
            {
                UnitOutcome::Committed
            } else {
                UnitOutcome::VersionConflict
            };
            if outcome == UnitOutcome::Committed {
                self.apply(unit);
            } else {
                fallen.extend(unit.appends.iter().map(|append| append.stream.clone()));
            }
            outcomes.push(outcome);
        }
        outcomes
    }

    fn apply(&mut self, unit: &Unit) {
        if let Some(claim) = &unit.claim {
            let (request_hash, answer) = (claim.request_hash, claim.answer.clone());
            self.records.insert(claim.scope.clone(), StoredRecord { request_hash, answer });
        }
        for append in &unit.appends {
            self.follow_chain(append);
            self.wallets.insert(append.stream.clone(), append.after());
            let events = append.events.iter().map(|event| event.event.clone());
            self.history.entry(append.stream.clone()).or_default().extend(events);
        }
    }

    /// Each event that is written is chained to the one before it.
    fn follow_chain(&self, append: &StreamAppend) {
        let stream = &append.stream;
        let before = self.wallets.get(stream);
        let mut last = before.map_or(EventHash::BEFORE_FIRST, |found| found.last_hash);
        for (version, event) in (append.expected_version + 1..).zip(&append.events) {
            let NewEvent { event_id, event: what, metadata, recorded_at, hash, .. } = event.clone();
            let place = (stream, version, last);
            let expected = NewEvent::chained(place, event_id, what, metadata, recorded_at);
            assert_eq!(hash, expected.hash, "version {version} of {}", stream.wallet_id);
            last = hash;
        }
        assert_eq!(append.after().last_hash, last);
    }

    /// Every state is the fold of its history.
    pub(crate) fn audit(&self) {
        for (key, history) in &self.history {
            let folded = Wallet::fold(&key.wallet_id, history).expect("each event follows");
            assert_eq!(folded.as_ref(), self.wallets.get(key).map(|found| &found.state.wallet));
        }
    }
}

/// The shared store.
pub(crate) struct Store {
    pub(crate) tables: Mutex<Tables>,
    /// Each transaction takes a permit before it writes.
    pub(crate) gate: Semaphore,
    /// Gets a permit for each transaction that begins.
    pub(crate) begun: Semaphore,
    ids: AtomicU64,
}

impl Store {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            tables: Mutex::default(),
            gate: Semaphore::new(1_000_000),
            begun: Semaphore::new(0),
            ids: AtomicU64::new(1),
        })
    }

    pub(crate) fn tables(&self) -> std::sync::MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn read(&self) -> Result<std::sync::MutexGuard<'_, Tables>, ReadError> {
        let mut tables = self.tables();
        if tables.read_faults > 0 {
            tables.read_faults -= 1;
            return Err(ReadError::Unavailable("away".into()));
        }
        Ok(tables)
    }

    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.tables().faults.extend(faults);
    }

    pub(crate) fn interfere(&self, interference: impl FnMut(&mut Tables) + Send + 'static) {
        self.tables().interference = Some(Box::new(interference));
    }

    pub(crate) fn before_load(&self, interference: impl FnOnce(&mut Tables) + Send + 'static) {
        self.tables().before_load = Some(Box::new(interference));
    }

    pub(crate) fn balance(&self, wallet_id: &str) -> Option<i64> {
        let tables = self.tables();
        tables.wallets.get(&key(wallet_id)).map(|found| found.state.wallet.balance().minor_units())
    }

    /// Holds every transaction that begins from now on, until the gate gets permits.
    pub(crate) fn close_the_gate(&self) {
        self.gate.forget_permits(self.gate.available_permits());
        self.begun.forget_permits(self.begun.available_permits());
    }

    async fn transact(
        &self,
        units: &[Unit],
        locked: bool,
    ) -> Result<Vec<UnitOutcome>, CommitError> {
        self.begun.add_permits(1);
        self.gate.acquire().await.expect("open").forget();
        let mut tables = self.tables();
        let is_open = !locked || tables.locks_hold_nobody;
        if is_open && let Some(mut interference) = tables.interference.take() {
            interference(&mut tables);
            tables.interference = Some(interference);
        }
        let poisoned = tables.poisoned.clone();
        let touches = |unit: &Unit| {
            let reads = unit.reads.iter().map(|read| &read.stream);
            let mut streams = reads.chain(unit.appends.iter().map(|append| &append.stream));
            poisoned.as_ref().is_some_and(|poisoned| streams.any(|stream| stream == poisoned))
        };
        if units.iter().any(touches) {
            return Err(CommitError::Storage("poisoned".into()));
        }
        match tables.faults.pop_front() {
            Some(Fault::Unavailable) => Err(CommitError::Unavailable("away".into())),
            Some(Fault::Transient) => Err(CommitError::Transient("given up".into())),
            Some(Fault::Blocked) => Err(CommitError::Blocked("held".into())),
            Some(Fault::Panic) => panic!("a defect, on purpose"),
            Some(Fault::AnswerLost) => {
                tables.write(units);
                Err(CommitError::Indeterminate("answer lost".into()))
            }
            None => {
                tables.batches.push(units.len());
                Ok(tables.write(units))
            }
        }
    }
}

/// One node's way to the store.
struct Ports(Arc<Store>);

#[async_trait]
impl Committer for Ports {
    async fn commit(&self, batch: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError> {
        self.0.transact(&batch, false).await
    }

    async fn lock(&self, keys: Vec<WalletKey>) -> Result<Box<dyn LockedWallets>, CommitError> {
        let mut tables = self.0.tables();
        tables.locks += 1;
        if keys.iter().any(|key| tables.held.as_ref() == Some(key)) {
            return Err(CommitError::Blocked("held".into()));
        }
        let wallets = keys.iter().map(|key| tables.wallets.get(key).cloned()).collect();
        Ok(Box::new(Locked { store: self.0.clone(), wallets }))
    }
}

struct Locked {
    store: Arc<Store>,
    wallets: Vec<Option<StreamState>>,
}

#[async_trait]
impl LockedWallets for Locked {
    fn wallets(&self) -> &[Option<StreamState>] {
        &self.wallets
    }

    async fn commit(self: Box<Self>, batch: Arc<[Unit]>) -> Result<Vec<UnitOutcome>, CommitError> {
        self.store.transact(&batch, true).await
    }
}

#[async_trait]
impl Wallets for Ports {
    async fn load(&self, keys: &[WalletKey]) -> Result<Vec<Option<StreamState>>, ReadError> {
        let mut tables = self.0.read()?;
        if let Some(interference) = tables.before_load.take() {
            interference(&mut tables);
        }
        Ok(keys.iter().map(|key| tables.wallets.get(key).cloned()).collect())
    }
}

#[async_trait]
impl IdempotencyRecords for Ports {
    async fn lookup(&self, scopes: &[KeyScope]) -> Result<Vec<Option<StoredRecord>>, ReadError> {
        let tables = self.0.read()?;
        Ok(scopes.iter().map(|scope| tables.records.get(scope).cloned()).collect())
    }
}

impl Clock for Ports {
    fn now(&self) -> Timestamp {
        assert!(!std::mem::take(&mut self.0.tables().clock_breaks), "a defect, on purpose");
        Timestamp::from_unix_ms(1_800_000_000_000)
    }
}

impl IdGenerator for Ports {
    fn next(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.ids.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Answers in a form that tests can compare.
struct Answers;

impl AnswerEncoder for Answers {
    fn encode(&self, _: &RequestContext, decision: &Decision) -> StoredAnswer {
        let of = |state: &WalletState| {
            let wallet = &state.wallet;
            format!("{}@{}={}", wallet.id(), wallet.version(), wallet.balance())
        };
        let (status, body) = match decision {
            Ok(Success::Created(state)) => (201, of(state)),
            Ok(Success::Moved(state)) => (200, of(state)),
            Ok(Success::Transferred { from, to, .. }) => (200, format!("{} {}", of(from), of(to))),
            Err(refusal) => (422, refusal.name().to_owned()),
        };
        StoredAnswer { status, etag: None, location: None, body: body.into() }
    }
}

/// A lane on `store`, as one node has.
pub(crate) fn node(store: &Arc<Store>) -> (CommandLane, LaneTask) {
    node_with(store, LaneSettings::default())
}

pub(crate) fn node_with(store: &Arc<Store>, settings: LaneSettings) -> (CommandLane, LaneTask) {
    let ports = Arc::new(Ports(store.clone()));
    let ports = LanePorts {
        committer: ports.clone(),
        wallets: ports.clone(),
        idempotency: ports.clone(),
        answers: Arc::new(Answers),
        clock: ports.clone(),
        ids: ports,
    };
    CommandLane::spawn(ports, settings)
}

pub(crate) fn amount(minor_units: i64) -> Amount {
    Amount::new(minor_units).expect("valid")
}

fn opened(sum: i64) -> WalletEvent {
    let currency = "USD".parse().expect("valid");
    let owner = OwnerId::parse("owner").expect("valid");
    Wallet::open(owner, currency, Balance::new(sum).expect("valid"))
}

pub(crate) fn key(wallet_id: &str) -> WalletKey {
    WalletKey { tenant: Default::default(), wallet_id: id(wallet_id) }
}

fn id(wallet_id: &str) -> WalletId {
    WalletId::parse(wallet_id).expect("valid")
}

fn command(route: Route, action: Action) -> Command {
    let context = RequestContext {
        tenant: Default::default(),
        route,
        correlation_id: CorrelationId::parse("test").expect("valid"),
        traceparent: None,
        span: tracing::Span::none(),
    };
    Command { context, action, if_match: Precondition::None, idempotency: None }
}

pub(crate) fn create(wallet_id: Option<&str>, sum: i64) -> Command {
    command(
        Route::create_wallet(),
        Action::Create(CreateWallet {
            wallet_id: wallet_id.map(id),
            owner_id: OwnerId::parse("owner").expect("valid"),
            currency: None,
            initial_balance: Balance::new(sum).expect("valid"),
        }),
    )
}

pub(crate) fn credit(wallet_id: &str, sum: i64) -> Command {
    let wallet_id = id(wallet_id);
    let route = Route::wallet_action(&wallet_id, "credit");
    let memo = Memo::default();
    command(route, Action::Credit(CreditWallet { wallet_id, amount: amount(sum), memo }))
}

pub(crate) fn debit(wallet_id: &str, sum: i64) -> Command {
    let wallet_id = id(wallet_id);
    let route = Route::wallet_action(&wallet_id, "debit");
    let memo = Memo::default();
    command(route, Action::Debit(DebitWallet { wallet_id, amount: amount(sum), memo }))
}

pub(crate) fn transfer(from: &str, to: &str, sum: i64) -> Command {
    let (from, to) = (id(from), id(to));
    let route = Route::wallet_action(&from, "transfer");
    let memo = Memo::default();
    command(route, Action::Transfer(TransferMoney { from, to, amount: amount(sum), memo }))
}

/// `command` with the idempotency key `key`; `asked` stands for the request's content.
pub(crate) fn keyed(mut command: Command, key: &str, asked: u8) -> Command {
    let key = IdempotencyKey::parse(key).expect("valid");
    command.idempotency = Some(KeyedRequest { key, request_hash: RequestHash([asked; 32]) });
    command
}
