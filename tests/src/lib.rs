//! Black-box tests of the real Wallex binary over HTTP, on both databases.
//!
//! One file for each endpoint, with the stem that it has in the other rooms, and one for each
//! promise that is about all of them. They are one program, because linking one for each would take
//! longer than running them.

#![cfg(test)]

mod access;
mod alerts;
mod arrows;
mod bad_input;
mod capacity;
mod certificates;
mod clients_hang_up;
mod console;
mod correlation;
mod crash;
mod create_wallet;
mod credit_wallet;
#[cfg(target_os = "linux")]
mod crowds;
mod dashboards;
mod debit_wallet;
mod dependencies;
mod deployment;
mod diagrams;
mod endpoints;
mod explain_wallet;
#[cfg(target_os = "linux")]
mod full_disk;
mod fuzz;
mod get_wallet;
mod health;
mod http2;
mod idempotency;
mod lifecycle;
mod links;
mod list_events;
mod live;
mod logs;
mod lost_answers;
mod metrics_page;
mod openapi;
mod overload;
mod planted;
mod preconditions;
mod projections;
mod prometheus_tools;
mod rate_limits;
mod raw_http;
mod recovery;
mod scrape;
mod security_headers;
mod shell_blocks;
#[cfg(target_os = "linux")]
mod slow_clients;
mod startup_errors;
mod support;
mod tls;
mod tokens;
mod traces;
mod transfer;
mod two_nodes;
mod verify;
