//! The schemas of single values of the admin API.

use serde_json::json;
use utoipa::openapi::schema::{Object, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};
use wallex_ports::{
    AuditAction, AuditOutcome, MAX_SHARDS, OperationKind, OperationState, Place, ProjectorState,
};

use super::cursor;
use crate::schema::{self, ID_EXAMPLE, closed, one_of, text, uuid_that};

/// The greatest position that JSON keeps exactly.
pub(super) const POSITION_MAX: i64 = (1 << 53) - 1;
/// Ten years: what is older than that is no outbox row's age.
pub(super) const OLDER_THAN_HOURS_MAX: i64 = 87_600;
/// The longest actor that can be asked for.
pub(super) const ACTOR_CHARS_MAX: usize = 300;
/// What a projector's name looks like, see [`parse_projector`](super::receive::parse_projector).
const PROJECTOR_PATTERN: &str = "^[a-z][a-z0-9_]{0,63}$";

fn integer(description: &str, min: i64, max: i64) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::Integer)
        .description(Some(description))
        .minimum(Some(min))
        .maximum(Some(max))
}

pub(crate) fn projector() -> Object {
    // No example that exists: whoever tries the API by its examples should not stop a projector.
    text("The projector's name.", PROJECTOR_PATTERN, "a_projector").build()
}

pub(crate) fn projector_state() -> Object {
    use ProjectorState::{Failing, Running, Stopped, Unheld};
    let description = "`failing`: its last try failed, it tries again by itself. `unheld`: it \
                       should run, but no process holds its lease. `stopped`: by hand.";
    one_of(description, [Running, Failing, Unheld, Stopped].map(ProjectorState::as_str))
}

pub(crate) fn operation_id() -> Object {
    uuid_that("The operation's identity.")
}

pub(crate) fn operation_kind() -> Object {
    use OperationKind::{Drift, Rebuild, Retry};
    one_of("What it does.", [Rebuild, Drift, Retry].map(OperationKind::as_str))
}

pub(crate) fn audit_action() -> Object {
    one_of("What was done.", AuditAction::ALL.map(AuditAction::as_str))
}

pub(crate) fn audit_outcome() -> Object {
    let description = "`requested`: about to be done. Where nothing more stands, its process ended in \
                       the middle.";
    one_of(description, AuditOutcome::ALL.map(AuditOutcome::as_str))
}

pub(crate) fn act_id() -> Object {
    uuid_that("What the lines of one act share.")
}

pub(crate) fn actor() -> Object {
    text("Who did it.", r"^[^\x00-\x1F\x7F-\x9F]{1,300}$", "cli:root")
        .min_length(Some(1))
        .max_length(Some(ACTOR_CHARS_MAX))
        .build()
}

pub(crate) fn asked_tenant() -> Object {
    let mut tenant = schema::tenant();
    tenant.description = Some(
        "Whose it is; the caller's own when missing. Only operators of the server see another's."
            .to_owned(),
    );
    tenant
}

pub(crate) fn operation_state() -> Object {
    use OperationState::{Done, Failed, Interrupted, Running};
    let description = "`interrupted`: its process is gone; a rebuild goes on where it stood when \
                       it is asked for again.";
    one_of(description, [Running, Interrupted, Done, Failed].map(OperationState::as_str))
}

pub(crate) fn place() -> Object {
    use Place::{Events, Ledger, ReadModel, WriteSide};
    one_of("Where it was found.", [Events, WriteSide, ReadModel, Ledger].map(Place::as_str))
}

pub(crate) fn difference_minor() -> Object {
    let description = "Found less expected, in minor units, where it is a sum of money: an integer \
                       as a text, for what is found may be any number.";
    let nullable = SchemaType::from_iter([Type::String, Type::Null]);
    text(description, "^-?[0-9]{1,20}$", "-250").schema_type(nullable).build()
}

pub(crate) fn replay_outcome() -> Object {
    one_of(
        "`still_parked`: an event could not be applied, `deadLetter` says which and why.",
        ["applied", "still_parked"],
    )
}

pub(crate) fn cursor() -> Object {
    text("The `nextCursor` of the page before.", cursor::PATTERN, "a_projector:default:wallet-001")
        .build()
}

pub(crate) fn next_cursor() -> Object {
    let nullable = SchemaType::from_iter([Type::String, Type::Null]);
    let description = "Where the next page begins; `null` on the last page.";
    text(description, cursor::PATTERN, "ledger:default:wallet-001").schema_type(nullable).build()
}

pub(crate) fn operation_location() -> Object {
    let pattern = "^/admin/operations/[0-9a-f-]{36}$";
    let example = format!("/admin/operations/{ID_EXAMPLE}");
    text("The operation's path, without `/v1`: poll it.", pattern, example).build()
}

pub(crate) fn reason() -> Object {
    let description = "Why, for those who come later; of control characters only tab and line \
                       breaks.";
    text(description, r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]{1,500}$", "duplicate of w-1/7")
        .min_length(Some(1))
        .max_length(Some(500))
        .build()
}

pub(crate) fn parked_version() -> Object {
    let description = "The version of the event that is to be left out, as the dead letter shows \
                       it.";
    integer(description, 1, POSITION_MAX).examples([json!(7)]).build()
}

pub(crate) fn older_than_hours() -> Object {
    let description = "Only rows that are older than this, in hours; the server's retention time \
                       when missing.";
    integer(description, 0, OLDER_THAN_HOURS_MAX).examples([json!(24)]).build()
}

/// The body that says which wallets: all, one, or those of a range.
pub(crate) fn scope() -> Schema {
    let all = closed("All wallets.").max_properties(Some(0));
    let wallet =
        closed("One wallet.").property("walletId", schema::wallet_id()).required("walletId");
    let wallet = wallet.property("tenant", asked_tenant());
    let shard = integer("The shard of `fromPosition`.", 0, i64::from(MAX_SHARDS) - 1)
        .default(Some(json!(0)));
    let from = integer("The position to begin at.", 1, POSITION_MAX).examples([json!(1)]);
    let since = closed("Wallets that have an event at or behind a position of a shard.")
        .property("shard", shard)
        .property("fromPosition", from)
        .required("fromPosition");
    OneOfBuilder::new().item(all).item(wallet).item(since).build().into()
}
