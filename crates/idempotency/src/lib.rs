//! Idempotency records: the answer that each key was given.
//!
//! A record commits with the effect that it answers for, so there is no pending state. [`claim`]
//! works in the transaction it is given: a key that another transaction is claiming is waited for,
//! and a key that has expired is taken over at once, whether or not [`sweep`] came by.

mod claim;
mod lookup;
mod sweep;

pub use claim::{claim, claim_in};
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
