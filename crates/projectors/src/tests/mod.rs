//! Workers, rebuilds and drift checks: on real databases, but for `worker`, which has a time of its own.

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
