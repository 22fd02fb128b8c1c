//! Clients that go away in mid-request: nothing leaks, and every key tells what became of it.

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use wallex_testkit::{
    Backend, Inspector, Server, ServerBuilder, TempDatabase, eventually, on_both_databases,
};

use crate::support::{all_at_once, balance, with_wallets};

on_both_databases!(
    clients_that_hang_up_leak_nothing_and_their_keys_resolve,
    server_full_of_hung_up_clients_stops_in_order,
);

const CLIENTS: usize = 400;

/// The whole text of a credit of 1 to the wallet `w`.
fn credit(key: usize) -> String {
    let body = r#"{"amount":1}"#;
    format!(
        "POST /wallets/w/credit HTTP/1.1\r\nHost: wallex\r\nContent-Type: application/json\r\n\
         Idempotency-Key: key-{key}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Sends a credit, or a part of one, and hangs up without having read a byte.
async fn hang_up(address: String, key: usize) {
    let mut socket = TcpStream::connect(&address).await.expect("a connection");
    let request = credit(key);
    // Every fourth is cut: in the body, in the head, or behind the first of two requests.
    let sent = match key % 12 {
        0 => request[..request.len() - 3].to_owned(),
        4 => request[..40].to_owned(),
        8 => format!("{request}{}", &credit(key)[..60]),
        _ => request,
    };
    // The server may have hung up on us by then, which is as well.
    socket.write_all(sent.as_bytes()).await.ok();
    if key.is_multiple_of(2) {
        // Gone with a reset instead of a farewell.
        socket.set_zero_linger().expect("linger");
    }
}

async fn all_hang_up(server: &Server) {
    let address = server.address().to_owned();
    all_at_once((0..CLIENTS).map(|key| hang_up(address.clone(), key))).await;
}

async fn clients_that_hang_up_leak_nothing_and_their_keys_resolve(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let client = server.client();
    all_hang_up(&server).await;

    // Each key resolves, to one effect.
    let mut done = Vec::new();
    for key in 0..CLIENTS {
        let credit = client.post("/wallets/w/credit", &json!({ "amount": 1 }));
        let answer = credit.key(&format!("key-{key}")).await;
        done.push(answer.is(200)["version"].as_u64().expect("a version"));
    }
    done.sort_unstable();
    done.dedup();
    assert_eq!(done.len(), CLIENTS, "each key has an effect of its own");
    let expected = 100 + i64::try_from(CLIENTS).expect("a small number");
    assert_eq!(balance(client, "w").await, expected);

    let inspector = Inspector::open(&database).await;
    assert_eq!(inspector.audit().await["w"].balance(), expected);
    if database.backend() == Backend::Postgres {
        eventually("no transaction is left open", async || {
            let open = inspector
                .number(
                    "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = \
                     current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL",
                )
                .await;
            (open == 0).then_some(())
        })
        .await;
    }
}

async fn server_full_of_hung_up_clients_stops_in_order(database: TempDatabase) {
    let builder = ServerBuilder::on(&database);
    let mut server = builder.start().await;
    let opening = json!({ "walletId": "w", "ownerId": "owner-1", "initialBalance": 0 });
    server.client().post("/wallets", &opening).await.is(201);
    all_hang_up(&server).await;
    server.terminate();
    assert_eq!(server.wait().await.code(), Some(0), "{}", server.logs());
    Inspector::open(&database).await.audit().await;
}
