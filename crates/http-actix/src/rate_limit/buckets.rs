//! A bucket for each of many keys, in bounded memory.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use super::bucket::{Allowance, Bucket, Rule};

/// Parts that are locked apart from each other.
const PARTS: usize = 16;
/// Buckets in each part, at most; about 150 bytes each, so 10 MB in all. The one that was not used for
/// longest is forgotten, which fills it.
const BUCKETS_MAX: NonZeroUsize = NonZeroUsize::new(4_096).expect("invariant: not zero");

/// A bucket for each key that was seen lately; those of others are full.
pub(super) struct Buckets<K> {
    rule: Rule,
    hasher: RandomState,
    parts: [Mutex<LruCache<K, Bucket>>; PARTS],
}

/// A cache that takes memory only as it fills.
pub(super) fn bounded<K: Hash + Eq, V>(entries_max: NonZeroUsize) -> LruCache<K, V> {
    let mut cache = LruCache::unbounded();
    cache.resize(entries_max);
    cache
}

impl<K: Hash + Eq> Buckets<K> {
    pub(super) fn new(rule: Rule) -> Self {
        let parts = std::array::from_fn(|_| Mutex::new(bounded(BUCKETS_MAX)));
        Self { rule, hasher: RandomState::new(), parts }
    }

    /// Takes a token from the bucket of `key`.
    pub(super) fn take<Q>(&self, key: &Q, now_ns: u64) -> Allowance
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut part = self.part(key);
        if let Some(bucket) = part.get_mut(key) {
            return self.rule.take(bucket, now_ns);
        }
        let mut bucket = Bucket::default();
        let allowance = self.rule.take(&mut bucket, now_ns);
        part.put(key.to_owned(), bucket);
        allowance
    }

    /// What is in the bucket of `key`.
    pub(super) fn look<Q>(&self, key: &Q, now_ns: u64) -> Allowance
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let bucket = self.part(key).peek(key).copied().unwrap_or_default();
        self.rule.look(bucket, now_ns)
    }

    fn part<Q: Hash + ?Sized>(&self, key: &Q) -> MutexGuard<'_, LruCache<K, Bucket>> {
        #[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
        let part = self.hasher.hash_one(key) as usize % PARTS;
        // Nothing that is done under the lock can leave it half done.
        self.parts[part].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;
    use std::time::Duration;

    use super::*;

    fn one_an_hour() -> Buckets<String> {
        let one = NonZeroU32::MIN;
        Buckets::new(Rule::new(one, Duration::from_secs(3_600), one))
    }

    #[test]
    fn keys_have_buckets_of_their_own() {
        let buckets = one_an_hour();
        assert!(buckets.take("a", 0).wait.is_none());
        assert!(buckets.take("a", 0).wait.is_some());
        assert!(buckets.take("b", 0).wait.is_none());
        assert_eq!(buckets.look("a", 0).remaining, 0);
        assert_eq!(buckets.look("c", 0).remaining, 1);
    }

    #[test]
    fn any_number_of_keys_is_a_bounded_number_of_buckets() {
        let buckets = one_an_hour();
        for i in 0..3 * PARTS * BUCKETS_MAX.get() {
            buckets.take(i.to_string().as_str(), 0);
        }
        let kept: usize =
            buckets.parts.iter().map(|part| part.lock().expect("not poisoned").len()).sum();
        assert!(kept <= PARTS * BUCKETS_MAX.get(), "{kept}");
        // Whoever came last is still remembered.
        let last = 3 * PARTS * BUCKETS_MAX.get() - 1;
        assert!(buckets.take(last.to_string().as_str(), 0).wait.is_some());
    }

    #[test]
    fn threads_share_the_buckets() {
        let hundred = NonZeroU32::new(100).expect("not zero");
        let buckets =
            Buckets::<String>::new(Rule::new(hundred, Duration::from_secs(3_600), hundred));
        let taking = || (0..100).filter(|_| buckets.take("a", 0).wait.is_none()).count();
        let through: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(taking)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(through, 100);
    }
}
