//! The workers on real databases.

mod fixture;
mod isolation;
mod leases;
mod letters;
mod projecting;
