//! What Wallex is compared with: plain SQL that writes, and reads, the same rows on the same server.
//!
//! - [`transaction`]: one transaction a wallet, six round trips;
//! - [`function`]: one call of a stored function a wallet, one round trip;
//! - [`arrays`]: 256 wallets in one transaction, which is what nobody can pass who keeps these rows;
//! - [`read`]: one wallet by its primary key.
//!
//! The position comes from a sequence, the cheapest there is (a reader of such positions can miss
//! events; Wallex's are gapless). No key is looked up, no state checked, no answer made: what a
//! service in front of these statements would do comes on top.

mod arrays;
mod function;
mod read;
mod row;
mod transaction;

pub(crate) use self::arrays::{ArraysClient, WALLETS as ARRAY_WALLETS};
pub(crate) use self::function::{CREATE_FUNCTION, FunctionClient};
pub(crate) use self::read::ReadClient;
pub(crate) use self::transaction::PlainSqlClient;

/// To be executed once, beside the tables that the server makes.
pub(crate) const SEQUENCE: &str = "CREATE SEQUENCE positions";

/// The columns of the four tables that are not constants, and the constants.
const STREAM_COLUMNS: &str = "wallet_streams (shard, tenant, wallet_id, version, owner_id, \
    currency, balance, created_at_ms, updated_at_ms, last_hash)";
const EVENT_COLUMNS: &str = "events (shard, tenant, wallet_id, version, position, event_id, type, \
    schema_version, payload, metadata, recorded_at_ms, hash)";
/// As many bytes as a hash has. The baseline computes none.
const HASH: &str = "decode(repeat('5a', 32), 'hex')";
const OUTBOX_COLUMNS: &str = "outbox (shard, position, tenant, wallet_id, version, type, event_id, \
    metadata, created_at_ms)";
const KEY_COLUMNS: &str = "idempotency_keys (shard, tenant, route, key, request_hash, http_status, \
    etag, location, response, created_at_ms, expires_at_ms)";
