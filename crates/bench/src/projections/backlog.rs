//! Events that no projector has seen yet: half of them create wallets, half credit one of those
//! that are there by then.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use tokio::task::JoinSet;
use tokio::time::Instant;
use uuid::Uuid;

use crate::http::HttpClient;
use crate::load::{Client, per_second};
use crate::server;
use crate::tables::Tables;
use crate::wallet::{INITIAL_BALANCE, NewWallets, mix};

/// The more there are, the larger the server's batches: nobody measures this.
const CONNECTIONS: usize = 256;
/// What a credit brings, in minor units.
const CREDIT: u64 = 1;

/// What was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub(crate) wallets: u64,
    pub(crate) credits: u64,
}

impl Backlog {
    /// One for each command.
    pub(crate) const fn events(self) -> u64 {
        self.wallets + self.credits
    }

    /// Σ balances, in minor units.
    pub(crate) const fn money(self) -> u64 {
        self.wallets * INITIAL_BALANCE + self.credits * CREDIT
    }
}

/// Has a server without projectors take `events` commands on the database at `url`.
pub(crate) async fn fill(url: &str, wallets: &NewWallets, events: u64) -> Result<Backlog> {
    let server = server::start_without_projectors(url).await;
    let began = Instant::now();
    let shared = Rc::new(Shared {
        wallets: wallets.clone(),
        events,
        begun: Cell::new(0),
        created: RefCell::default(),
        credits: Cell::new(0),
    });
    let mut tasks = JoinSet::new();
    for client in server::connect(&server, CONNECTIONS).await? {
        tasks.spawn_local(drive(client, Rc::clone(&shared)));
    }
    while let Some(ended) = tasks.join_next().await {
        ended?.with_context(|| server::said(&server))?;
    }
    let created = shared.created.borrow().len().try_into().context("a count")?;
    let backlog = Backlog { wallets: created, credits: shared.credits.get() };
    let rate = per_second(backlog.events(), began.elapsed());
    eprintln!("backlog of {} events, written at {rate:.0} events/s", backlog.events());
    server::stop(server).await?;
    check(url, backlog).await?;
    Ok(backlog)
}

/// Fails unless there is an event for each command, and nothing is projected.
async fn check(url: &str, backlog: Backlog) -> Result<()> {
    let tables = Tables::open(url).await?;
    let expected = [
        ("SELECT count(*) FROM events", backlog.events()),
        ("SELECT sum(position) FROM shard_heads", backlog.events()),
        ("SELECT sum(balance) FROM wallet_streams", backlog.money()),
        ("SELECT max(position) FROM projector_checkpoints", 0),
    ];
    for (sql, expected) in expected {
        let found = tables.number(sql).await?;
        ensure!(found == expected, "{sql}: {found}, after commands that make {expected}");
    }
    tables.close().await
}

struct Shared {
    wallets: NewWallets,
    events: u64,
    begun: Cell<u64>,
    created: RefCell<Vec<Uuid>>,
    credits: Cell<u64>,
}

async fn drive(mut client: HttpClient, shared: Rc<Shared>) -> Result<()> {
    loop {
        let number = shared.begun.get();
        if number == shared.events {
            return Ok(());
        }
        shared.begun.set(number + 1);
        let wallet = shared.wallets.next();
        let credited =
            if number.is_multiple_of(2) { None } else { any(&shared.created.borrow(), number) };
        if let Some(id) = credited {
            client.credit(id, wallet.key, CREDIT).await?;
            shared.credits.set(shared.credits.get() + 1);
        } else {
            client.create(&wallet).await?;
            shared.created.borrow_mut().push(wallet.id);
        }
    }
}

/// One of `created`, old or new; which, looks random and is the same for the same `number`.
fn any(created: &[Uuid], number: u64) -> Option<Uuid> {
    let count = u64::try_from(created.len()).ok().filter(|count| *count > 0)?;
    created.get(usize::try_from(mix(number) % count).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn credits_go_to_old_wallets_and_new() {
        let created: Vec<_> = (0..10).map(Uuid::from_u128).collect();
        assert_eq!(any(&[], 7), None);
        let hit: HashSet<_> = (0..200).filter_map(|number| any(&created, number)).collect();
        assert_eq!(hit.len(), created.len());
    }

    #[test]
    fn money_is_what_was_brought_in() {
        let backlog = Backlog { wallets: 3, credits: 4 };
        assert_eq!((backlog.events(), backlog.money()), (7, 304));
    }
}
