//! Workers, rebuilds and drift checks on real databases.

mod batches;
mod drift;
mod fixture;
mod isolation;
mod leases;
mod letters;
mod operations;
mod projecting;
mod rebuild;
mod recovery;
mod retry;
mod silence;
mod worker;
