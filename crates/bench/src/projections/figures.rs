//! The figures of all rounds, and what is said of them: of each its median round.

use std::fmt;

use super::plain_sql::Projected;
use super::visibility::Visibility;
use crate::figures::median_of;
use crate::load::percentile_ms;

/// What is done to the backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// One projector catches up alone.
    CatchUp(Projected),
    /// Both at the same time.
    CatchUpBoth,
    Drift,
    /// Nothing is wrong.
    Rebuild,
    /// The tables are empty.
    RebuildFromNothing,
}

impl Work {
    pub(crate) fn name(self) -> String {
        match self {
            Self::CatchUp(projected) => format!("`{}` catches up, alone", projected.projector()),
            Self::CatchUpBoth => "both catch up, each of them".to_owned(),
            Self::Drift => "`wallex drift`".to_owned(),
            Self::Rebuild => "`wallex rebuild`, nothing is wrong".to_owned(),
            Self::RebuildFromNothing => "`wallex rebuild`, tables are empty".to_owned(),
        }
    }

    /// How many events a second it has to read or apply on PostgreSQL.
    pub(crate) const fn target(self) -> u64 {
        match self {
            Self::Drift => 50_000,
            Self::CatchUp(_) | Self::CatchUpBoth | Self::Rebuild | Self::RebuildFromNothing => {
                20_000
            }
        }
    }
}

/// Events a second, in one round.
#[derive(Debug, Clone)]
pub(crate) struct Speed {
    pub(crate) database: &'static str,
    pub(crate) work: Work,
    pub(crate) rate: f64,
    /// Events whose rows plain SQL writes in a second.
    pub(crate) plain: Option<f64>,
}

/// How soon new wallets were visible, in one round.
#[derive(Debug, Clone)]
pub(crate) struct Sighting {
    pub(crate) database: &'static str,
    /// As many creates a second as there could be, with the projectors running.
    pub(crate) most: f64,
    pub(crate) seen: Visibility,
}

impl Sighting {
    pub(crate) fn percentile_ms(&self, percent: f64) -> f64 {
        percentile_ms(&self.seen.latencies_us, percent)
    }
}

impl fmt::Display for Sighting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {:.0} creates/s of {:.0} at most: visible after {:.1} ms at p99 ({} looked for, \
             {} errors)",
            self.database,
            self.seen.rate,
            self.most,
            self.percentile_ms(99.0),
            self.seen.latencies_us.len(),
            self.seen.errors,
        )
    }
}

/// What all rounds came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Results {
    pub(crate) speeds: Vec<Speed>,
    pub(crate) sightings: Vec<Sighting>,
}

/// A piece of work in all rounds: rates and ratios in rising order.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) database: &'static str,
    pub(crate) work: Work,
    pub(crate) rates: Vec<f64>,
    pub(crate) plain: Vec<f64>,
    /// Rate ÷ that of plain SQL in the same round.
    pub(crate) ratios: Vec<f64>,
}

impl Results {
    /// By database and work, in the order in which they were first measured.
    pub(crate) fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = Vec::new();
        for &Speed { database, work, rate, plain } in &self.speeds {
            let same = |row: &Row| (row.database, row.work) == (database, work);
            let row = rows.iter().position(same).unwrap_or_else(|| {
                let (rates, plain, ratios) = Default::default();
                rows.push(Row { database, work, rates, plain, ratios });
                rows.len() - 1
            });
            rows[row].rates.push(rate);
            rows[row].plain.extend(plain);
            rows[row].ratios.extend(plain.map(|plain| rate / plain));
        }
        for row in &mut rows {
            for figures in [&mut row.rates, &mut row.plain, &mut row.ratios] {
                figures.sort_by(f64::total_cmp);
            }
        }
        rows
    }

    /// Of each database the round whose p99 is in the middle; of an even number the slower of two.
    pub(crate) fn median_sightings(&self) -> Vec<&Sighting> {
        let mut databases: Vec<&str> = self.sightings.iter().map(|one| one.database).collect();
        databases.dedup();
        let median = |database| {
            let mut rounds: Vec<_> =
                self.sightings.iter().filter(|one| one.database == database).collect();
            rounds.sort_by(|a, b| a.percentile_ms(99.0).total_cmp(&b.percentile_ms(99.0)));
            rounds.get(rounds.len() / 2).copied()
        };
        databases.into_iter().filter_map(median).collect()
    }
}

impl Row {
    /// The rate in the middle.
    pub(crate) fn median(&self) -> Option<f64> {
        median_of(&self.rates)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::load::latencies;

    pub(crate) fn two_rounds() -> Results {
        let speed = |work, rate, plain| Speed { database: "PostgreSQL", work, rate, plain };
        let ledger = Work::CatchUp(Projected::LedgerEntries);
        let sighting = |latency_us| {
            let mut latencies_us = latencies().expect("a histogram");
            latencies_us.record(latency_us).expect("recorded");
            let (rate, errors, first_error) = (99.0, 0, None);
            let seen = Visibility { offered: 100.0, rate, latencies_us, errors, first_error };
            Sighting { database: "PostgreSQL", most: 200.0, seen }
        };
        Results {
            speeds: vec![
                speed(ledger, 30_000.0, Some(60_000.0)),
                speed(Work::Drift, 70_000.0, None),
                speed(ledger, 24_000.0, Some(80_000.0)),
            ],
            sightings: vec![sighting(9_000), sighting(5_000)],
        }
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let rows = two_rounds().rows();
        let works: Vec<_> = rows.iter().map(|row| row.work).collect();
        assert_eq!(works, [Work::CatchUp(Projected::LedgerEntries), Work::Drift]);
        assert_eq!(rows[0].median(), Some(24_000.0));
        assert_eq!(rows[0].ratios, [0.3, 0.5]);
        assert_eq!(rows[1].ratios, [0.0; 0]);
    }

    #[test]
    fn of_two_sightings_the_slower_is_shown() {
        let results = two_rounds();
        let shown: Vec<_> =
            results.median_sightings().iter().map(|one| one.percentile_ms(99.0)).collect();
        assert_eq!(shown.len(), 1);
        assert!((8.9..9.1).contains(&shown[0]), "{shown:?}");
    }
}
