//! Two servers on one PostgreSQL: together they are as right as one.

use std::collections::BTreeSet;

use serde_json::json;
use wallex_testkit::{Answer, Client, Inspector, Request, Server, TempDatabase, block_on};

use crate::support::{all_at_once, balance, count, create, opening};

/// The two, on a fresh database.
struct Nodes {
    database: TempDatabase,
    one: Server,
    two: Server,
}

impl Nodes {
    async fn start() -> Self {
        let database = TempDatabase::postgres().await;
        // At the same time: the second waits while the first migrates.
        let (one, two) = tokio::join!(Server::start(&database), Server::start(&database));
        Self { database, one, two }
    }

    fn clients(&self) -> [&Client; 2] {
        [self.one.client(), self.two.client()]
    }

    /// `n` requests at the same time, every other one to the other node.
    async fn race(&self, n: usize, request: impl Fn(&Client, usize) -> Request) -> Vec<Answer> {
        let clients = self.clients();
        all_at_once((0..n).map(|i| request(clients[i % 2], i).into_future())).await
    }

    async fn inspector(&self) -> Inspector {
        Inspector::open(&self.database).await
    }
}

fn credit(client: &Client, wallet: &str, amount: i64) -> Request {
    client.post(&format!("/wallets/{wallet}/credit"), &json!({ "amount": amount }))
}

fn debit(client: &Client, wallet: &str, amount: i64) -> Request {
    client.post(&format!("/wallets/{wallet}/debit"), &json!({ "amount": amount }))
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    answers.iter().map(|answer| answer.status.as_u16()).collect()
}

/// Checks that all answers are one answer, given once and replayed to the others.
#[track_caller]
fn one_answer(answers: &[Answer], status: u16) {
    assert_eq!(statuses(answers), vec![status; answers.len()]);
    assert!(answers.iter().all(|answer| answer.repeatable() == answers[0].repeatable()));
    let firsts = answers.iter().filter(|answer| !answer.is_replay()).count();
    assert_eq!(firsts, 1, "one is the first, the others repeat it");
}

#[test]
fn one_key_200_times_has_one_effect_and_one_answer() {
    block_on(async {
        let nodes = Nodes::start().await;
        create(nodes.one.client(), "w", 100).await;

        let credits = nodes.race(200, |client, _| credit(client, "w", 7).key("key-1")).await;
        one_answer(&credits, 200);
        // The id is the server's: a second effect would be a second wallet.
        let opening = json!({ "ownerId": "owner-1", "initialBalance": 5 });
        let created =
            nodes.race(200, |client, _| client.post("/wallets", &opening).key("key-1")).await;
        one_answer(&created, 201);
        // A refusal is an answer, too, and stays it.
        let refused = nodes.race(200, |client, _| debit(client, "w", 500).key("key-1")).await;
        one_answer(&refused, 422);

        let inspector = nodes.inspector().await;
        assert_eq!(inspector.counts().await.idempotency_keys, 3);
        let wallets = inspector.audit().await;
        assert_eq!((wallets.len(), wallets["w"].balance()), (2, 107));
    });
}

#[test]
fn one_wallet_drained_from_both_sides_pays_out_exactly_what_it_holds() {
    block_on(async {
        let nodes = Nodes::start().await;
        create(nodes.one.client(), "w", 1_000).await;
        let answers = nodes.race(400, |client, _| debit(client, "w", 7)).await;

        let statuses = statuses(&answers);
        let paid = 1_000 / 7;
        assert_eq!((count(&statuses, 200), count(&statuses, 422)), (paid, 400 - paid));
        let versions: BTreeSet<_> = answers
            .iter()
            .filter(|answer| answer.status == 200)
            .map(|answer| answer.json()["version"].as_u64())
            .collect();
        assert_eq!(versions.len(), paid, "each success is of its own version");
        for client in nodes.clients() {
            assert_eq!(balance(client, "w").await, 1_000 % 7);
        }
        assert_eq!(nodes.inspector().await.audit().await["w"].balance(), 1_000 % 7);
    });
}

#[test]
fn transfers_through_both_sides_lose_and_make_nothing() {
    block_on(async {
        let nodes = Nodes::start().await;
        let ids = ["red", "green", "blue", "grey"];
        for id in ids {
            create(nodes.one.client(), id, 20).await;
        }
        let answers = nodes
            .race(400, |client, i| {
                let (from, to) = (ids[i / 2 % 4], ids[(i / 2 + 1 + i / 8 % 3) % 4]);
                let body = json!({ "toWalletId": to, "amount": 3 });
                client.post(&format!("/wallets/{from}/transfer"), &body)
            })
            .await;
        let statuses = statuses(&answers);
        assert_eq!(count(&statuses, 200) + count(&statuses, 422), 400, "{statuses:?}");
        let wallets = nodes.inspector().await.audit().await;
        assert_eq!(wallets.values().map(|wallet| wallet.balance()).sum::<i64>(), 4 * 20);
        let legs: usize = wallets.values().map(|wallet| wallet.events.len() - 1).sum();
        assert_eq!(legs, 2 * count(&statuses, 200), "what was answered is what was done");
    });
}

#[test]
fn what_one_node_acknowledged_the_other_never_denies() {
    block_on(async {
        let nodes = Nodes::start().await;
        let [one, two] = nodes.clients();
        for round in 0..20 {
            let wallet = format!("w-{round}");
            let (here, there) = if round % 2 == 0 { (one, two) } else { (two, one) };
            // The other node is made to know what will be stale: that there is no wallet, then that
            // it is poor, then its version.
            debit(there, &wallet, 10).await.is_problem(404, "wallet-not-found");
            there.get(&format!("/wallets/{wallet}")).await.is_problem(404, "wallet-not-found");
            create(here, &wallet, 0).await;
            debit(there, &wallet, 10).await.is_problem(422, "insufficient-funds");
            for step in 0..4 {
                // With a key and without: they are verified on different ways.
                let key = format!("key-{step}");
                let keyed =
                    |request: Request| if step % 2 == 0 { request } else { request.key(&key) };
                assert_eq!(keyed(credit(here, &wallet, 10)).await.is(200)["balance"], 10);
                // What a node wrote itself is what it remembers best: here that nothing is left.
                assert_eq!(keyed(debit(there, &wallet, 10)).await.is(200)["balance"], 0);
                let credited = credit(here, &wallet, 1).await;
                let etag = credited.header("etag").expect("an etag");
                let conditional = debit(there, &wallet, 1).if_match(etag);
                assert_eq!(conditional.await.is(200)["balance"], 0);
            }
            assert_eq!(balance(here, &wallet).await, 0);
        }
        nodes.inspector().await.audit().await;
    });
}

#[test]
fn top_ups_and_debits_race_without_a_false_refusal() {
    block_on(async {
        let nodes = Nodes::start().await;
        let [one, two] = nodes.clients().map(Client::clone);
        create(&one, "w", 0).await;
        // Each pair tops up through one node and, once that is acknowledged, takes as much out
        // through the other: whatever the other pairs do, there is enough.
        let pairs = (0..60).map(|pair| {
            let (here, there) =
                if pair % 2 == 0 { (one.clone(), two.clone()) } else { (two.clone(), one.clone()) };
            async move {
                credit(&here, "w", 10).await.is(200);
                debit(&there, "w", 10).await.status.as_u16()
            }
        });
        let statuses = all_at_once(pairs).await;
        assert_eq!(count(&statuses, 200), 60, "{statuses:?}");
        assert_eq!(nodes.inspector().await.audit().await["w"].balance(), 0);
    });
}

#[test]
fn one_wallet_created_on_both_sides_is_one_wallet() {
    block_on(async {
        let nodes = Nodes::start().await;
        for round in 0..10 {
            let id = format!("w-{round}");
            let answers = nodes
                .race(20, |client, i| {
                    let owner_balance = i64::try_from(i).expect("a small number");
                    client.post("/wallets", &opening(&id, owner_balance))
                })
                .await;
            let statuses = statuses(&answers);
            assert_eq!((count(&statuses, 201), count(&statuses, 409)), (1, 19), "{statuses:?}");
            let winner = answers.iter().find(|answer| answer.status == 201).expect("one");
            for client in nodes.clients() {
                assert_eq!(client.get(&format!("/wallets/{id}")).await.is(200), winner.json());
            }
        }
        assert_eq!(nodes.inspector().await.audit().await.len(), 10);
    });
}
