//! Every step of the database schema, up and down, on PostgreSQL and SQLite.
//!
//! One file a step, named `m<date>_<number>_<what>.rs`. All steps that are missing run in one
//! transaction under one lock, so several nodes may start at once, and a step that fails leaves
//! nothing behind. A step that was shipped never changes.

mod m20261122_000001_write_path;
mod m20261122_000002_projections;
mod m20261129_000003_access;
mod m20261129_000004_hash_chain;
mod readiness;
mod schema;
mod test_only;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

pub use readiness::SchemaReadiness;
pub use schema::{MigrateError, MigrationStatus, down, status, up};

/// The steps, in order.
struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        let mut steps: Vec<Box<dyn MigrationTrait>> = vec![
            Box::new(m20261122_000001_write_path::Migration),
            Box::new(m20261122_000002_projections::Migration),
            Box::new(m20261129_000003_access::Migration),
            Box::new(m20261129_000004_hash_chain::Migration),
        ];
        if wallex_ports::planted::has_test_migration() {
            steps.push(Box::new(test_only::Migration));
        }
        steps
    }
}
