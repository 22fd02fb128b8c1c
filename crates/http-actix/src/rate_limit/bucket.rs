//! A token bucket as one number: the time at which it is full again (the generic cell rate
//! algorithm). Whole nanoseconds, so that nothing is rounded away.

use std::num::NonZeroU32;
use std::time::Duration;

const NS_PER_S: u64 = 1_000_000_000;

/// How large buckets are, and how fast they fill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    /// Tokens in a full one.
    capacity: NonZeroU32,
    /// How long one token takes to come, in nanoseconds; at least 1.
    token_ns: u64,
}

/// When a bucket is full again, in nanoseconds since the process began; in the past when it is full.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    full_at_ns: u64,
}

/// What is left in a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Tokens in a full one.
    pub(super) limit: u32,
    /// Tokens that are there.
    pub(super) remaining: u32,
    /// In how long it is full.
    pub(super) full_in: Duration,
    /// In how long there is one, when there is none.
    pub(super) wait: Option<Duration>,
}

impl Rule {
    /// `tokens` for each `period`, and `capacity` at once.
    pub(super) fn new(tokens: NonZeroU32, period: Duration, capacity: NonZeroU32) -> Self {
        let period_ns = period.as_secs().saturating_mul(NS_PER_S);
        Self { capacity, token_ns: (period_ns / u64::from(tokens.get())).max(1) }
    }

    /// Takes a token at `now_ns`. Where there is none, nothing is taken, and `wait` says so.
    pub(super) fn take(self, bucket: &mut Bucket, now_ns: u64) -> Allowance {
        let before = self.look(*bucket, now_ns);
        if before.wait.is_some() {
            return before;
        }
        bucket.full_at_ns = bucket.full_at_ns.max(now_ns).saturating_add(self.token_ns);
        Allowance { wait: None, ..self.look(*bucket, now_ns) }
    }

    /// What is in `bucket` at `now_ns`.
    pub(super) fn look(self, bucket: Bucket, now_ns: u64) -> Allowance {
        let missing_ns = bucket.full_at_ns.saturating_sub(now_ns);
        let capacity_ns = self.token_ns.saturating_mul(self.capacity.get().into());
        let remaining = capacity_ns.saturating_sub(missing_ns) / self.token_ns;
        let one_at_ns = capacity_ns - self.token_ns;
        let wait = (remaining == 0).then(|| Duration::from_nanos(missing_ns - one_at_ns));
        Allowance {
            limit: self.capacity.get(),
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX),
            full_in: Duration::from_nanos(missing_ns),
            wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn n(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).expect("not zero")
    }

    /// Takes at each of `at_ms`; what was left, or how long to wait in milliseconds.
    fn taken(rule: Rule, at_ms: &[u64]) -> Vec<Result<u32, u128>> {
        let mut bucket = Bucket::default();
        let mut take = |at_ms: u64| {
            let allowance = rule.take(&mut bucket, at_ms * MS);
            allowance.wait.map_or(Ok(allowance.remaining), |wait| Err(wait.as_millis()))
        };
        at_ms.iter().map(|at_ms| take(*at_ms)).collect()
    }

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let rule = Rule::new(n(10), Duration::from_secs(1), n(3));
        let at = [0, 0, 0, 0, 99, 100, 150, 199, 200, 1_000, 1_000, 1_000, 1_000];
        let expected = [
            Ok(2),
            Ok(1),
            Ok(0),
            Err(100),
            Err(1),
            Ok(0),
            Err(50),
            Err(1),
            Ok(0),
            Ok(2),
            Ok(1),
            Ok(0),
            Err(100),
        ];
        assert_eq!(taken(rule, &at), expected);
    }

    #[test]
    fn a_bucket_holds_no_more_than_its_capacity() {
        let rule = Rule::new(n(1), Duration::from_secs(1), n(1));
        assert_eq!(taken(rule, &[3_600_000, 3_600_000, 3_601_000]), [Ok(0), Err(1_000), Ok(0)]);
    }

    #[test]
    fn refusals_cost_nothing() {
        let rule = Rule::new(n(1), Duration::from_secs(1), n(1));
        let mut at = vec![0];
        at.extend([1; 1_000]);
        at.push(1_000);
        let taken = taken(rule, &at);
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 2);
        assert_eq!(
            taken.last(),
            Some(&Ok(0)),
            "a client that hammers is let in when its time comes"
        );
    }

    #[test]
    fn over_any_time_no_more_is_let_through_than_burst_and_rate() {
        for (rate, burst) in [(1, 1), (7, 3), (50, 200), (1_000, 10)] {
            let rule = Rule::new(n(rate), Duration::from_secs(1), n(burst));
            let at: Vec<u64> = (0..20_000).map(|i| i / 3).collect();
            let through = taken(rule, &at).iter().filter(|taken| taken.is_ok()).count() as u64;
            let allowed = u64::from(burst) + u64::from(rate) * 6_666 / 1_000;
            let possible = at.len() as u64;
            assert!(
                through.abs_diff(allowed.min(possible)) <= 1,
                "{rate}/s: {through} of {allowed}"
            );
        }
    }

    #[test]
    fn it_says_when_it_is_full_again() {
        let rule = Rule::new(n(60), Duration::from_secs(60), n(5));
        let mut bucket = Bucket::default();
        rule.take(&mut bucket, 0);
        let second = rule.take(&mut bucket, 500 * MS);
        let expected =
            Allowance { limit: 5, remaining: 3, full_in: Duration::from_millis(1_500), wait: None };
        assert_eq!(second, expected);
        assert_eq!(rule.look(bucket, 3_600 * NS_PER_S).remaining, 5);
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let rule = Rule::new(n(u32::MAX), Duration::from_secs(1), n(u32::MAX));
        let mut bucket = Bucket::default();
        assert!(rule.take(&mut bucket, u64::MAX).wait.is_none());
        let slow = Rule::new(n(1), Duration::MAX, n(u32::MAX));
        assert!(slow.take(&mut bucket, u64::MAX).wait.is_none());
    }
}
