//! Few wallets have most of what happens: the wallet of rank k is drawn 1/k as often as the first.

/// Zipf's law with exponent 1 over the ranks from 0.
#[derive(Debug)]
pub(crate) struct Zipf {
    /// For each rank the share of all draws that fall on it or on one before, rising to 1.
    cumulative: Vec<f64>,
}

impl Zipf {
    #[expect(clippy::cast_precision_loss, reason = "ranks are far below 2^53")]
    pub(crate) fn over(count: usize) -> Self {
        let mut sum = 0.0;
        let mut cumulative: Vec<f64> = (1..=count)
            .map(|rank| {
                sum += 1.0 / rank as f64;
                sum
            })
            .collect();
        for share in &mut cumulative {
            *share /= sum;
        }
        Self { cumulative }
    }

    /// The rank that `random`, evenly spread over all numbers, falls on.
    #[expect(
        clippy::cast_precision_loss,
        reason = "the lowest bits of a random number are no loss"
    )]
    pub(crate) fn rank(&self, random: u64) -> usize {
        let share = random as f64 / u64::MAX as f64;
        let rank = self.cumulative.partition_point(|upper| *upper <= share);
        rank.min(self.cumulative.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wallet::mix;

    #[test]
    fn the_first_is_drawn_twice_as_often_as_the_second() {
        let zipf = Zipf::over(4);
        let mut counts = [0.0; 4];
        for number in 0..25_000 {
            counts[zipf.rank(mix(number))] += 1.0;
        }
        // 1 + 1/2 + 1/3 + 1/4 = 25/12, so that the first has 12 of 25 draws.
        for (count, expected) in counts.into_iter().zip([12_000.0, 6_000.0, 4_000.0, 3_000.0]) {
            assert!((count / expected - 1.0_f64).abs() < 0.05, "{counts:?}");
        }
    }

    #[test]
    fn the_ends_are_ranks_as_well() {
        let zipf = Zipf::over(3);
        assert_eq!((zipf.rank(0), zipf.rank(u64::MAX)), (0, 2));
    }
}
