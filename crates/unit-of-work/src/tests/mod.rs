//! The promises of the committer, on both databases.

mod fixture;
mod kill;
mod lost;
mod outcomes;
mod trouble;
