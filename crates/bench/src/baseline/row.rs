//! What the four rows of a create hold, as text.

use std::fmt::Write as _;

use time::OffsetDateTime;

use crate::wallet::NewWallet;

/// The texts of one create, built anew in the same memory; as many bytes in each column as the
/// server writes for the same request.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) owner: String,
    pub(super) event: String,
    pub(super) payload: String,
    pub(super) metadata: String,
    pub(super) key: String,
    pub(super) hash: String,
    pub(super) location: String,
    pub(super) response: String,
    pub(super) now_ms: String,
}

impl Row {
    pub(super) fn write(&mut self, wallet: &NewWallet) {
        let NewWallet { id, key, other } = wallet;
        let now_ms = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        set(&mut self.id, format_args!("{id}"));
        set(&mut self.owner, format_args!("owner-of-{id}"));
        set(&mut self.event, format_args!("{other}"));
        set(
            &mut self.payload,
            format_args!(r#"{{"ownerId":"owner-of-{id}","currency":"USD","initialBalance":100}}"#),
        );
        set(
            &mut self.metadata,
            format_args!(r#"{{"correlationId":"{other}","causationId":"{other}"}}"#),
        );
        set(&mut self.key, format_args!("{key}"));
        set(&mut self.hash, format_args!("{}{}", id.simple(), key.simple()));
        set(&mut self.location, format_args!("/wallets/{id}"));
        set(
            &mut self.response,
            format_args!(
                r#"{{"id":"{id}","ownerId":"owner-of-{id}","currency":"USD","balance":100,"version":1,"createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.000Z"}}"#
            ),
        );
        set(&mut self.now_ms, format_args!("{now_ms}"));
    }
}

fn set(text: &mut String, to: std::fmt::Arguments<'_>) {
    text.clear();
    text.write_fmt(to).expect("invariant: a String takes every character");
}
