//! The transactional outbox of Wallex
