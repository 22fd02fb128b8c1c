//! `wallex migrate`.

use anyhow::bail;
use wallex_database::Database;

use crate::cli::Migrate;
use crate::config::Config;

/// Changes the schema, or shows it; what to print.
///
/// # Errors
/// When the database can't be reached, a step fails, or data would be deleted unconfirmed.
pub(crate) async fn migrate(config: &Config, action: &Migrate) -> anyhow::Result<String> {
    let db = crate::connect(config).await?;
    let text = run(config, &db, action).await;
    db.close().await;
    text
}

async fn run(config: &Config, db: &Database, action: &Migrate) -> anyhow::Result<String> {
    match action {
        Migrate::Up => {
            let names = wallex_migrations::up(db, config.shards).await?;
            Ok(listed(&names, "applied", "nothing to do: the schema is up to date"))
        }
        Migrate::Down { steps, yes: true } => {
            let names = wallex_migrations::down(db, *steps).await?;
            Ok(listed(&names, "taken back", "nothing to do: no step is applied"))
        }
        Migrate::Down { steps, yes: false } => {
            let mut applied: Vec<_> = wallex_migrations::status(db).await?;
            applied.retain(|step| step.applied);
            let last = applied.iter().rev().take(usize::try_from(*steps).unwrap_or(usize::MAX));
            let names: Vec<_> = last.map(|step| step.name.as_str()).collect();
            if names.is_empty() {
                return Ok("nothing to do: no step is applied\n".to_owned());
            }
            bail!(
                "this would delete the data of {} on {}; add --yes if you mean it",
                names.join(", "),
                db.describe()
            )
        }
        Migrate::Status => {
            let steps = wallex_migrations::status(db).await?;
            let line = |step: &wallex_migrations::MigrationStatus| {
                format!("{}  {}\n", if step.applied { "applied" } else { "missing" }, step.name)
            };
            Ok(steps.iter().map(line).collect())
        }
    }
}

fn listed(names: &[String], done: &str, nothing: &str) -> String {
    if names.is_empty() {
        return format!("{nothing}\n");
    }
    names.iter().map(|name| format!("{done}  {name}\n")).collect()
}
