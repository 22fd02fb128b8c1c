//! The one transaction of the write path: events, outbox, idempotency records and wallet state
