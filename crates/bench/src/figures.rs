//! The figures of all rounds, and what is said of them: of each load its median round.

use crate::Kind;
use crate::load::Measurement;

/// Where the headline comparison is made.
pub(crate) const COMPARED_CONNECTIONS: usize = 64;

/// What creates wallets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    HttpOnSqlite,
    HttpOnPostgres,
    PlainSqlOnPostgres,
}

impl Subject {
    pub(crate) const fn database(self) -> &'static str {
        match self {
            Self::HttpOnSqlite => Kind::Sqlite.name(),
            Self::HttpOnPostgres | Self::PlainSqlOnPostgres => Kind::Postgres.name(),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::HttpOnSqlite | Self::HttpOnPostgres => "`POST /wallets`",
            Self::PlainSqlOnPostgres => "plain SQL, a transaction a wallet",
        }
    }
}

/// One load in one round.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) subject: Subject,
    pub(crate) measurement: Measurement,
}

/// One load in all rounds, slowest first.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) connections: usize,
    rounds: Vec<Measurement>,
}

impl Row {
    /// The round whose rate is in the middle; of an even number the slower of two.
    pub(crate) fn median(&self) -> &Measurement {
        &self.rounds[(self.rounds.len() - 1) / 2]
    }

    /// The lowest and the highest rate.
    pub(crate) fn spread(&self) -> (f64, f64) {
        (self.rounds[0].rate, self.rounds[self.rounds.len() - 1].rate)
    }

    /// Errors of all rounds.
    pub(crate) fn errors(&self) -> u64 {
        self.rounds.iter().map(|round| round.errors).sum()
    }

    /// What the first error of any round said.
    pub(crate) fn first_error(&self) -> Option<&str> {
        self.rounds.iter().find_map(|round| round.first_error.as_deref())
    }
}

/// The loads of `samples`, in the order in which they were first run.
pub(crate) fn rows(samples: &[Sample]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for Sample { subject, measurement } in samples {
        let (subject, connections) = (*subject, measurement.connections);
        let same = |row: &&mut Row| (row.subject, row.connections) == (subject, connections);
        match rows.iter_mut().find(same) {
            Some(row) => row.rounds.push(measurement.clone()),
            None => rows.push(Row { subject, connections, rounds: vec![measurement.clone()] }),
        }
    }
    for row in &mut rows {
        row.rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    }
    rows
}

/// How many times as fast creates over HTTP are as plain SQL on the same server: the ratio of each
/// round, in rising order. Empty when either was not measured at the connections that are compared.
pub(crate) fn ratios(samples: &[Sample]) -> Vec<f64> {
    let rates = |subject| {
        samples
            .iter()
            .filter(move |sample| sample.subject == subject)
            .filter(|sample| sample.measurement.connections == COMPARED_CONNECTIONS)
            .map(|sample| sample.measurement.rate)
    };
    let pairs = rates(Subject::HttpOnPostgres).zip(rates(Subject::PlainSqlOnPostgres));
    let mut ratios: Vec<f64> = pairs.map(|(http, plain)| http / plain).collect();
    ratios.sort_by(f64::total_cmp);
    ratios
}

/// The value in the middle of `sorted`; of an even number the lower of two.
pub(crate) fn median_of(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
pub(crate) mod tests {
    use hdrhistogram::Histogram;

    use super::*;

    pub(crate) fn sample(subject: Subject, connections: usize, rate: f64) -> Sample {
        let mut latencies_us = Histogram::new(3).expect("a histogram");
        latencies_us.record(1_500).expect("recorded");
        let measurement = Measurement {
            connections,
            latencies_us,
            rate,
            acknowledged: 1,
            errors: 0,
            first_error: None,
        };
        Sample { subject, measurement }
    }

    pub(crate) fn three_rounds() -> Vec<Sample> {
        let rounds = [(3_000.0, 1_000.0), (1_000.0, 1_000.0), (4_000.0, 2_000.0)];
        rounds
            .iter()
            .flat_map(|(http, plain)| {
                [
                    sample(Subject::HttpOnPostgres, 1, 100.0),
                    sample(Subject::HttpOnPostgres, COMPARED_CONNECTIONS, *http),
                    sample(Subject::PlainSqlOnPostgres, COMPARED_CONNECTIONS, *plain),
                ]
            })
            .collect()
    }

    #[test]
    fn a_load_is_described_by_its_median_round() {
        let rows = rows(&three_rounds());
        let connections: Vec<_> = rows.iter().map(|row| row.connections).collect();
        assert_eq!(connections, [1, 64, 64]);
        assert!((rows[1].median().rate - 3_000.0).abs() < 0.1);
        assert_eq!(rows[1].spread(), (1_000.0, 4_000.0));
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let ratios = ratios(&three_rounds());
        assert_eq!(ratios, [1.0, 2.0, 3.0]);
        assert_eq!(median_of(&ratios), Some(2.0));
        assert_eq!(median_of(&[]), None);
    }
}
