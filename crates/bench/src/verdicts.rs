//! What is asked of Wallex on one machine, and whether it keeps it.

use crate::figures::{Figures, How, Load, Sample, Subject, median_of};
use crate::load::{Measurement, percentile_ms};
use crate::parts::{
    COMPARED, MANY, OVERLOAD_PERCENT, POSTGRES_MILLIONS, SWEEP, TRACED_PERCENT, WITH_KEYS,
};
use crate::table::table;
use crate::traffic::Traffic;
use crate::{Kind, Part};

const NOTHING: &str = "–";
const CREATE: Subject = Subject::Http(Traffic::Create);
const TRANSFER: Subject = Subject::Http(Traffic::Transfer);
/// A 503 that comes later than this was not at once, in milliseconds.
const AT_ONCE_MS: f64 = 100.0;

/// What a figure has to be.
#[derive(Debug, Clone, Copy)]
enum Target {
    AtLeast(f64),
    MoreThan(f64),
    AtMost(f64),
    LessThan(f64),
}

impl Target {
    fn is_met(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(limit) => figure >= limit,
            Self::MoreThan(limit) => figure > limit,
            Self::AtMost(limit) => figure <= limit,
            Self::LessThan(limit) => figure < limit,
        }
    }
}

/// How a figure is written.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Ratio,
    PerSecond,
    Milliseconds,
    Percent,
}

impl Unit {
    fn write(self, figure: f64) -> String {
        match self {
            Self::Ratio => format!("{figure:.2}"),
            Self::PerSecond => format!("{figure:.0}/s"),
            Self::Milliseconds => format!("{figure:.1} ms"),
            Self::Percent => format!("{figure:.1} %"),
        }
    }
}

/// A target and what was measured, in rising order; empty when it was not.
#[derive(Debug)]
pub(crate) struct Verdict {
    name: String,
    target: Target,
    unit: Unit,
    measured: Vec<f64>,
    /// What else the target asks for was not so.
    broken: Option<String>,
}

impl Verdict {
    fn new(name: impl Into<String>, target: Target, unit: Unit, mut measured: Vec<f64>) -> Self {
        measured.sort_by(f64::total_cmp);
        Self { name: name.into(), target, unit, measured, broken: None }
    }

    fn ratio(name: impl Into<String>, target: Target, measured: Vec<f64>) -> Self {
        Self::new(name, target, Unit::Ratio, measured)
    }

    /// Whether the median keeps the target; none when it was not measured.
    pub(crate) fn is_met(&self) -> Option<bool> {
        let median = median_of(&self.measured)?;
        Some(self.broken.is_none() && self.target.is_met(median))
    }

    fn cells(&self) -> [String; HEADINGS.len()] {
        let written = |figure| self.unit.write(figure);
        let target = match self.target {
            Target::AtLeast(limit) => format!("at least {}", written(limit)),
            Target::MoreThan(limit) => format!("more than {}", written(limit)),
            Target::AtMost(limit) => format!("at most {}", written(limit)),
            Target::LessThan(limit) => format!("less than {}", written(limit)),
        };
        let ends = self.measured.first().zip(self.measured.last());
        let spread = ends.map(|(low, high)| format!("{} to {}", written(*low), written(*high)));
        let verdict = match (self.is_met(), &self.broken) {
            (None, _) => "not measured".to_owned(),
            (Some(true), _) => "met".to_owned(),
            (Some(false), None) => "**missed**".to_owned(),
            (Some(false), Some(why)) => format!("**missed**: {why}"),
        };
        [
            self.name.clone(),
            target,
            median_of(&self.measured).map_or_else(|| NOTHING.to_owned(), written),
            spread.unwrap_or_else(|| NOTHING.to_owned()),
            verdict,
        ]
    }
}

const HEADINGS: [&str; 5] = ["What", "Target", "Measured", "Lowest to highest round", "Verdict"];

/// The table of all targets.
pub(crate) fn verdict_table(figures: &Figures) -> String {
    table(HEADINGS, HEADINGS.len(), verdicts(figures).iter().map(Verdict::cells))
}

/// All targets, measured or not.
pub(crate) fn verdicts(figures: &Figures) -> Vec<Verdict> {
    let mut verdicts = Vec::from(against_plain_sql(figures));
    verdicts.extend(among_loads(figures));
    verdicts.extend(with_keys(figures));
    verdicts.extend(overhead(figures));
    verdicts.extend(under_pressure(figures));
    verdicts.extend(open_loop(figures));
    verdicts
        .extend([Traffic::Create, Traffic::CreditRandom].map(|traffic| growth(figures, traffic)));
    verdicts.extend(most(figures));
    verdicts
}

fn rate(measurement: &Measurement) -> f64 {
    measurement.rate
}

fn on_postgres(part: Part, subject: Subject, connections: usize) -> Load {
    Load::closed(part, Kind::Postgres, subject, connections)
}

/// That of 64 and 256 connections which is faster in its median round.
fn better(figures: &Figures, kind: Kind, subject: Subject) -> Load {
    let [few, many] =
        [COMPARED, MANY].map(|connections| Load::closed(Part::Creates, kind, subject, connections));
    if figures.rate(many) > figures.rate(few) { many } else { few }
}

fn against_plain_sql(figures: &Figures) -> [Verdict; 4] {
    let creates = |subject, connections| on_postgres(Part::Creates, subject, connections);
    let create = better(figures, Kind::Postgres, CREATE);
    let unprojected = better(figures, Kind::Postgres, Subject::Unprojected);
    let read = |subject| on_postgres(Part::Reads, subject, COMPARED);
    [
        Verdict::ratio(
            format!(
                "Create at {} connections ÷ plain SQL, a transaction a wallet at {COMPARED}",
                create.connections
            ),
            Target::AtLeast(2.5),
            figures.ratios(create, creates(Subject::Transaction, COMPARED), rate),
        ),
        Verdict::ratio(
            format!(
                "Create at {} connections, projectors off ÷ plain SQL, arrays of 256 wallets",
                unprojected.connections
            ),
            Target::AtLeast(0.45),
            figures.ratios(unprojected, creates(Subject::Arrays, 1), rate),
        ),
        Verdict::ratio(
            "Latency (p50) of a create alone ÷ of a plain transaction alone, 1 connection",
            Target::AtMost(1.0),
            figures.ratios(creates(CREATE, 1), creates(Subject::Transaction, 1), |measurement| {
                measurement.percentile_ms(50.0)
            }),
        ),
        Verdict::ratio(
            format!("Read by id ÷ plain SQL by primary key, {COMPARED} connections"),
            Target::AtLeast(0.5),
            figures.ratios(read(Subject::Http(Traffic::Read)), read(Subject::PlainRead), rate),
        ),
    ]
}

fn among_loads(figures: &Figures) -> [Verdict; 3] {
    let movement = |traffic| on_postgres(Part::Movements, Subject::Http(traffic), MANY);
    let ratios = |above, below| figures.ratios(movement(above), movement(below), rate);
    let [sqlite, postgres] =
        [Kind::Sqlite, Kind::Postgres].map(|kind| better(figures, kind, CREATE));
    [
        Verdict::ratio(
            format!("Credit one wallet ÷ credit random wallets, {MANY} connections"),
            Target::AtLeast(0.9),
            ratios(Traffic::CreditOne, Traffic::CreditRandom),
        ),
        Verdict::ratio(
            format!("Transfers ÷ creates, {MANY} connections"),
            Target::AtLeast(0.5),
            ratios(Traffic::Transfer, Traffic::Create),
        ),
        Verdict::ratio(
            format!(
                "Create on SQLite at {} connections ÷ on PostgreSQL at {}",
                sqlite.connections, postgres.connections
            ),
            Target::AtLeast(1.0),
            figures.ratios(sqlite, postgres, rate),
        ),
    ]
}

fn with_keys(figures: &Figures) -> [Verdict; WITH_KEYS.len()] {
    WITH_KEYS.map(|(traffic, connections)| {
        let open = on_postgres(Part::Keys, Subject::Http(traffic), connections);
        let with_key = Load { how: How::WithKey, ..open };
        Verdict::ratio(
            format!("With an API key ÷ open: {}, {connections} connections", traffic.name()),
            Target::AtLeast(0.95),
            figures.ratios(with_key, open, rate),
        )
    })
}

/// Of two servers on databases of their own, one right behind the other.
fn overhead(figures: &Figures) -> [Verdict; 2] {
    let measured = on_postgres(Part::Overhead, CREATE, MANY);
    let unmeasured = Load { how: How::Unmeasured, ..measured };
    let traced = Load { how: How::Traced(TRACED_PERCENT), ..measured };
    [
        Verdict::ratio(
            format!("Create with metrics ÷ without, {MANY} connections"),
            Target::AtLeast(0.97),
            figures.ratios(measured, unmeasured, rate),
        ),
        Verdict::ratio(
            format!(
                "Create with {TRACED_PERCENT} % of the traces exported ÷ with none, {MANY} connections"
            ),
            Target::AtLeast(0.9),
            figures.ratios(traced, measured, rate),
        ),
    ]
}

fn under_pressure(figures: &Figures) -> [Verdict; 2] {
    let most_connections = SWEEP[SWEEP.len() - 1];
    let swept = |connections| on_postgres(Part::Connections, CREATE, connections);
    let mut connected = Verdict::ratio(
        format!("Create at {most_connections} connections ÷ at {MANY}, no errors"),
        Target::AtLeast(0.8),
        figures.ratios(swept(most_connections), swept(MANY), rate),
    );
    let of = |load| figures.samples.iter().filter(move |sample| sample.load == load);
    let errors: u64 = of(swept(most_connections)).map(|sample| sample.measurement.errors).sum();
    connected.broken = (errors > 0).then(|| format!("{errors} errors"));

    let overload = Load::open(Part::Overload, Kind::Postgres, Traffic::Create, OVERLOAD_PERCENT);
    let goodput = figures.ratios(overload, on_postgres(Part::Overload, CREATE, MANY), rate);
    let mut overloaded = Verdict::ratio(
        "Creates done at 3 times the maximum ÷ the maximum, the others refused at once",
        Target::AtLeast(0.7),
        goodput,
    );
    overloaded.broken = of(overload).find_map(late_refusals);
    [connected, overloaded]
}

/// What is not as it should be when too much arrives.
fn late_refusals(Sample { measurement, unsent, .. }: &Sample) -> Option<String> {
    if measurement.errors > 0 {
        return Some(format!("{} errors", measurement.errors));
    }
    // Of the last millisecond some may always be waiting.
    let answered = measurement.latencies_us.len() + measurement.overloaded_us.len();
    if (*unsent as u64) * 100 > answered {
        return Some(format!("{unsent} requests found no connection"));
    }
    let p99 = percentile_ms(&measurement.overloaded_us, 99.0);
    (p99 > AT_ONCE_MS).then(|| format!("503 after {p99:.0} ms (p99)"))
}

fn open_loop(figures: &Figures) -> Vec<Verdict> {
    let half = |traffic| Load::open(Part::OpenLoop, Kind::Postgres, traffic, 50);
    let figure = |traffic, figure: fn(&Measurement) -> f64| {
        figures.of(half(traffic), figure).into_iter().map(|(_, figure)| figure).collect()
    };
    let both = [(Traffic::Create, "Creates"), (Traffic::Transfer, "Transfers")];
    let tails = both.map(|(traffic, name)| {
        Verdict::ratio(
            format!("{name} at 50 % load, open loop: p99 ÷ p50"),
            Target::AtMost(5.0),
            figure(traffic, |one| one.percentile_ms(99.0) / one.percentile_ms(50.0)),
        )
    });
    let latencies = both.map(|(traffic, name)| {
        Verdict::new(
            format!("{name} at 50 % load, open loop: p99"),
            Target::LessThan(35.0),
            Unit::Milliseconds,
            figure(traffic, |one| one.percentile_ms(99.0)),
        )
    });
    tails.into_iter().chain(latencies).collect()
}

/// What of the rate is lost with the most events stored: of the medians, for the sizes are measured
/// one after the other.
fn growth(figures: &Figures, traffic: Traffic) -> Verdict {
    let most = POSTGRES_MILLIONS[POSTGRES_MILLIONS.len() - 1];
    let [empty, full] = [0, most].map(|millions| {
        let load = on_postgres(Part::Growth, Subject::Http(traffic), MANY);
        figures.rate(Load { how: How::Stored(millions), ..load })
    });
    let lost = empty.zip(full).map(|(empty, full)| (1.0 - full / empty) * 100.0);
    Verdict::new(
        format!("Rate lost with {most} million events stored: {}", traffic.name()),
        Target::AtMost(15.0),
        Unit::Percent,
        lost.into_iter().collect(),
    )
}

/// The best median over whatever connections.
fn most(figures: &Figures) -> [Verdict; 2] {
    let best = |subject: Subject| {
        let rows = figures.rows();
        let of_subject = rows.iter().filter(|row| {
            let Load { kind, subject: of, how, .. } = row.load;
            (kind, of, how) == (Kind::Postgres, subject, How::Closed)
        });
        let best = of_subject.max_by(|a, b| a.median().rate.total_cmp(&b.median().rate));
        best.map(|row| {
            let (lowest, highest) = row.spread();
            vec![lowest, row.median().rate, highest]
        })
    };
    let verdict = |name: &str, subject, target| {
        let measured = best(subject).unwrap_or_default();
        Verdict::new(name, Target::MoreThan(target), Unit::PerSecond, measured)
    };
    [
        verdict("Durable creates, at best", CREATE, 10_000.0),
        verdict("Durable transfers, at best", TRANSFER, 6_000.0),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::tests::{creates, measurement, sample, three_rounds};

    fn line(figures: &Figures, name: &str) -> Vec<String> {
        let verdicts = verdicts(figures);
        let verdict = verdicts.iter().find(|verdict| verdict.name.contains(name)).expect(name);
        verdict.cells()[1..].to_vec()
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_and_has_a_verdict() {
        let figures = three_rounds();
        let expected = ["at least 2.50", "2.00", "1.00 to 3.00", "**missed**"];
        assert_eq!(line(&figures, "a transaction a wallet at 64"), expected);
        let nothing = ["at least 0.50", "–", "–", "not measured"];
        assert_eq!(line(&figures, "Read by id"), nothing);
        let best = ["more than 10000/s", "3000/s", "1000/s to 4000/s", "**missed**"];
        assert_eq!(line(&figures, "Durable creates"), best);
    }

    #[test]
    fn the_better_number_of_connections_is_compared_and_named() {
        let mut figures = three_rounds();
        for round in 1..=3 {
            figures.samples.push(sample(creates(CREATE, 256), round, 6_000.0));
        }
        let expected = ["at least 2.50", "6.00", "3.00 to 6.00", "met"];
        assert_eq!(line(&figures, "Create at 256 connections ÷"), expected);
    }

    #[test]
    fn what_brings_a_key_is_compared_with_what_needs_none() {
        let open = on_postgres(Part::Keys, CREATE, MANY);
        let with_key = Load { how: How::WithKey, ..open };
        let samples = vec![sample(open, 1, 1_000.0), sample(with_key, 1, 940.0)];
        let expected = ["at least 0.95", "0.94", "0.94 to 0.94", "**missed**"];
        assert_eq!(line(&Figures { samples }, "÷ open: create"), expected);
    }

    #[test]
    fn what_is_seen_is_compared_with_what_is_not() {
        let measured = on_postgres(Part::Overhead, CREATE, MANY);
        let other = |how| Load { how, ..measured };
        let samples = vec![
            sample(measured, 1, 980.0),
            sample(other(How::Unmeasured), 1, 1_000.0),
            sample(other(How::Traced(TRACED_PERCENT)), 1, 784.0),
        ];
        let figures = Figures { samples };
        let metrics = ["at least 0.97", "0.98", "0.98 to 0.98", "met"];
        assert_eq!(line(&figures, "with metrics ÷ without"), metrics);
        let traces = ["at least 0.90", "0.80", "0.80 to 0.80", "**missed**"];
        assert_eq!(line(&figures, "traces exported ÷"), traces);
    }

    #[test]
    fn what_grew_is_compared_with_what_was_empty() {
        let load = on_postgres(Part::Growth, CREATE, MANY);
        let at = |millions, rate| sample(Load { how: How::Stored(millions), ..load }, 1, rate);
        let figures = Figures { samples: vec![at(0, 1_000.0), at(1, 990.0), at(10, 900.0)] };
        let expected = ["at most 15.0 %", "10.0 %", "10.0 % to 10.0 %", "met"];
        assert_eq!(line(&figures, "stored: create"), expected);
    }

    #[test]
    fn requests_that_were_never_sent_are_no_success() {
        let load = Load::open(Part::Overload, Kind::Postgres, Traffic::Create, OVERLOAD_PERCENT);
        let most = on_postgres(Part::Overload, CREATE, MANY);
        let overloaded =
            Sample { load, round: 1, measurement: measurement(900.0, 1_000), unsent: 3 };
        let mut figures = Figures { samples: vec![sample(most, 1, 1_000.0), overloaded] };
        let missed = line(&figures, "3 times the maximum");
        assert_eq!(missed[3], "**missed**: 3 requests found no connection");
        figures.samples[1].unsent = 0;
        assert_eq!(line(&figures, "3 times the maximum")[3], "met");
    }

    #[test]
    fn a_target_is_met_by_its_limit_or_not() {
        let met = [Target::AtLeast(1.0), Target::AtMost(1.0)].map(|target| target.is_met(1.0));
        assert_eq!(met, [true, true]);
        let met = [Target::MoreThan(1.0), Target::LessThan(1.0)].map(|target| target.is_met(1.0));
        assert_eq!(met, [false, false]);
    }
}
