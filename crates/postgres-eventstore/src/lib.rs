//! The event store of Wallex, on PostgreSQL and SQLite alike
