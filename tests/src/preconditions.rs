//! `If-Match` on credit, debit and transfer.

use serde_json::{Value, json};
use wallex_testkit::{Inspector, Request, Server, TempDatabase, on_both_databases};

use crate::support::{all_at_once, balance, count, with_wallets};

on_both_databases!(
    command_on_the_named_version_is_done,
    command_on_another_version_is_not_done,
    malformed_if_match_is_refused,
    one_of_many_commands_on_one_version_wins,
    unknown_wallet_is_not_found_before_its_version_is_looked_at,
);

/// The three commands that can be conditional, each on wallet `w`.
fn commands(server: &Server) -> [Request; 3] {
    let post =
        |action: &str, body: Value| server.client().post(&format!("/wallets/w/{action}"), &body);
    [
        post("credit", json!({ "amount": 1 })),
        post("debit", json!({ "amount": 1 })),
        post("transfer", json!({ "amount": 1, "toWalletId": "other" })),
    ]
}

async fn command_on_the_named_version_is_done(database: TempDatabase) {
    let server = with_wallets(&database).await;
    for (version, command) in (1..).zip(commands(&server)) {
        let answer = command.if_match(&format!("\"{version}\"")).await;
        answer.is(200);
        assert_eq!(answer.header("etag"), Some(&*format!("\"{}\"", version + 1)));
    }
    for (version, condition) in (4..).zip(["*", "\"17\", \"5\"", "\"nonsense\",\"6\""]) {
        let credit = server.client().post("/wallets/w/credit", &json!({ "amount": 1 }));
        assert_eq!(credit.if_match(condition).await.is(200)["version"], version + 1);
    }
}

async fn command_on_another_version_is_not_done(database: TempDatabase) {
    let server = with_wallets(&database).await;
    server.client().post("/wallets/w/credit", &json!({ "amount": 1 })).await.is(200);
    // A weak tag never matches (RFC 9110 section 13.1.1), nor does one that was never given.
    for condition in ["\"1\"", "\"3\"", "\"1\", \"3\"", "W/\"2\"", "\"02\"", "\"\"", "\"two\""] {
        for command in commands(&server) {
            command.if_match(condition).await.is_problem(412, "precondition-failed");
        }
    }
    let wallets = Inspector::open(&database).await.audit().await;
    assert_eq!((wallets["w"].events.len(), wallets["other"].events.len()), (2, 1));
}

async fn malformed_if_match_is_refused(database: TempDatabase) {
    let server = with_wallets(&database).await;
    for condition in ["1", "\"1", "1\"", "\"1\" \"2\"", "*, \"1\"", "w/\"1\"", "\"1\";\"2\""] {
        for command in commands(&server) {
            command.if_match(condition).await.is_problem(400, "validation-failed");
        }
    }
    assert_eq!(balance(server.client(), "w").await, 100);
}

async fn one_of_many_commands_on_one_version_wins(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let credits = (0..50).map(|_| {
        let credit = server.client().post("/wallets/w/credit", &json!({ "amount": 1 }));
        credit.if_match("\"1\"").into_future()
    });
    let answers = all_at_once(credits).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!((count(&statuses, 200), count(&statuses, 412)), (1, 49), "{statuses:?}");
    assert_eq!(balance(server.client(), "w").await, 101);
}

async fn unknown_wallet_is_not_found_before_its_version_is_looked_at(database: TempDatabase) {
    let server = with_wallets(&database).await;
    let credit = server.client().post("/wallets/nobody/credit", &json!({ "amount": 1 }));
    credit.if_match("\"1\"").await.is_problem(404, "wallet-not-found");
}
