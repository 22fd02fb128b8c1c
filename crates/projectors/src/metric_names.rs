//! What a worker counts. The binary explains the names.

use std::time::Duration;

use metrics::{counter, histogram};

pub(crate) fn applied(projector: &'static str, events: usize, took: Duration) {
    counter!("wallex_projector_events_total", "projector" => projector).increment(events as u64);
    histogram!("wallex_projector_batch_duration_seconds", "projector" => projector).record(took);
}

pub(crate) fn failed(projector: &'static str) {
    // A given name.
    counter!("projector_error_rate", "projector" => projector).increment(1);
}

pub(crate) fn parked(projector: &'static str) {
    counter!("wallex_projector_parked_total", "projector" => projector).increment(1);
    failed(projector);
}

/// `change` is `taken`, `lost` or `returned`.
pub(crate) fn lease_changed(projector: &'static str, change: &'static str) {
    let name = "wallex_projector_lease_changes_total";
    counter!(name, "projector" => projector, "change" => change).increment(1);
}
