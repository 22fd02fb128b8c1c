//! The history is proved to be what was written: on a live server, from an export, and after somebody was at
//! the tables.

use serde_json::{Value, json};
use wallex_testkit::{Inspector, Server, ServerBuilder, TempDatabase, on_both_databases};

use crate::support::create;

on_both_databases!(
    a_history_is_exported_signed_and_verified_without_its_database,
    an_edited_event_and_a_cut_history_are_found,
);

/// How a command ended, and what it printed.
async fn run(database: Option<&TempDatabase>, arguments: &[&str]) -> (i32, String) {
    let nowhere = "postgres://nobody@127.0.0.1:1/nothing";
    let url = database.map_or(nowhere, |database| database.url());
    let command = ServerBuilder::new(arguments).env("DATABASE_URL", url);
    let mut command = command.env("WALLEX_LOG", "error").spawn();
    let status = command.wait().await;
    (status.code().expect("it ended by itself"), command.logs())
}

/// A folder, and a way to name what is in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

async fn with_history(database: &TempDatabase) -> Server {
    let server = Server::start(database).await;
    let client = server.client();
    create(client, "a", 100).await;
    create(client, "b", 100).await;
    for _ in 0..3 {
        let body = json!({ "amount": 5, "description": "Zoë \"rent\"" });
        client.post("/wallets/a/credit", &body).await.is(200);
        let body = json!({ "toWalletId": "b", "amount": 7 });
        client.post("/wallets/a/transfer", &body).await.is(200);
    }
    server
}

async fn a_history_is_exported_signed_and_verified_without_its_database(database: TempDatabase) {
    let server = with_history(&database).await;
    let (folder, here) = (Folder::new(), Some(&database));
    let (key, export) = (folder.path("key"), folder.path("export"));
    let public = format!("{key}.pub");
    assert_eq!(run(None, &["verify", "--generate-key", &key]).await.0, 0);
    assert_eq!(run(None, &["verify", "--generate-key", &key]).await.0, 1, "none is overwritten");
    let (code, printed) =
        run(here, &["verify", "--export", &export, "--signing-key", &key, "--quiet"]).await;
    assert_eq!(code, 0, "{printed}");
    assert!(printed.contains("the history is whole"), "{printed}");
    let offline = ["verify", "--offline", &export, "--public-key", &public, "--quiet"];
    let (code, printed) = run(None, &offline).await;
    assert_eq!(code, 0, "{printed}");
    assert!(printed.starts_with("verified 11 events of 2 wallets"), "{printed}");

    // What the API shows is what was exported.
    let events = server.client().get("/wallets/a/events").await.is(200);
    let hashes = events["items"].as_array().expect("a list").iter().map(|event| &event["hash"]);
    let lines = std::fs::read_to_string(format!("{export}/events-0000.jsonl")).expect("read");
    let lines: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_a = lines.iter().filter(|line| line["walletId"] == "a").map(|line| &line["hash"]);
    assert!(hashes.eq(of_a));

    // Commands go on; the later history begins with the earlier one.
    create(server.client(), "c", 1).await;
    let checkpoint = format!("{export}/checkpoint.json");
    let against = ["verify", "--against", &checkpoint, "--public-key", &public, "--quiet"];
    assert_eq!(run(here, &against).await.0, 0);
    let later = folder.path("later");
    run(here, &["verify", "--export", &later, "--signing-key", &key, "--quiet"]).await;
    let since =
        ["verify", "--offline", &later, "--public-key", &public, "--since", &checkpoint, "--quiet"];
    assert_eq!(run(None, &since).await.0, 0);

    let file = format!("{later}/events-0000.jsonl");
    let text = std::fs::read_to_string(&file).expect("read");
    std::fs::write(&file, text.replacen("Zoë", "Zoe", 1)).expect("written");
    let (code, printed) = run(None, &[&since[..], &["--json"]].concat()).await;
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("\"whole\": false"), "{printed}");
}

async fn an_edited_event_and_a_cut_history_are_found(database: TempDatabase) {
    drop(with_history(&database).await);
    let (folder, here) = (Folder::new(), Some(&database));
    let (key, export) = (folder.path("key"), folder.path("export"));
    let (public, checkpoint) = (format!("{key}.pub"), format!("{export}/checkpoint.json"));
    run(None, &["verify", "--generate-key", &key]).await;
    run(here, &["verify", "--export", &export, "--signing-key", &key, "--quiet"]).await;
    let against = ["verify", "--against", &checkpoint, "--public-key", &public, "--quiet"];
    assert_eq!(run(here, &against).await.0, 0);

    let inspector = Inspector::open(&database).await;
    // The last event of `b` goes, with every trace of it.
    let before = "(SELECT hash FROM events WHERE wallet_id = 'b' AND version = 3)";
    for sql in [
        "DELETE FROM events WHERE wallet_id = 'b' AND version = 4",
        "UPDATE shard_heads SET position = position - 1",
        &format!(
            "UPDATE wallet_streams SET version = 3, balance = 114, last_hash = {before}, \
             updated_at_ms = (SELECT recorded_at_ms FROM events WHERE wallet_id = 'b' \
             AND version = 3) WHERE wallet_id = 'b'"
        ),
    ] {
        inspector.execute(sql).await;
    }
    let (code, printed) = run(here, &["verify", "--quiet"]).await;
    assert_eq!(code, 0, "the chain is whole: {printed}");
    let (code, printed) = run(here, &against).await;
    assert_eq!(code, 1, "{printed}");
    assert!(printed.contains("its end was cut off"), "{printed}");

    inspector
        .execute("UPDATE events SET recorded_at_ms = 7 WHERE wallet_id = 'a' AND version = 3")
        .await;
    for command in ["verify", "drift"] {
        let (code, printed) = run(here, &[command, "--quiet"]).await;
        assert_eq!(code, 1, "{command}: {printed}");
        assert!(printed.contains("it, or the event before it, was changed"), "{printed}");
    }
    let unproved = folder.path("unproved");
    assert_eq!(run(here, &["verify", "--export", &unproved, "--quiet"]).await.0, 1);
    let written = std::fs::exists(format!("{unproved}/checkpoint.json")).expect("known");
    assert!(!written, "nobody vouches for it");
}
