//! Time and identity.

use uuid::Uuid;

use crate::Timestamp;

/// Wall time. Used for what people read (`createdAt`), never to order events: clocks differ.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Fresh identities.
pub trait IdGenerator: Send + Sync {
    /// A UUIDv7 that was never given before.
    fn next(&self) -> Uuid;
}
