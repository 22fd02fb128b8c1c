//! The process's own time and identities: the only place that asks the system for them.

use uuid::Uuid;
use wallex_ports::{Clock, IdGenerator, Timestamp};

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the adapter of the Clock port")]
        let now = std::time::SystemTime::now();
        // Before 1970 and beyond the year 292,000,000 the clock is broken, not the caller.
        let since_epoch = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_ms(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// UUIDv7 from the system's clock and randomness.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UuidV7Ids;

impl IdGenerator for UuidV7Ids {
    fn next(&self) -> Uuid {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the adapter of the IdGenerator port"
        )]
        Uuid::now_v7()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_and_never_repeat() {
        let ids: Vec<_> = (0..1_000).map(|_| UuidV7Ids.next()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
    }

    #[test]
    fn clock_tells_unix_milliseconds() {
        let year_2024_ms = 1_704_067_200_000;
        let year_2200_ms = 7_258_118_400_000;
        assert!((year_2024_ms..year_2200_ms).contains(&SystemClock.now().unix_ms()));
    }
}
