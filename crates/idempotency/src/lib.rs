//! Idempotency records: the answer that each key was given.
//!
//! A record commits with the effect that it answers for, so there is no pending state. A claim works in
//! the transaction it is given, and waits for another that is claiming the same key. Who finds a key taken
//! looks whether its record has expired, and takes it over at once ([`forget_expired`]), whether or not
//! [`sweep`] came by.

mod claim;
mod lookup;
mod sweep;

pub use claim::{claim, claim_in, forget_expired};
pub use lookup::{SqlIdempotencyRecords, stored_records};
pub use sweep::sweep;

use wallex_database::Column;
use wallex_ports::{KeyScope, Shards};

fn scope_columns<'a>(
    shards: Shards,
    scopes: impl Iterator<Item = &'a KeyScope> + Clone,
) -> Vec<Column> {
    vec![
        Column::int("shard", scopes.clone().map(|scope| i64::from(shards.of_key(scope)))),
        Column::text("tenant", scopes.clone().map(|scope| scope.tenant.as_str())),
        Column::text("route", scopes.clone().map(|scope| scope.route.as_str())),
        Column::text("key", scopes.map(|scope| scope.key.as_str())),
    ]
}
