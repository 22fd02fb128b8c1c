//! Faults under load, on real processes and both databases, and a checker of every answer: our own
//! Jepsen-style tests.
//!
//! ```text
//! cargo run --release -p wallex-chaos -- matrix
//! cargo run -p wallex-chaos -- matrix --quick --rows 1,5 --seed 7
//! cargo run -p wallex-chaos -- bugs
//! ```

#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

mod bugs;
mod checker;
mod command;
mod context;
mod disk;
mod generator;
mod history;
mod http;
mod load;
mod matrix;
mod model;
mod report;
mod rows;
mod stand;
mod tables;
mod trial;
mod usage;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Break what Wallex stands on, under load, and check every answer.
///
/// The wallex binary is the one beside this program, or that of WALLEX_TEST_BINARY. Everything is made
/// in the system's temporary folder, which should be on a disk, and is removed.
#[derive(Debug, Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run the matrix of faults, and print it.
    Matrix(matrix::Options),
    /// Run the defects that are planted on purpose: the checker must catch each.
    Bugs(bugs::Options),
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let failed = match options.what {
        What::Matrix(options) => matrix::run(&options)?,
        What::Bugs(options) => bugs::run(&options)?,
    };
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
