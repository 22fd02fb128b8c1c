//! The bodies of every POST.

use serde_json::Value;
use wallex_domain::{
    Currency, Description, MAX_MINOR_UNITS, OwnerId, Reference, TenantId, WalletId,
};
use wallex_ports::MAX_SHARDS;

use super::body::{Object, Rule, Shape, check, is_integer, is_text};
use crate::admin::fuzz as admin;
use crate::command::RequestBody;
use crate::create_wallet::CreateWalletBody;
use crate::movement::MovementBody;
use crate::transfer::TransferBody;

const POSITION_MAX: i64 = (1 << 53) - 1;
const HOURS_MAX: i64 = 10 * 365 * 24;

const fn required(name: &'static str, holds: fn(&Value) -> bool) -> Rule {
    Rule { name, required: true, holds }
}

const fn optional(name: &'static str, holds: fn(&Value) -> bool) -> Rule {
    Rule { name, required: false, holds }
}

const fn flat(rules: &'static [Rule]) -> Shape {
    Shape { rules, together: |_| true }
}

fn is_wallet_id(value: &Value) -> bool {
    is_text(value, WalletId::parse)
}

fn is_amount(value: &Value) -> bool {
    is_integer(value, 1..=MAX_MINOR_UNITS)
}

fn is_description(value: &Value) -> bool {
    is_text(value, Description::parse)
}

fn is_reference(value: &Value) -> bool {
    is_text(value, Reference::parse)
}

const CREATE_WALLET: Shape = flat(&[
    optional("walletId", is_wallet_id),
    required("ownerId", |value| is_text(value, OwnerId::parse)),
    optional("currency", |value| is_text(value, |code| Currency::parse(&code))),
    optional("initialBalance", |value| is_integer(value, 0..=MAX_MINOR_UNITS)),
]);

const MOVEMENT: Shape = flat(&[
    required("amount", is_amount),
    optional("description", is_description),
    optional("reference", is_reference),
]);

const TRANSFER: Shape = flat(&[
    required("toWalletId", is_wallet_id),
    required("amount", is_amount),
    optional("description", is_description),
    optional("reference", is_reference),
]);

const DISCARD: Shape = flat(&[
    required("version", |value| is_integer(value, 1..=POSITION_MAX)),
    required("reason", |value| value != "" && is_description(value)),
]);

const CLEANUP: Shape =
    flat(&[optional("olderThanHours", |value| is_integer(value, 0..=HOURS_MAX))]);

const SCOPE: Shape = Shape {
    rules: &[
        optional("walletId", is_wallet_id),
        optional("tenant", |value| is_text(value, TenantId::parse)),
        optional("shard", |value| is_integer(value, 0..=i64::from(MAX_SHARDS) - 1)),
        optional("fromPosition", |value| is_integer(value, 1..=POSITION_MAX)),
    ],
    together: is_scope,
};

/// All wallets, one, or those behind a position. A tenant says nothing without the wallet, and a shard
/// nothing without the position.
fn is_scope(object: &Object) -> bool {
    let has = |name: &str| object.contains_key(name);
    let behind_position = has("fromPosition") || has("shard");
    match (has("walletId"), behind_position) {
        (true, behind_position) => !behind_position,
        (false, true) => has("fromPosition") && !has("tenant"),
        (false, false) => !has("tenant"),
    }
}

/// The body of `POST /wallets`.
///
/// # Panics
/// When what is read is not what was sent, or the wrong bodies are refused.
pub fn create_wallet_body(data: &[u8]) {
    check(data, &CREATE_WALLET, |fields| CreateWalletBody::read(fields).is_some());
}

/// The body of a credit and of a debit.
///
/// # Panics
/// As [`create_wallet_body`].
pub fn movement_body(data: &[u8]) {
    check(data, &MOVEMENT, |fields| MovementBody::read(fields).is_some());
}

/// The body of a transfer.
///
/// # Panics
/// As [`create_wallet_body`].
pub fn transfer_body(data: &[u8]) {
    check(data, &TRANSFER, |fields| TransferBody::read(fields).is_some());
}

/// The body that discards a dead letter.
///
/// # Panics
/// As [`create_wallet_body`].
pub fn discard_body(data: &[u8]) {
    check(data, &DISCARD, admin::is_discard);
}

/// The body that cleans the outbox.
///
/// # Panics
/// As [`create_wallet_body`].
pub fn cleanup_body(data: &[u8]) {
    check(data, &CLEANUP, admin::is_cleanup);
}

/// The body of a rebuild and of a drift check.
///
/// # Panics
/// As [`create_wallet_body`].
pub fn scope_body(data: &[u8]) {
    check(data, &SCOPE, admin::is_scope);
}
