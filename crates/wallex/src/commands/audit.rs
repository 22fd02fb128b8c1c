//! `wallex audit`: who did what.

use anyhow::Context;
use wallex_http_actix::admin_json::{AuditListJson, time};
use wallex_ports::{AuditFilter, AuditLine};

use super::table::{Align, Table};
use super::{Outcome, Ports};
use crate::cli::AuditArgs;

/// Prints the newest lines.
///
/// # Errors
/// When the database fails.
pub(super) async fn audit(ports: &Ports, arguments: &AuditArgs) -> anyhow::Result<Outcome> {
    let filter = AuditFilter {
        tenant: arguments.tenant.clone(),
        actor: arguments.actor.clone(),
        action: arguments.action,
        below: None,
    };
    let lines = ports.audit.list(&filter, arguments.limit).await;
    let lines = lines.context("can't read the audit log")?;
    Ok(Outcome::fine(match arguments.output.json {
        true => crate::pretty_json(&AuditListJson::new(&lines, None))?,
        false => table(&lines),
    }))
}

fn table(lines: &[AuditLine]) -> String {
    use Align::{Left, Right};
    if lines.is_empty() {
        return "nothing was done\n".to_owned();
    }
    let mut table = Table::new([
        ("LINE", Right),
        ("AT", Left),
        ("WHO", Left),
        ("DID", Left),
        ("TO", Left),
        ("TENANT", Left),
        ("OUTCOME", Left),
        ("DETAILS", Left),
    ]);
    for line in lines {
        table.row([
            line.position.to_string(),
            time(line.at),
            line.actor.clone(),
            line.action.clone(),
            line.target.clone(),
            line.tenant.to_string(),
            line.outcome.as_str().to_owned(),
            line.details.clone(),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cli::Command;
    use crate::commands::fakes::{Fakes, command};

    #[tokio::test]
    async fn lines_are_told_newest_first() {
        let ports = Arc::new(Fakes::default()).ports();
        ports.projectors.stop("ledger").await.expect("stopped");
        let Command::Audit(arguments) = command(&["audit", "--actor", "cli:somebody"]) else {
            panic!("audit")
        };
        let text = audit(&ports, &arguments).await.expect("read").text;
        assert_eq!(
            text,
            "LINE  AT                        WHO           DID             TO      TENANT   OUTCOME    DETAILS\n   \
             2  2026-01-01T00:00:00.007Z  cli:somebody  projector.stop  ledger  default  done\n   \
             1  2026-01-01T00:00:00.007Z  cli:somebody  projector.stop  ledger  default  requested\n"
        );
    }
}
