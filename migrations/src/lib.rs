//! Every step of the database schema of Wallex, up and down, on PostgreSQL and SQLite
