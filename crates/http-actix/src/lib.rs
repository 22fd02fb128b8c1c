#![doc = include_str!("../README.md")]

mod access;
mod admin;
mod answers;
mod body;
mod code;
mod command;
mod connection;
mod console;
mod correlation;
mod create_wallet;
mod credit_wallet;
mod cursor;
mod debit_wallet;
mod docs;
mod errors;
mod explain_wallet;
mod fields;
mod foreign;
mod get_transfer;
mod get_wallet;
mod headers;
mod health;
mod instance;
mod ledger_entry;
mod list_events;
mod list_ledger;
mod list_wallets;
mod live;
mod metric_names;
mod metrics;
mod movement;
mod observe;
mod openapi;
mod page;
mod problem;
mod projected;
mod query;
mod rate_limit;
mod read;
mod request_hash;
mod root_span;
mod routes;
mod schema;
mod security;
mod server;
mod state;
mod surround;
mod traceparent;
mod transfer;
mod unread;
mod wallet;
mod whoami;

#[cfg(any(test, fuzzing))]
mod tests;

pub use admin::json as admin_json;
pub use answers::JsonAnswers;
pub use connection::Tls;
pub use metric_names::describe_metrics;
pub use openapi::{openapi, openapi_json};
pub use rate_limit::RateLimits;
pub use server::{ServerSettings, operations_server, server};
pub use state::{ApiSettings, ApiState, Lifecycle, MetricsSource, OperationsState};
#[cfg(any(test, fuzzing))]
pub use tests::fuzz;
