//! The figures of all rounds, and what is said of them: of each load its median round.

use crate::load::Measurement;
use crate::traffic::Traffic;
use crate::{Kind, Part};

/// What is loaded, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    Http(Traffic),
    /// Creates over HTTP, by a server whose projectors are off.
    Unprojected,
    /// Plain SQL, one transaction a wallet.
    Transaction,
    /// Plain SQL, one call of a stored function a wallet.
    Function,
    /// Plain SQL, arrays of wallets in one transaction.
    Arrays,
    /// Plain SQL, reads by primary key.
    PlainRead,
}

impl Subject {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Http(traffic) => traffic.name(),
            Self::Unprojected => "create, projectors off",
            Self::Transaction => "plain SQL, a transaction a wallet",
            Self::Function => "plain SQL, a function call a wallet",
            Self::Arrays => "plain SQL, arrays of 256 wallets",
            Self::PlainRead => "plain SQL, read by primary key",
        }
    }
}

/// What sets loads apart that are otherwise the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// A closed loop.
    Closed,
    /// An open loop that offers so many percent of the most there can be.
    Offered(u32),
    /// A closed loop whose requests bring an API key, which the server needs.
    WithKey,
    /// A closed loop on a database with so many million events.
    Stored(u32),
    /// A closed loop at a server that measures nothing.
    Unmeasured,
    /// A closed loop at a server that exports so many percent of its traces.
    Traced(u32),
}

/// A load, whichever the round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) part: Part,
    pub(crate) kind: Kind,
    pub(crate) subject: Subject,
    /// In a closed loop: connections. In an open one they grow, and this is 0.
    pub(crate) connections: usize,
    pub(crate) how: How,
}

impl Load {
    pub(crate) const fn closed(
        part: Part,
        kind: Kind,
        subject: Subject,
        connections: usize,
    ) -> Self {
        Self { part, kind, subject, connections, how: How::Closed }
    }

    pub(crate) const fn open(part: Part, kind: Kind, traffic: Traffic, percent: u32) -> Self {
        let how = How::Offered(percent);
        Self { part, kind, subject: Subject::Http(traffic), connections: 0, how }
    }

    pub(crate) fn name(&self) -> String {
        let name = self.subject.name();
        match self.how {
            How::Closed => name.to_owned(),
            How::WithKey => format!("{name}, with an API key"),
            How::Unmeasured => format!("{name}, metrics off"),
            How::Traced(percent) => format!("{name}, {percent} % of the traces exported"),
            How::Offered(percent) => format!("{name}, {percent} % offered"),
            How::Stored(0) => format!("{name}, no events stored"),
            How::Stored(1) => format!("{name}, 1 million events stored"),
            How::Stored(millions) => format!("{name}, {millions} million events stored"),
        }
    }
}

/// One load in one round.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) load: Load,
    pub(crate) round: u32,
    pub(crate) measurement: Measurement,
    /// In an open loop: requests that were due and never sent.
    pub(crate) unsent: usize,
}

/// One load in all rounds, slowest first.
#[derive(Debug, Clone)]
pub(crate) struct Row<'a> {
    pub(crate) load: Load,
    rounds: Vec<&'a Measurement>,
}

impl Row<'_> {
    /// The round whose rate is in the middle; of an even number the slower of two.
    pub(crate) fn median(&self) -> &Measurement {
        self.rounds[(self.rounds.len() - 1) / 2]
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

/// All that was measured.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(crate) samples: Vec<Sample>,
}

impl Figures {
    /// The loads, in the order in which they were first run.
    pub(crate) fn rows(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = Vec::new();
        for Sample { load, measurement, .. } in &self.samples {
            match rows.iter_mut().find(|row| row.load == *load) {
                Some(row) => row.rounds.push(measurement),
                None => rows.push(Row { load: *load, rounds: vec![measurement] }),
            }
        }
        for row in &mut rows {
            row.rounds.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        }
        rows
    }

    /// What `figure` says of a load in each round, with the round.
    pub(crate) fn of(&self, load: Load, figure: impl Fn(&Measurement) -> f64) -> Vec<(u32, f64)> {
        let samples = self.samples.iter().filter(|sample| sample.load == load);
        samples.map(|sample| (sample.round, figure(&sample.measurement))).collect()
    }

    /// The median rate of a load over its rounds.
    pub(crate) fn rate(&self, load: Load) -> Option<f64> {
        let mut rates: Vec<f64> =
            self.of(load, |one| one.rate).into_iter().map(|(_, r)| r).collect();
        rates.sort_by(f64::total_cmp);
        median_of(&rates)
    }

    /// One load's figure ÷ another's in the same round, in rising order. Empty when either was not
    /// measured.
    pub(crate) fn ratios(
        &self,
        above: Load,
        below: Load,
        figure: impl Fn(&Measurement) -> f64,
    ) -> Vec<f64> {
        let below = self.of(below, &figure);
        let above = self.of(above, &figure).into_iter();
        let mut ratios: Vec<f64> = above
            .filter_map(|(round, above)| {
                let (_, below) = below.iter().find(|(other, _)| *other == round)?;
                Some(above / below)
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }
}

/// The value in the middle of `sorted`; of an even number the lower of two.
pub(crate) fn median_of(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::load::latencies;

    pub(crate) const CREATE: Subject = Subject::Http(Traffic::Create);

    pub(crate) fn measurement(rate: f64, latency_us: u64) -> Measurement {
        let mut latencies_us = latencies().expect("a histogram");
        latencies_us.record(latency_us).expect("recorded");
        Measurement {
            connections: 64,
            latencies_us,
            rate,
            slices: vec![rate; 4],
            effect: Default::default(),
            overloaded_us: latencies().expect("a histogram"),
            errors: 0,
            first_error: None,
            usage: None,
        }
    }

    pub(crate) fn sample(load: Load, round: u32, rate: f64) -> Sample {
        Sample { load, round, measurement: measurement(rate, 1_500), unsent: 0 }
    }

    pub(crate) fn creates(subject: Subject, connections: usize) -> Load {
        Load::closed(Part::Creates, Kind::Postgres, subject, connections)
    }

    pub(crate) fn three_rounds() -> Figures {
        let rounds = [(3_000.0, 1_000.0), (1_000.0, 1_000.0), (4_000.0, 2_000.0)];
        let samples = (1..).zip(rounds).flat_map(|(round, (http, plain))| {
            [
                sample(creates(CREATE, 1), round, 100.0),
                sample(creates(CREATE, 64), round, http),
                sample(creates(Subject::Transaction, 64), round, plain),
            ]
        });
        Figures { samples: samples.collect() }
    }

    #[test]
    fn a_load_is_described_by_its_median_round() {
        let figures = three_rounds();
        let rows = figures.rows();
        let connections: Vec<_> = rows.iter().map(|row| row.load.connections).collect();
        assert_eq!(connections, [1, 64, 64]);
        assert!((rows[1].median().rate - 3_000.0).abs() < 0.1);
        assert_eq!(rows[1].spread(), (1_000.0, 4_000.0));
        assert_eq!(figures.rate(creates(CREATE, 64)), Some(3_000.0));
        assert_eq!(figures.rate(creates(CREATE, 16)), None);
    }

    #[test]
    fn ratios_are_of_the_same_round() {
        let mut figures = three_rounds();
        // Of a round in which only one of the two was measured nothing can be said.
        figures.samples.push(sample(creates(CREATE, 64), 4, 9_000.0));
        let ratio = |figures: &Figures, below| {
            figures.ratios(creates(CREATE, 64), creates(below, 64), |one| one.rate)
        };
        let ratios = ratio(&figures, Subject::Transaction);
        assert_eq!(ratios, [1.0, 2.0, 3.0]);
        assert_eq!(median_of(&ratios), Some(2.0));
        assert_eq!(median_of(&ratio(&figures, Subject::Function)), None);
    }
}
