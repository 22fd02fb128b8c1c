//! Requests to the whole API, over a store in memory.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::AUTHORIZATION;
use actix_web::rt::{System, SystemRunner};
use wallex_ports::AccessScope;

use super::description::Description;
use super::message::Message;
use crate::tests::{Client, Harness, Reply};

/// After how many requests the API begins anew: what is in the store should not grow for ever, nor
/// decide for long what becomes of an input.
const SERVED_MAX: u32 = 64;

/// An API that answers, with two wallets, a parked one and nothing else.
struct Api {
    system: SystemRunner,
    harness: Harness,
    client: Client,
    served: u32,
}

/// Who may do everything to the wallets of the tenant `acme`, who may only read them, and who may do
/// everything to those of another tenant.
const OWNER: &str = "owner";
const READER: &str = "reader";
const STRANGER: &str = "stranger";

/// What answers to `acme` hold, and to nobody else.
const SECRET: &str = "user-of-acme";

impl Api {
    /// An API that asks who calls, with one wallet, `w-1` of `acme`.
    fn closed() -> Self {
        let api = Self::start();
        for (bearer, tenant, scopes) in [
            (OWNER, "acme", &AccessScope::ALL[..]),
            (READER, "acme", &[AccessScope::WalletsRead]),
            (STRANGER, "other", &AccessScope::ALL),
        ] {
            api.harness.gate.know(bearer, tenant, scopes);
        }
        let body = format!(r#"{{"walletId":"w-1","ownerId":"{SECRET}"}}"#);
        let creation = Message::post("/wallets", body.as_bytes()).expect("a request");
        assert_eq!(api.send(&creation.from(OWNER)).status, 201);
        api
    }

    /// How many events `acme` has.
    fn events(&self) -> usize {
        let history = self.harness.store.history();
        history.iter().filter(|(wallet, _)| wallet.tenant.as_str() == "acme").count()
    }

    fn start() -> Self {
        let mut harness = Harness::new();
        // A version that never comes is not waited for long.
        harness.settings.projection_wait = Duration::from_millis(1);
        harness.steered.park("ledger", "w-2", 2);
        let system = System::new();
        let client = system.block_on(async {
            let client = harness.start().await;
            client.open("w-1", 1_000).await;
            client.open("w-2", 0).await;
            client
        });
        Self { system, harness, client, served: 0 }
    }

    fn send(&self, message: &Message) -> Reply {
        self.system.block_on(self.client.call(message.to_request()))
    }
}

thread_local! {
    /// Not dropped when the thread ends: the thread's runtime may have gone before it.
    static API: RefCell<Option<ManuallyDrop<Api>>> = const { RefCell::new(None) };
    static DESCRIPTION: Description = Description::new();
}

/// Sends `message`, and checks what comes back.
fn send(message: &Message) {
    if !is_answered(message) {
        return;
    }
    API.with_borrow_mut(|slot| {
        let running = slot.take().map(ManuallyDrop::into_inner);
        let mut api = running.filter(|api| api.served < SERVED_MAX).unwrap_or_else(Api::start);
        api.served += 1;
        let api = slot.insert(ManuallyDrop::new(api));
        check(api, message);
    });
}

/// Whether it is for the API, and has an answer that ends. Pages are files, and the path of one may
/// be a redirect; a stream is left out whole.
fn is_answered(message: &Message) -> bool {
    let path = message.path();
    let path = path.strip_prefix("/v1").unwrap_or(&path);
    let is_page = path == "/" || ["/docs", "/console"].iter().any(|page| path.contains(page));
    !is_page && path != "/admin/live"
}

fn check(api: &Api, message: &Message) {
    let before = api.harness.store.rows();
    let reply = api.send(message);
    let after = api.harness.store.rows();
    let status = reply.status;
    // A version that nobody made is waited for in vain.
    assert!(status < 500 || status == 504, "{}", reply.text);
    let described = DESCRIPTION.with(|all| all.has(&message.method, &message.path(), status));
    assert!(described, "{status} is not described for {} {}", message.method, message.target);
    assert!(reply.header("x-correlation-id").is_some_and(|id| (1..=128).contains(&id.len())));
    if status >= 400 {
        check_problem(&reply, message);
        assert_eq!(before.0, after.0, "{status} says that nothing was done");
    }
    if message.method == Method::POST && message.has("idempotency-key") && after.1 > before.1 {
        let again = api.send(message);
        if again.status == 429 {
            return;
        }
        assert_eq!((again.status, &again.text), (status, &reply.text), "a retry");
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(api.harness.store.rows(), after, "a retry does nothing");
    }
}

fn check_problem(reply: &Reply, message: &Message) {
    if message.method == Method::HEAD {
        return;
    }
    assert_eq!(reply.header("content-type"), Some("application/problem+json"));
    let json = reply.json();
    assert_eq!(json["status"], reply.status);
    let code = json["code"].as_str().expect("a code");
    assert_eq!(json["type"], format!("urn:wallex:problem:{code}"));
    assert_eq!(json["correlationId"].as_str(), reply.header("x-correlation-id"));
    if code == "validation-failed" {
        assert!(!reply.places().is_empty());
    }
}

/// A request of each of several callers, and of nobody, to an API that asks who calls.
///
/// # Panics
/// When a caller learns or changes what is another tenant's, changes what it may only read, or comes
/// in without a credential; and as [`request`].
pub fn callers(data: &[u8]) {
    thread_local! {
        static CLOSED: RefCell<Option<ManuallyDrop<Api>>> = const { RefCell::new(None) };
    }
    let Some(message) = Message::read(data).filter(is_answered) else { return };
    CLOSED.with_borrow_mut(|slot| {
        let running = slot.take().map(ManuallyDrop::into_inner);
        let mut api = running.filter(|api| api.served < SERVED_MAX).unwrap_or_else(Api::closed);
        api.served += 1;
        let api = slot.insert(ManuallyDrop::new(api));
        let brings_secret = data.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
        check_callers(api, &message, brings_secret);
    });
}

fn check_callers(api: &Api, message: &Message, brings_secret: bool) {
    let before = api.events();
    let nobody = Message { headers: message.without(&AUTHORIZATION), ..message.clone() };
    check(api, &nobody);
    let reply = api.send(&nobody);
    let path = nobody.path();
    let path = path.strip_prefix("/v1").unwrap_or(&path);
    let is_public = ["/livez", "/readyz", "/openapi.json"].contains(&path);
    assert!(is_public || reply.status >= 400, "{} without a credential", reply.status);
    for bearer in [STRANGER, READER] {
        let reply = api.send(&nobody.clone().from(bearer));
        assert!(reply.status < 500 || reply.status == 504, "{}", reply.text);
        // A refusal may repeat what the request itself says.
        let is_echo = brings_secret && reply.status >= 400;
        let tells = reply.text.contains(SECRET) && !is_echo;
        assert!(bearer == READER || !tells, "{}", reply.text);
    }
    assert_eq!(api.events(), before, "who may not has changed something");
    // What the request brings itself, whatever that is.
    check(api, message);
}

/// A request to any path, with any method, headers and body.
///
/// # Panics
/// When the answer is a 5xx, or one that the description does not have; when a refusal changes
/// something, or is no problem; when a retry is not answered as it was before.
pub fn request(data: &[u8]) {
    if let Some(message) = Message::read(data) {
        send(&message);
    }
}

/// A query of one of the lists: the first byte says which.
///
/// # Panics
/// As [`request`].
pub fn query(data: &[u8]) {
    const PATHS: [&str; 6] = [
        "/wallets",
        "/wallets/w-1",
        "/wallets/w-1/ledger",
        "/wallets/w-1/events",
        "/admin/dead-letters",
        "/admin/audit",
    ];
    let Some((which, query)) = data.split_first() else { return };
    let Ok(query) = std::str::from_utf8(query) else { return };
    let path = PATHS[usize::from(*which) % PATHS.len()];
    if let Some(message) = Message::get(&format!("{path}?{query}")) {
        send(&message);
    }
}

/// A body for one of the operators' requests: the first byte says which.
///
/// # Panics
/// As [`request`].
pub fn admin(data: &[u8]) {
    const PATHS: [&str; 6] = [
        "/admin/recovery/rebuild",
        "/admin/recovery/drift",
        "/admin/recovery/retry",
        "/admin/outbox/cleanup",
        "/admin/dead-letters/ledger/w-2/discard",
        "/admin/dead-letters/ledger/w-2/replay",
    ];
    let Some((which, body)) = data.split_first() else { return };
    let path = PATHS[usize::from(*which) % PATHS.len()];
    if let Some(message) = Message::post(path, body) {
        send(&message);
    }
}
