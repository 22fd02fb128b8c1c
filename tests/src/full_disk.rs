//! A disk that is full, and freed: no acknowledged command is lost, and no restart is needed.

use serde_json::json;
use wallex_testkit::{
    Client, Inspector, Server, ServerBuilder, TempDatabase, block_on, eventually,
};

/// Far more wallets than fit on the full disk.
const WALLETS_MAX: usize = 50_000;
/// Creations that are tried while it is full.
const TRIES_WHILE_FULL: usize = 50;

async fn try_create(client: &Client, id: &str) -> u16 {
    let body = json!({ "walletId": id, "ownerId": "owner", "initialBalance": 1 });
    client.post("/wallets", &body).key(id).try_send().await.expect("an answer").status.as_u16()
}

/// SQLite rolls back by itself when the disk is full, behind its driver's back: what is said to be
/// committed from then on must be.
#[test]
fn a_full_disk_makes_no_acknowledged_command_a_lie_and_is_recovered_from() {
    block_on(async {
        let database = TempDatabase::sqlite();
        // The schema is there before the disk is full.
        let mut server = Server::start(&database).await;
        server.terminate();
        server.wait().await;
        let mut server = ServerBuilder::on(&database).on_a_full_disk().start().await;
        let client = server.client().clone();
        let mut acknowledged = Vec::new();
        let mut refused = 0;
        for i in 0..WALLETS_MAX {
            let id = format!("w-{i}");
            match try_create(&client, &id).await {
                201 => {
                    acknowledged.push(id.clone());
                    client.get(&format!("/wallets/{id}")).await.is(200);
                }
                status => {
                    assert_eq!(status, 503, "{id}");
                    refused += 1;
                }
            }
            if refused > TRIES_WHILE_FULL {
                break;
            }
        }
        assert!(refused > TRIES_WHILE_FULL, "the disk was full at last");
        server.free_the_disk();
        eventually("commands are done again", async || {
            (try_create(&client, "after").await == 201).then_some(())
        })
        .await;
        acknowledged.push("after".to_owned());
        server.kill_nine();
        let _server = Server::start(&database).await;
        let there = Inspector::open(&database).await.audit().await;
        let lost: Vec<_> = acknowledged.iter().filter(|id| !there.contains_key(*id)).collect();
        assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    });
}
