//! The idempotency records of Wallex
