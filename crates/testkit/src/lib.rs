//! What the tests of Wallex share: private PostgreSQL clusters, temporary databases, real servers
//! and a client for them, and a look into the tables.
//!
//! A test that is to hold on both databases is a plain `async fn` that takes a [`TempDatabase`],
//! listed in [`on_both_databases!`]:
//!
//! ```no_run
//! use wallex_testkit::{Server, TempDatabase, on_both_databases};
//!
//! on_both_databases!(unknown_wallet_is_not_found);
//!
//! async fn unknown_wallet_is_not_found(database: TempDatabase) {
//!     let server = Server::start(&database).await;
//!     let answer = server.client().get("/wallets/nobody").await;
//!     answer.is_problem(404, "wallet-not-found");
//! }
//! ```
//!
//! Nothing here skips: a test that can't reach PostgreSQL fails and says why.

mod api_key;
mod both;
mod client;
mod collector;
pub mod corpus;
mod files;
mod foreground;
mod inspect;
mod issuer;
mod postgres;
mod proxy;
mod server;
mod temp_database;
mod wait;

pub use api_key::{ALL_SCOPES, ApiKey, run_wallex};
pub use both::block_on;
pub use client::{Answer, Client, Request, install_tls_provider};
pub use collector::{Collector, Manner, Span, SpanKind};
pub use files::allow_many_files;
pub use foreground::run_in_foreground;
pub use inspect::{AuditedWallet, Counts, Inspector};
pub use issuer::{Issuer, SigningKey, seconds_since_1970, unsigned};
pub use postgres::{PostgresOptions, PrivatePostgres};
pub use proxy::{Network, Proxy};
pub use server::{Server, ServerBuilder, wallex_binary};
pub use temp_database::{Backend, POSTGRES_URL_VARIABLE, TempDatabase};
pub use wait::eventually;
