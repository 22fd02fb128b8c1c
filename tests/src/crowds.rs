//! Very many connections, or requests on one: served, with bounded memory, and then it is as before.

use wallex_testkit::corpus::{self, crowd};
use wallex_testkit::{
    Server, ServerBuilder, TempDatabase, allow_many_files, eventually, on_both_databases,
};

use crate::support::balance;

on_both_databases!(
    ten_thousand_connections_are_served,
    a_thousand_pipelined_requests_are_answered_in_order,
    one_address_has_no_more_connections_than_it_may,
);

const CONNECTIONS: usize = 10_000;
/// What one connection may hold while it waits.
const CONNECTION_BYTES_MAX: u64 = 64 * 1024;

async fn ten_thousand_connections_are_served(database: TempDatabase) {
    // The server gets the limit of whoever starts it.
    allow_many_files().expect("many files");
    // Twenty thousand lines are more than a test should read.
    let server =
        ServerBuilder::on(&database).env("WALLEX_LOG", "warn,wallex::serve=info").start().await;
    let files = server.open_files();
    let before = server.resident_bytes();
    let crowd = crowd::connections(server.address(), CONNECTIONS);
    crowd.await.expect("a run").assert_clean();
    let grown = server.resident_bytes().saturating_sub(before) / CONNECTIONS as u64;
    assert!(grown < CONNECTION_BYTES_MAX, "a connection holds {grown} bytes");
    corpus::prepare(server.address()).await.expect("the wallets");
    assert_eq!(balance(server.client(), corpus::WALLET).await, 100);
    // A few more than at the start: those of the client and of the pools.
    eventually("the connections are gone", async || {
        (server.open_files() < files + 50).then_some(())
    })
    .await;
}

async fn a_thousand_pipelined_requests_are_answered_in_order(database: TempDatabase) {
    let server = Server::start(&database).await;
    corpus::prepare(server.address()).await.expect("the wallets");
    crowd::pipeline(server.address(), 1_000).await.expect("a run").assert_clean();
}

async fn one_address_has_no_more_connections_than_it_may(database: TempDatabase) {
    let builder = ServerBuilder::on(&database);
    let server = builder.env("WALLEX_HTTP_CONNECTIONS_PER_ADDRESS_MAX", "20").start().await;
    let report = crowd::connections(server.address(), 40).await.expect("a run");
    // A few places may be taken by the test's own connections.
    assert!((20..=25).contains(&report.violations.len()), "{:?}", report.violations);
    eventually("there are places again", async || {
        server.client().get("/livez").try_send().await.ok()
    })
    .await;
}
