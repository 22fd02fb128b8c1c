//! The schemas of single values, shared by the models: what [`wallex_domain`] and the headers
//! check, in the words of JSON Schema.

mod build;
mod headers;

use serde_json::json;
use utoipa::openapi::KnownFormat;
use utoipa::openapi::schema::{
    Array, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType,
    Type,
};
use wallex_domain::{MAX_MINOR_UNITS, SCHEMA_VERSION};
use wallex_ports::{AccessScope, EntryType, ProjectorState};

pub(crate) use self::build::{ID_EXAMPLE, closed, one_of, text, uuid_that};
use self::build::{TIME_EXAMPLE, integer, text_of, time};
pub(crate) use self::headers::{
    challenge, correlation_id, etag, idempotency_key, if_match, location, projection_position,
    rate_limit_limit, rate_limit_remaining, rate_limit_reset, replayed, retry_after, traceparent,
};
use crate::code::{Code, TYPE_PREFIX};
use crate::cursor::{self, VersionCursors, WalletCursors};
use crate::page::{LIMIT_DEFAULT, LIMIT_MAX};
use crate::projected::VERSION_MAX;

const HASH_EXAMPLE: &str = "2f489af850a6b6d8d202472ed3e6b3a6058cc69a2467f84960b703e8183e3d15";
const WALLET_ID: &str = "^[A-Za-z0-9._:-]{1,128}$";
const CURRENCY: &str = "^[A-Z][A-Z0-9]{2,11}$";

pub(crate) fn wallet_id() -> Object {
    text_of("The wallet's id.", WALLET_ID, 1..=128, "wallet-001")
}

pub(crate) fn tenant() -> Object {
    text_of("Whose wallet it is.", "^[A-Za-z0-9._-]{1,64}$", 1..=64, "default")
}

pub(crate) fn owner_id() -> Object {
    let description = "Whose wallet it is, without control characters.";
    text_of(description, r"^[^\x00-\x1F\x7F-\x9F]{1,128}$", 1..=128, "user-001")
}

pub(crate) fn currency() -> Object {
    text_of("The currency's code; amounts are in its minor unit.", CURRENCY, 3..=12, "USD")
}

pub(crate) fn new_currency() -> Object {
    text_of("The currency's code; the server's default when missing.", CURRENCY, 3..=12, "USD")
}

pub(crate) fn balance() -> Object {
    let description = "What the wallet holds, in minor units.";
    integer(description, 0, Some(MAX_MINOR_UNITS), 100).build()
}

pub(crate) fn initial_balance() -> Object {
    let description = "What the wallet begins with, in minor units: an integer, never a float.";
    integer(description, 0, Some(MAX_MINOR_UNITS), 100).default(Some(json!(0))).build()
}

pub(crate) fn amount() -> Object {
    let description = "How much, in minor units: an integer, never a float.";
    integer(description, 1, Some(MAX_MINOR_UNITS), 250).build()
}

pub(crate) fn description() -> Object {
    let description = "What it is for; of control characters only tab and line breaks.";
    let pattern = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]{0,500}$";
    text_of(description, pattern, 0..=500, "top-up")
}

pub(crate) fn reference() -> Object {
    let description = "The client's own reference, without control characters.";
    text_of(description, r"^[^\x00-\x1F\x7F-\x9F]{0,128}$", 0..=128, "inv-7")
}

pub(crate) fn version() -> Object {
    integer("The wallet's version: how many events made it.", 1, None, 1).build()
}

pub(crate) fn position() -> Object {
    let description = "The event's place in its shard, without gaps and in commit order.";
    integer(description, 1, None, 1).build()
}

pub(crate) fn schema_version() -> Object {
    let description = "The version of the shape of `data`.";
    integer(description, 1, None, SCHEMA_VERSION.into()).build()
}

pub(crate) fn created_at() -> Object {
    time("When the wallet was created.")
}

pub(crate) fn updated_at() -> Object {
    time("When the wallet's last event was recorded.")
}

pub(crate) fn recorded_at() -> Object {
    time("When the event was recorded.")
}

pub(crate) fn event_id() -> Object {
    uuid_that("The event's identity.")
}

pub(crate) fn event_hash() -> Object {
    let description = "SHA-256 over the event as it is stored and the hash of the wallet's event before it: \
                       what makes tampering evident.";
    text(description, "^[0-9a-f]{64}$", HASH_EXAMPLE).build()
}

pub(crate) fn problem_operation_id() -> Object {
    uuid_that("The operation that is running, when the code is `operation-running`.")
}

pub(crate) fn causation_id() -> Object {
    uuid_that("The command that caused the event; both legs of a transfer share it.")
}

pub(crate) fn transfer_id() -> Object {
    uuid_that("The transfer's identity, carried by the events of both wallets.")
}

/// The cursor of a list as a parameter.
fn cursor_of(
    pattern: &str,
    chars: std::ops::RangeInclusive<usize>,
    example: impl AsRef<str>,
) -> Object {
    text_of("The `nextCursor` of the page before.", pattern, chars, example.as_ref())
}

/// The cursor of a list in its pages.
fn next_cursor_of(pattern: &str, example: String) -> Object {
    let nullable = SchemaType::from_iter([Type::String, Type::Null]);
    text("Where the next page begins; `null` on the last page.", pattern, example)
        .schema_type(nullable)
        .build()
}

const VERSION_CURSOR: std::ops::RangeInclusive<usize> =
    VersionCursors::CHARS..=VersionCursors::CHARS;
/// Of `wallet-001`.
const WALLET_CURSOR_EXAMPLE: &str = "0277616c6c65742d303031";

pub(crate) fn events_cursor() -> Object {
    cursor_of(cursor::EVENTS.pattern, VERSION_CURSOR, cursor::EVENTS.encode(50))
}

pub(crate) fn next_events_cursor() -> Object {
    next_cursor_of(cursor::EVENTS.pattern, cursor::EVENTS.encode(50))
}

pub(crate) fn ledger_cursor() -> Object {
    cursor_of(cursor::LEDGER.pattern, VERSION_CURSOR, cursor::LEDGER.encode(50))
}

pub(crate) fn audit_cursor() -> Object {
    cursor_of(cursor::AUDIT.pattern, VERSION_CURSOR, cursor::AUDIT.encode(50))
}

pub(crate) fn next_audit_cursor() -> Object {
    next_cursor_of(cursor::AUDIT.pattern, cursor::AUDIT.encode(50))
}

pub(crate) fn next_ledger_cursor() -> Object {
    next_cursor_of(cursor::LEDGER.pattern, cursor::LEDGER.encode(50))
}

pub(crate) fn wallets_cursor() -> Object {
    cursor_of(WalletCursors::PATTERN, WalletCursors::CHARS, WALLET_CURSOR_EXAMPLE)
}

pub(crate) fn next_wallets_cursor() -> Object {
    next_cursor_of(WalletCursors::PATTERN, WALLET_CURSOR_EXAMPLE.to_owned())
}

pub(crate) fn event_type() -> Object {
    one_of("What happened.", ["WalletCreated", "WalletCredited", "WalletDebited"])
}

pub(crate) fn event_data() -> Schema {
    let transfer = closed("The transfer that the movement is one leg of.")
        .property("transferId", transfer_id())
        .required("transferId")
        .property("counterpartyWalletId", wallet_id())
        .required("counterpartyWalletId");
    let created = closed("Of a `WalletCreated`.")
        .property("ownerId", owner_id())
        .required("ownerId")
        .property("currency", currency())
        .required("currency")
        .property("initialBalance", balance())
        .required("initialBalance");
    let moved = closed("Of a `WalletCredited` or a `WalletDebited`.")
        .property("amount", amount())
        .required("amount")
        .property("balance", balance())
        .required("balance")
        .property("currency", currency())
        .required("currency")
        .property("description", description())
        .property("reference", reference())
        .property("transfer", transfer);
    OneOfBuilder::new().item(created).item(moved).build().into()
}

pub(crate) fn problem_type() -> Object {
    let example = Code::InsufficientFunds.type_uri();
    text("What happened, as a name.", &format!("^{TYPE_PREFIX}[a-z-]+$"), example).build()
}

pub(crate) fn problem_code() -> Object {
    one_of("What happened, for programs: it never changes.", Code::ALL.map(Code::slug))
}

pub(crate) fn authentication() -> Object {
    let description = "Whether a request needs a credential here. Where it does not, everybody may do \
                       everything.";
    one_of(description, ["on", "off"])
}

pub(crate) fn caller_id() -> Object {
    let description = "What names the caller in the audit log: `key:` and the id of an API key, `jwt:` \
                       with issuer and subject of a token, or `open`.";
    text(description, "^(key:|jwt:|open$)", "key:01890a5dac96").build()
}

pub(crate) fn caller_name() -> Object {
    let nullable = SchemaType::from_iter([Type::String, Type::Null]);
    text("What people call the key.", r"^[^\x00-\x1F\x7F-\x9F]{1,100}$", "support")
        .schema_type(nullable)
        .build()
}

/// What a caller may do.
pub(crate) fn access_scopes() -> Array {
    let scope = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(AccessScope::ALL.map(AccessScope::as_str)))
        .build();
    ArrayBuilder::new().description(Some("What it may do.")).items(scope).build()
}

pub(crate) fn instance() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::Custom("uri-reference".into())))
        .description(Some("The path that was asked for, without `/v1`."))
        .examples(["/wallets/wallet-001/debit"])
        .build()
}

pub(crate) fn limit() -> Object {
    integer("How many items a page holds at most.", 1, Some(LIMIT_MAX.into()), 50)
        .default(Some(json!(LIMIT_DEFAULT)))
        .build()
}

pub(crate) fn consistency() -> Object {
    let description = "`current` asks the write side, `eventual` the read model, which is a moment \
                       behind.";
    let mut schema = one_of(description, ["current", "eventual"]);
    schema.default = Some(json!("current"));
    schema.examples = vec![json!("eventual")];
    schema
}

pub(crate) fn min_version() -> Object {
    let description = "Wait until the projection has reached this version of the wallet, for a \
                       bounded time; 504 when it does not come.";
    integer(description, 1, i64::try_from(VERSION_MAX).ok(), 3).build()
}

pub(crate) fn eventual_min_version() -> Object {
    let mut schema = min_version();
    let description = schema.description.take().unwrap_or_default();
    schema.description = Some(format!("{description} Only with `consistency=eventual`."));
    schema
}

pub(crate) fn entry_type() -> Object {
    let description = "What the event did to the balance.";
    one_of(description, EntryType::ALL.map(EntryType::as_str))
}

pub(crate) fn part_sum() -> Object {
    let description = "What they moved together, in minor units, below 0 when it went out: an integer \
                       as a text, for what a wallet saw in its life may be more than it may hold.";
    text(description, "^-?[0-9]{1,24}$", "-250").build()
}

pub(crate) fn unreadable_version() -> Object {
    let description = "The version of the first event that can't be read; `null` when all can. It \
                       and those behind it are in no sum.";
    let nullable = SchemaType::from_iter([Type::Integer, Type::Null]);
    integer(description, 1, None, 7).schema_type(nullable).build()
}

pub(crate) fn parked_at_version() -> Object {
    let description = "The version of the event that it could not apply, and waits at; `null` when \
                       there is none. See `/admin/dead-letters`.";
    let nullable = SchemaType::from_iter([Type::Integer, Type::Null]);
    integer(description, 1, None, 7).schema_type(nullable).build()
}

pub(crate) fn projector_of_wallet() -> Object {
    text("Whose projection it is.", "^[a-z][a-z0-9_]{0,63}$", "ledger").build()
}

pub(crate) fn projection_state() -> Object {
    use ProjectorState::{Failing, Running, Stopped, Unheld};
    let description = "`parked`: it could not apply an event of this wallet, and goes on with the \
                       others. Else what its projector does: `failing` tries again by itself, \
                       `unheld` is held by no process, `stopped` was stopped by hand.";
    let of_projector = [Running, Failing, Unheld, Stopped].map(ProjectorState::as_str);
    let states = of_projector.into_iter().chain(["parked"]);
    one_of(description, states)
}

pub(crate) fn only_entry_type() -> Object {
    one_of("Only lines of this type.", EntryType::ALL.map(EntryType::as_str))
}

pub(crate) fn entry_amount() -> Object {
    let description = "How much, in minor units; only an opening may be 0.";
    integer(description, 0, Some(MAX_MINOR_UNITS), 250).build()
}

pub(crate) fn balance_after() -> Object {
    let description = "What the wallet held afterwards, in minor units.";
    integer(description, 0, Some(MAX_MINOR_UNITS), 350).build()
}

pub(crate) fn counterparty() -> Object {
    text_of("The wallet on the other side of the transfer.", WALLET_ID, 1..=128, "wallet-002")
}

fn time_bound(description: &str, example: &str) -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some(description))
        .examples([example])
        .build()
}

pub(crate) fn from_time() -> Object {
    let description = "Only lines recorded at this time or later: RFC 3339, with any offset.";
    time_bound(description, TIME_EXAMPLE)
}

pub(crate) fn to_time() -> Object {
    let description = "Only lines recorded before this time, which must be later than `from`.";
    time_bound(description, "2026-02-01T00:00:00+01:00")
}
