//! What the projections answer: how new it is, and what is waited for.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;

pub(super) const POSITION: &str = "wallex-projection-position";
/// A transfer that nobody made.
const NO_TRANSFER: &str = "/transfers/01890a5d-ac96-774b-bcce-b302099a8057";

impl Harness {
    /// With time to wait for projections that go on, or hardly any for those that do not.
    fn waiting(wait: Duration) -> Self {
        let mut harness = Self::new();
        harness.settings.projection_wait = wait;
        harness
    }

    pub(super) fn patient() -> Self {
        Self::waiting(Duration::from_secs(600))
    }

    fn impatient() -> Self {
        Self::waiting(Duration::from_millis(5))
    }

    pub(super) fn waits(&self) -> u64 {
        self.projections.waits.load(Ordering::SeqCst)
    }
}

impl Reply {
    #[track_caller]
    pub(super) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    /// Checks that it is the 504 of a projection at `position`.
    #[track_caller]
    fn is_behind(&self, position: &str) -> String {
        let problem = self.problem(504, "projection-behind");
        assert_eq!(self.header("retry-after"), Some("1"));
        assert_eq!(self.header(POSITION), Some(position));
        problem["detail"].as_str().expect("a detail").to_owned()
    }
}

impl Client {
    /// Two wallets and a transfer between them, of positions 3 and 4; its id.
    pub(super) async fn transferred(&self) -> String {
        self.open("a", 100).await;
        self.open("b", 0).await;
        let body = json!({"toWalletId": "b", "amount": 30, "reference": "r-1", "description": ""});
        let transfer = self.post("/wallets/a/transfer", &body).await.ok();
        transfer["transferId"].as_str().expect("an id").to_owned()
    }
}

#[actix_web::test]
async fn eventual_wallet_is_the_read_models() {
    let harness = Harness::impatient();
    let client = harness.start().await;
    client.open("w-1", 10).await;
    client.post("/wallets/w-1/credit", &json!({"amount": 5})).await.ok();
    let current = client.get("/wallets/w-1?consistency=current").await;
    let eventual = client.get("/wallets/w-1?consistency=eventual").await;
    assert_eq!(eventual.ok(), current.ok());
    assert_eq!(eventual.header("etag"), Some("\"2\""));
    assert_eq!(eventual.header("cache-control"), Some("no-store"));
    assert_eq!(eventual.header(POSITION), Some("0:2"));
    assert_eq!(current.header(POSITION), None);

    harness.projections.hold_at(1);
    let eventual = client.get("/v1/wallets/w-1?consistency=eventual").await;
    assert_eq!(
        (eventual.ok()["version"].as_u64(), eventual.header(POSITION)),
        (Some(1), Some("0:1"))
    );
    assert_eq!(eventual.header("etag"), Some("\"1\""));
    assert_eq!(client.get("/wallets/w-1").await.ok()["version"], 2);
    assert_eq!(harness.waits(), 0);
}

#[actix_web::test]
async fn version_that_is_asked_for_is_waited_for() {
    let harness = Harness::patient();
    let client = harness.start().await;
    client.open("w-1", 10).await;
    client.post("/wallets/w-1/credit", &json!({"amount": 5})).await.ok();
    for path in ["/wallets/w-1?consistency=eventual&", "/wallets/w-1/ledger?"] {
        let path = format!("{path}minVersion=2");
        harness.projections.hold_at(1);
        harness.projections.go_on_after(3);
        let before = harness.waits();
        let reply = client.get(&path).await;
        reply.ok();
        assert_eq!(reply.header(POSITION), Some("0:2"));
        assert_eq!(harness.waits() - before, 3);
        client.get(&path).await.ok();
        assert_eq!(harness.waits() - before, 3, "what is there is not waited for");
    }
}

#[actix_web::test]
async fn version_that_there_is_not_yet_is_a_504_at_once_that_says_how_far_it_is() {
    let harness = Harness::impatient();
    let client = harness.start().await;
    client.open("w-1", 10).await;
    for path in ["/wallets/w-1?consistency=eventual&", "/wallets/w-1/ledger?"] {
        let detail = client.get(&format!("{path}minVersion=7")).await.is_behind("0:1");
        assert!(detail.contains("version 1") && detail.contains("version 7"), "{detail}");
    }
    let greatest = format!("/wallets/w-1?consistency=eventual&minVersion={}", (1_u64 << 53) - 1);
    client.get(&greatest).await.is_behind("0:1");
    assert_eq!(harness.waits(), 0, "no projection will show it");
}

#[actix_web::test]
async fn wallet_that_was_just_created_is_waited_for_and_never_not_found() {
    let harness = Harness::patient();
    let client = harness.start().await;
    client.open("w-1", 10).await;
    for path in ["/wallets/w-1?consistency=eventual", "/wallets/w-1/ledger"] {
        harness.projections.hold_at(0);
        harness.projections.go_on_after(2);
        client.get(path).await.ok();
    }
    let harness = Harness::impatient();
    let client = harness.start().await;
    client.open("w-1", 10).await;
    harness.projections.hold_at(0);
    for path in ["/wallets/w-1?consistency=eventual", "/wallets/w-1/ledger?type=debit"] {
        let detail = client.get(path).await.is_behind("0:0");
        assert!(detail.contains("does not have the wallet yet"), "{detail}");
    }
}

#[actix_web::test]
async fn wallet_that_nobody_created_is_not_waited_for() {
    let harness = Harness::patient();
    let client = harness.start().await;
    for path in [
        "/wallets/nobody?consistency=eventual",
        "/wallets/nobody?consistency=eventual&minVersion=3",
        "/wallets/nobody/ledger",
        "/wallets/nobody/ledger?minVersion=3&cursor=AwAAAAAAAAAy",
    ] {
        let reply = client.get(path).await;
        reply.problem(404, "wallet-not-found");
    }
    assert_eq!(harness.waits(), 0);
}

#[actix_web::test]
async fn min_version_is_for_eventual_reads() {
    let client = Client::new().await;
    client.open("w-1", 0).await;
    for query in ["minVersion=1", "consistency=current&minVersion=1"] {
        let reply = client.get(&format!("/wallets/w-1?{query}")).await;
        let problem = reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["minVersion"]);
        assert!(problem["errors"][0]["detail"].to_string().contains("consistency=eventual"));
    }
    for bad in ["0", "-1", "+1", "%2B1", "1.0", "", "x", "9007199254740992", "1&minVersion=1"] {
        for path in ["/wallets/w-1?consistency=eventual&", "/wallets/w-1/ledger?"] {
            let reply = client.get(&format!("{path}minVersion={bad}")).await;
            reply.problem(400, "validation-failed");
            assert_eq!(reply.places(), ["minVersion"], "{bad}");
        }
    }
    for bad in ["strong", "", "EVENTUAL", "%FF"] {
        let reply = client.get(&format!("/wallets/w-1?consistency={bad}")).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["consistency"], "{bad}");
    }
}

#[actix_web::test]
async fn transfer_is_read_with_both_legs() {
    let client = Client::new().await;
    let id = client.transferred().await;
    let reply = client.get(&format!("/transfers/{}", id.to_uppercase())).await;
    assert_eq!(reply.header(POSITION), Some("0:4"));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let line = async |wallet: &str| {
        client.get(&format!("/wallets/{wallet}/ledger?limit=1")).await.ok()["items"][0].clone()
    };
    assert_eq!(
        reply.ok(),
        json!({
            "transferId": id, "currency": "USD", "amount": 30, "description": "",
            "reference": "r-1", "recordedAt": "2026-01-01T00:00:00.007Z",
            "from": line("a").await, "to": line("b").await,
        })
    );
}

#[actix_web::test]
async fn transfer_that_is_not_projected_yet_is_waited_for() {
    let harness = Harness::patient();
    let client = harness.start().await;
    let path = format!("/transfers/{}", client.transferred().await);
    for legs_at in [2, 3] {
        harness.projections.hold_at(legs_at);
        harness.projections.go_on_after(2);
        client.get(&path).await.ok();
    }
}

#[actix_web::test]
async fn transfer_whose_legs_do_not_come_is_a_504() {
    let harness = Harness::impatient();
    let client = harness.start().await;
    let path = format!("/transfers/{}", client.transferred().await);
    harness.projections.hold_at(2);
    client.get(&path).await.is_behind("0:2");
    harness.projections.hold_at(3);
    let detail = client.get(&path).await.is_behind("0:3");
    assert!(detail.contains("both legs"), "{detail}");
}

#[actix_web::test]
async fn leg_that_was_left_out_by_hand_is_null_once_the_ledger_has_caught_up() {
    let harness = Harness::patient();
    let client = harness.start().await;
    let path = format!("/transfers/{}", client.transferred().await);
    let whole = client.get(&path).await.ok();
    let leave_out = |positions: &[u64]| {
        *harness.projections.left_out.lock().expect("sound") = positions.to_vec();
    };
    for (position, missing, there) in [(3, "from", "to"), (4, "to", "from")] {
        leave_out(&[position]);
        let found = client.get(&path).await.ok();
        assert_eq!((&found[missing], &found[there]), (&Value::Null, &whole[there]));
        assert_eq!(found["amount"], 30);
    }
    leave_out(&[3, 4]);
    client.get(&path).await.problem(404, "transfer-not-found");

    // Without every event that there is, the ledger may just be behind.
    let harness = Harness::impatient();
    let client = harness.start().await;
    let path = format!("/transfers/{}", client.transferred().await);
    harness.projections.left_out.lock().expect("sound").push(3);
    client.open("late", 1).await;
    harness.projections.hold_at(4);
    client.get(&path).await.is_behind("0:4");
}

#[actix_web::test]
async fn transfer_is_not_found_only_once_the_ledger_has_caught_up() {
    let harness = Harness::patient();
    let client = harness.start().await;
    client.get(NO_TRANSFER).await.problem(404, "transfer-not-found");
    client.transferred().await;
    client.get(NO_TRANSFER).await.problem(404, "transfer-not-found");
    assert_eq!(harness.waits(), 0);
    harness.projections.hold_at(3);
    harness.projections.go_on_after(2);
    client.get(NO_TRANSFER).await.problem(404, "transfer-not-found");
    assert_eq!(harness.waits(), 2);

    let harness = Harness::impatient();
    let client = harness.start().await;
    client.transferred().await;
    harness.projections.hold_at(3);
    client.get(NO_TRANSFER).await.is_behind("0:3");
}

#[actix_web::test]
async fn transfer_id_is_a_uuid() {
    let client = Client::new().await;
    for bad in [
        "1",
        "01890a5dac96774bbcceb302099a8057",
        "%7B01890a5d-ac96-774b-bcce-b302099a8057%7D",
        "urn:uuid:01890a5d-ac96-774b-bcce-b302099a8057",
        "01890a5d-ac96-774b-bcce-b302099a805g",
    ] {
        let reply = client.get(&format!("/transfers/{bad}")).await;
        reply.problem(400, "validation-failed");
        assert_eq!(reply.places(), ["id"], "{bad}");
    }
    let reply = client.get(&format!("{NO_TRANSFER}?minVersion=1")).await;
    reply.problem(400, "validation-failed");
    assert_eq!(reply.places(), ["minVersion"]);
}

#[actix_web::test]
async fn head_is_answered_as_get_is_and_other_methods_are_told_what_there_is() {
    let client = Client::new().await;
    let id = client.transferred().await;
    for (path, allow) in [
        ("/wallets?ownerId=user-001".to_owned(), "GET, HEAD, POST"),
        ("/v1/wallets/a?consistency=eventual".to_owned(), "GET, HEAD"),
        ("/wallets/a/ledger".to_owned(), "GET, HEAD"),
        (format!("/transfers/{id}"), "GET, HEAD"),
    ] {
        let head = TestRequest::default().method(actix_web::http::Method::HEAD).uri(&path);
        let head = client.call(head).await;
        assert_eq!((head.status, head.header(POSITION)), (200, Some("0:4")), "{path}");
        let deleted = client.call(TestRequest::delete().uri(&path)).await;
        deleted.problem(405, "method-not-allowed");
        assert_eq!(deleted.header("allow"), Some(allow), "{path}");
    }
}
