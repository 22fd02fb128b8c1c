//! `wallex idempotency`: sweeping its records by hand.

use anyhow::Context;
use wallex_http_actix::admin_json::CleanupJson;

use super::units::counted;
use super::{Outcome, Ports};
use crate::cli::IdempotencyAction;

/// Does what is asked.
///
/// # Errors
/// When the database fails.
pub(super) async fn run(ports: &Ports, action: &IdempotencyAction) -> anyhow::Result<Outcome> {
    let IdempotencyAction::Sweep(output) = action;
    let swept = ports.recovery.sweep_idempotency().await;
    let deleted = swept.context("the idempotency records can't be swept")?;
    Ok(Outcome::fine(if output.json {
        crate::pretty_json(&CleanupJson { deleted })?
    } else {
        format!("{} deleted\n", counted(deleted, "record", "records"))
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cli::Output;
    use crate::commands::fakes::Fakes;

    #[tokio::test]
    async fn sweep_says_how_many_are_gone() {
        let ports = Arc::new(Fakes::default()).ports();
        let sweep = IdempotencyAction::Sweep;
        let text = run(&ports, &sweep(Output::default())).await.expect("swept").text;
        assert_eq!(text, "44 records deleted\n");
        let json = run(&ports, &sweep(Output { json: true })).await.expect("swept").text;
        assert!(json.contains("\"deleted\": 44"), "{json}");
    }
}
