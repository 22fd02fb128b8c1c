//! Who may come in to Wallex, and who did what.
//!
//! - [`SqlApiKeys`] makes, lists, replaces and takes back API keys.
//! - [`KeyRing`] is what one process remembers of them: it tells who stands behind a key, from memory
//!   where it can.
//! - [`Door`] decides who comes in: by key, by another credential, or without one.
//! - [`SqlAuditLog`] is the log of what was done.
//!
//! # A key
//!
//! `wlx_<id>_<secret>`: the id names the key everywhere, the secret is 43 random characters, 256 bits.
//! Stored is the SHA-256 of the whole text. A slow hash, as passwords need it, would protect nothing:
//! nobody guesses 256 bits, and it would cost every request milliseconds. Hashes are compared in
//! constant time.
//!
//! # Taken back at once
//!
//! Every change of a key raises a counter in the same transaction. Each process reads it every
//! [`poll`](KeyRing::new) (half a second by default), and forgets all keys when it has moved. So a key
//! that is revoked by any process lets nobody in after one interval and the time of one query. When the
//! counter could not be read for [`TRUSTED_FOR`](KeyRing::TRUSTED_FOR), nothing that is remembered is
//! believed any more: each request asks the database for its key, and is refused with it when it does
//! not answer. Whatever the counter says, a key is looked up again after
//! [`REMEMBERED_FOR`](KeyRing::REMEMBERED_FOR).
//!
//! What a request costs: a SHA-256 and a look into a map. A key that is not remembered costs one query
//! by primary key, of which [`LOOKUPS_MAX`](KeyRing::LOOKUPS_MAX) run at a time, so that made-up keys
//! can't take the database's connections. Memory is bounded: [`GOOD_MAX`](KeyRing::GOOD_MAX) keys and
//! [`BAD_MAX`](KeyRing::BAD_MAX) refused ones are remembered, apart from each other.

mod api_keys;
mod audit_log;
mod door;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod key;
mod key_ring;

#[cfg(test)]
mod tests;

pub use api_keys::SqlApiKeys;
pub use audit_log::SqlAuditLog;
pub use door::{Door, Policy};
pub use key_ring::KeyRing;
