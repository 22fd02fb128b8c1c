//! Reads that wait together are one statement.
//!
//! A wallet that is read alone costs a round trip, a turn in the pool and a statement; of sixty-four that
//! are asked for at once, each costs a sixty-fourth of that and a look into the index. As with commands there is no
//! timer: while one statement runs, the next readers gather.
//!
//! A statement begins after everyone in it has asked, so each sees what was committed before.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use wallex_ports::{NotMigrated, ReadError, StreamState, TooManyReaders, WalletKey, Wallets};

use crate::lane::READ_DEADLINE;

/// Readers that may wait; one more is refused at once.
const WAITING_MAX: usize = 16_384;
/// Readers in one statement.
const BATCH_MAX: usize = 256;

type Answer = Result<Vec<Option<StreamState>>, ReadError>;

struct Asked {
    keys: Vec<WalletKey>,
    reply: oneshot::Sender<Answer>,
}

/// Reads wallets in groups, from other [`Wallets`].
pub struct GroupedWallets {
    queue: mpsc::Sender<Asked>,
}

impl GroupedWallets {
    /// Starts reading from `wallets` on the current Tokio runtime, until this is dropped.
    #[must_use]
    pub fn spawn(wallets: Arc<dyn Wallets>) -> Self {
        let (queue, asked) = mpsc::channel(WAITING_MAX);
        tokio::spawn(run(wallets, asked));
        Self { queue }
    }
}

#[async_trait]
impl Wallets for GroupedWallets {
    async fn load(&self, keys: &[WalletKey]) -> Answer {
        let (reply, answer) = oneshot::channel();
        let asked = Asked { keys: keys.to_vec(), reply };
        self.queue.try_send(asked).map_err(|error| match error {
            TrySendError::Full(_) => ReadError::Unavailable(TooManyReaders.into()),
            TrySendError::Closed(_) => unavailable("the reading has ended"),
        })?;
        answer.await.map_err(|_| unavailable("the reading ended without an answer"))?
    }
}

fn unavailable(why: &str) -> ReadError {
    ReadError::Unavailable(why.into())
}

async fn run(wallets: Arc<dyn Wallets>, mut queue: mpsc::Receiver<Asked>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while queue.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let answering = answer(&*wallets, std::mem::take(&mut batch));
        // A defect that panics must not end all reads after it. Those in the batch are told by their reply,
        // which is dropped.
        if AssertUnwindSafe(answering).catch_unwind().await.is_err() {
            tracing::error!("a read of wallets panicked");
        }
    }
}

/// Answers everyone in `batch` who still waits.
async fn answer(wallets: &dyn Wallets, mut batch: Vec<Asked>) {
    batch.retain(|asked| !asked.reply.is_closed());
    let mut keys: Vec<WalletKey> = batch.iter().flat_map(|asked| &asked.keys).cloned().collect();
    keys.sort_unstable();
    keys.dedup();
    match load(wallets, &keys).await {
        Ok(found) => {
            let found: HashMap<&WalletKey, Option<StreamState>> = keys.iter().zip(found).collect();
            for Asked { keys, reply } in batch {
                let _ = reply.send(Ok(keys.iter().map(|key| found[key].clone()).collect()));
            }
        }
        // A row that can't be understood is the trouble of who asked for it.
        Err(ReadError::Storage(_)) if batch.len() > 1 => {
            for Asked { keys, reply } in batch {
                let _ = reply.send(load(wallets, &keys).await);
            }
        }
        Err(error) => {
            for Asked { reply, .. } in batch {
                let _ = reply.send(Err(same(&error)));
            }
        }
    }
}

async fn load(wallets: &dyn Wallets, keys: &[WalletKey]) -> Answer {
    timeout(READ_DEADLINE, wallets.load(keys))
        .await
        .unwrap_or_else(|elapsed| Err(ReadError::Unavailable(elapsed.into())))
}

/// An error like `error`, for one more reader.
fn same(error: &ReadError) -> ReadError {
    match error {
        ReadError::Unavailable(source) if source.is::<NotMigrated>() => {
            ReadError::Unavailable(NotMigrated.into())
        }
        ReadError::Unavailable(source) => ReadError::Unavailable(source.to_string().into()),
        ReadError::Storage(source) => ReadError::Storage(source.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::Semaphore;
    use wallex_domain::{Balance, Currency, EventHash, OwnerId, Wallet, WalletId};
    use wallex_ports::{Timestamp, WalletState};

    use super::*;

    /// Holds each statement until it is let go, and notes how many keys it had.
    #[derive(Default)]
    struct Held {
        statements: Mutex<Vec<usize>>,
        gate: Option<Semaphore>,
    }

    fn key(id: &str) -> WalletKey {
        WalletKey { tenant: Default::default(), wallet_id: WalletId::parse(id).expect("an id") }
    }

    fn stream(key: &WalletKey) -> StreamState {
        let (owner, usd) = (OwnerId::parse("o").expect("an id"), Currency::parse("USD"));
        let id = key.wallet_id.clone();
        let wallet = Wallet::from_snapshot(id, owner, usd.expect("a code"), Balance::ZERO, 1);
        let at = Timestamp::from_unix_ms(0);
        let state = WalletState { wallet, created_at: at, updated_at: at };
        StreamState { state, last_hash: EventHash::BEFORE_FIRST }
    }

    #[async_trait]
    impl Wallets for Held {
        async fn load(&self, keys: &[WalletKey]) -> Answer {
            self.statements.lock().expect("no panic").push(keys.len());
            if let Some(gate) = &self.gate {
                gate.acquire().await.expect("open").forget();
            }
            assert!(!keys.contains(&key("defect")), "a defect, on purpose");
            if keys.contains(&key("broken")) {
                return Err(ReadError::Storage("no row".into()));
            }
            if keys.contains(&key("unmigrated")) {
                return Err(NotMigrated.into());
            }
            if keys.contains(&key("away")) {
                return Err(ReadError::Unavailable("connection refused".into()));
            }
            let exists = |key: &&WalletKey| key.wallet_id.as_str() != "nobody";
            Ok(keys.iter().map(|key| Some(key).filter(exists).map(stream)).collect())
        }
    }

    async fn ask(
        wallets: &Arc<GroupedWallets>,
        ids: &[&str],
    ) -> Vec<tokio::task::JoinHandle<Answer>> {
        let mut asked = Vec::new();
        for id in ids {
            let (wallets, key) = (Arc::clone(wallets), key(id));
            asked.push(tokio::spawn(async move { wallets.load(&[key]).await }));
            tokio::task::yield_now().await;
        }
        asked
    }

    #[tokio::test]
    async fn who_waits_together_is_read_together_and_each_gets_its_own() {
        let held = Arc::new(Held { gate: Some(Semaphore::new(0)), ..Held::default() });
        let wallets = Arc::new(GroupedWallets::spawn(held.clone()));
        let asked = ask(&wallets, &["a", "b", "nobody", "b", "c"]).await;
        held.gate.as_ref().expect("one").add_permits(100);
        let mut found = Vec::new();
        for answer in asked {
            let state = answer.await.expect("no panic").expect("read").pop().expect("one");
            found.push(state.map(|found| found.state.wallet.id().to_string()));
        }
        let names =
            ["a", "b", "", "b", "c"].map(|id| Some(id.to_owned()).filter(|id| !id.is_empty()));
        assert_eq!(found, names);
        // The first went alone; who came meanwhile went together, each wallet once.
        assert_eq!(*held.statements.lock().expect("no panic"), [1, 3]);
    }

    #[tokio::test]
    async fn a_defect_that_panics_does_not_end_the_reading() {
        let wallets = Arc::new(GroupedWallets::spawn(Arc::new(Held::default())));
        let panicked = wallets.load(&[key("defect")]).await;
        assert!(matches!(panicked, Err(ReadError::Unavailable(_))), "{panicked:?}");
        assert!(wallets.load(&[key("a")]).await.is_ok());
    }

    #[tokio::test]
    async fn one_reader_too_many_is_told_that_it_is_too_many() {
        let wallets = GroupedWallets::spawn(Arc::new(Held::default()));
        // Nothing is taken out meanwhile: the test gives no other task a turn.
        while wallets.queue.capacity() > 0 {
            let (reply, _) = oneshot::channel();
            wallets.queue.try_send(Asked { keys: vec![], reply }).expect("room");
        }
        let refused = wallets.load(&[key("a")]).await.expect_err("there is no room");
        let ReadError::Unavailable(why) = refused else { panic!("{refused:?}") };
        assert!(why.is::<TooManyReaders>(), "{why}");
        tokio::task::yield_now().await;
        assert!(wallets.load(&[key("a")]).await.is_ok(), "there is room again");
    }

    #[tokio::test]
    async fn a_row_that_can_not_be_understood_fails_only_who_asked_for_it() {
        let held = Arc::new(Held { gate: Some(Semaphore::new(0)), ..Held::default() });
        let wallets = Arc::new(GroupedWallets::spawn(held.clone()));
        let asked = ask(&wallets, &["first", "a", "broken", "b"]).await;
        held.gate.as_ref().expect("one").add_permits(100);
        let mut read = Vec::new();
        for answer in asked {
            read.push(answer.await.expect("no panic").is_ok());
        }
        assert_eq!(read, [true, true, false, true]);
    }

    #[tokio::test]
    async fn one_who_asks_alone_is_told_what_the_only_statement_said() {
        let held = Arc::new(Held::default());
        let wallets = GroupedWallets::spawn(held.clone());
        let refused = wallets.load(&[key("broken")]).await;
        assert!(matches!(refused, Err(ReadError::Storage(_))), "{refused:?}");
        assert_eq!(*held.statements.lock().expect("no panic"), [1]);
    }

    #[tokio::test]
    async fn everyone_in_a_statement_is_told_why_it_failed() {
        for (wallet, is_unmigrated) in [("unmigrated", true), ("away", false)] {
            let held = Arc::new(Held { gate: Some(Semaphore::new(0)), ..Held::default() });
            let wallets = Arc::new(GroupedWallets::spawn(held.clone()));
            let asked = ask(&wallets, &["first", "a", wallet]).await;
            held.gate.as_ref().expect("one").add_permits(100);
            for answer in asked.into_iter().skip(1) {
                let refused = answer.await.expect("no panic").expect_err("it failed");
                let ReadError::Unavailable(why) = refused else { panic!("{refused:?}") };
                assert_eq!(why.is::<NotMigrated>(), is_unmigrated, "{why}");
                assert!(is_unmigrated || why.to_string() == "connection refused", "{why}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn reading_ends_with_the_last_who_can_ask() {
        let held = Arc::new(Held::default());
        let alive = Arc::downgrade(&held);
        drop(GroupedWallets::spawn(held));
        let ended = async {
            while alive.strong_count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        timeout(std::time::Duration::from_secs(30), ended).await.expect("nothing reads any more");
    }
}
