//! What the fuzz targets need of the admin API's readers.

use super::{clean_outbox, cursor, discard_dead_letter, recovery};
use crate::fields::Fields;

pub(crate) fn is_discard(fields: &mut Fields<'_>) -> bool {
    discard_dead_letter::read_body(fields).is_some()
}

pub(crate) fn is_cleanup(fields: &mut Fields<'_>) -> bool {
    clean_outbox::read_body(fields).is_some()
}

pub(crate) fn is_scope(fields: &mut Fields<'_>) -> bool {
    recovery::read_scope(fields, &Default::default()).is_some()
}

/// The text that the cursor `text` was made of.
pub(crate) fn cursor(text: &str) -> Option<String> {
    let (projector, wallet) = cursor::decode(text).ok()?;
    Some(format!("{projector}:{}:{}", wallet.tenant, wallet.wallet_id))
}
