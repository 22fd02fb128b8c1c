//! One second of a server, as listeners are told it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use wallex_ports::{ProjectorOverall, ProjectorStatus, Timestamp};

use super::recorder::{Counts, Latency};
use crate::admin_json::FailureJson;
use crate::wallet::rfc3339;

/// What was seen at one moment, and counted in the second before it.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(super) at: Timestamp,
    pub(super) counts: Counts,
    /// How long it was counted.
    pub(super) counted: Duration,
    /// Commands that wait.
    pub(super) queued: u64,
    pub(super) projectors: Seen,
}

/// What the database told of the projectors.
#[derive(Debug, Clone)]
pub(super) enum Seen {
    /// It was not asked: nobody listened.
    NotAsked,
    /// It was asked, and did not tell in time.
    Unavailable,
    /// How they stand.
    Told(Standing),
}

/// How the projectors stand over all shards. Of a thousand shards no more is remembered than of one.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    outbox: OutboxJson,
    projectors: Vec<ProjectorOverall>,
}

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Viewer {
    /// An operator of the server, who may know what a projector failed at and who holds it.
    Operator,
    /// Somebody who may know the server's figures: what a projector fails at may be anybody's.
    Metrics,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SampleJson<'s> {
    at: String,
    creates_per_s: f64,
    movements_per_s: f64,
    requests_per_s: f64,
    errors_per_s: f64,
    refused_per_s: f64,
    latency_ms: Option<Latency>,
    lane: LaneJson,
    outbox: Option<OutboxJson>,
    projectors: Option<Vec<ProjectorJson<'s>>>,
}

#[derive(Serialize)]
struct LaneJson {
    queued: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
struct OutboxJson {
    lag_events: u64,
    lag_age_ms: u64,
}

/// A projector over all shards.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProjectorJson<'s> {
    name: &'s str,
    state: &'static str,
    position: u64,
    head: u64,
    lag_events: u64,
    lag_age_ms: u64,
    rate_per_s: u64,
    parked_wallets: u64,
    holder: Option<&'s str>,
    last_error: Option<FailureJson>,
}

#[derive(Serialize)]
struct UnavailableJson {
    at: String,
    parts: [&'static str; 2],
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            at: Timestamp::from_unix_ms(0),
            counts: Counts::default(),
            counted: Duration::from_secs(1),
            queued: 0,
            projectors: Seen::NotAsked,
        }
    }
}

impl Sample {
    /// It as JSON, with what `viewer` may know.
    pub(crate) fn json(&self, viewer: Viewer) -> String {
        as_json(&SampleJson::new(self, viewer))
    }

    /// What could not be had for it, as JSON.
    pub(crate) fn unavailable_json(&self) -> Option<String> {
        let is_unavailable = matches!(self.projectors, Seen::Unavailable);
        let json = || UnavailableJson { at: rfc3339(self.at), parts: ["outbox", "projectors"] };
        is_unavailable.then(|| as_json(&json()))
    }

    /// `count` in a second, to a tenth.
    fn per_s(&self, count: u64) -> f64 {
        let seconds = self.counted.as_secs_f64();
        if seconds > 0.0 { (count as f64 / seconds * 10.0).round() / 10.0 } else { 0.0 }
    }
}

fn as_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("invariant: strings and numbers always serialise")
}

impl<'s> SampleJson<'s> {
    fn new(sample: &'s Sample, viewer: Viewer) -> Self {
        let Counts { requests, errors, refused, creates, movements, latency } = sample.counts;
        let told = match &sample.projectors {
            Seen::Told(standing) => Some(standing),
            Seen::NotAsked | Seen::Unavailable => None,
        };
        let projectors = |standing: &'s Standing| {
            standing.projectors.iter().map(|overall| ProjectorJson::new(overall, viewer)).collect()
        };
        Self {
            at: rfc3339(sample.at),
            creates_per_s: sample.per_s(creates),
            movements_per_s: sample.per_s(movements),
            requests_per_s: sample.per_s(requests),
            errors_per_s: sample.per_s(errors),
            refused_per_s: sample.per_s(refused),
            latency_ms: latency,
            lane: LaneJson { queued: sample.queued },
            outbox: told.map(|standing| standing.outbox),
            projectors: told.map(projectors),
        }
    }
}

impl Standing {
    /// By how every projector stands in every shard, in the order of names.
    pub(super) fn of(statuses: &[ProjectorStatus]) -> Self {
        Self { outbox: OutboxJson::of(statuses), projectors: ProjectorOverall::of_each(statuses) }
    }
}

impl OutboxJson {
    /// In each shard the slowest projector counts.
    fn of(statuses: &[ProjectorStatus]) -> Self {
        let mut slowest = BTreeMap::<u16, u64>::new();
        for status in statuses {
            let lag_events = slowest.entry(status.shard).or_default();
            *lag_events = status.lag_events().max(*lag_events);
        }
        Self {
            lag_events: slowest.values().sum(),
            lag_age_ms: statuses.iter().map(|status| status.lag_age_ms).max().unwrap_or(0),
        }
    }
}

impl<'s> ProjectorJson<'s> {
    fn new(overall: &'s ProjectorOverall, viewer: Viewer) -> Self {
        let is_operator = viewer == Viewer::Operator;
        Self {
            name: &overall.projector,
            state: overall.state.as_str(),
            position: overall.position,
            head: overall.head,
            lag_events: overall.lag_events,
            lag_age_ms: overall.lag_age_ms,
            rate_per_s: overall.events_per_second,
            parked_wallets: overall.parked_wallets,
            holder: overall.holder.as_deref().filter(|_| is_operator),
            last_error: overall.last_error.as_ref().filter(|_| is_operator).map(FailureJson::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use wallex_ports::ProjectorState;

    use super::*;

    fn status(projector: &str, shard: u16, position: u64) -> ProjectorStatus {
        ProjectorStatus {
            projector: projector.to_owned(),
            shard,
            state: ProjectorState::Running,
            position,
            head: 50,
            lag_age_ms: 50 - position,
            events_per_second: 7,
            holder: Some("here:1:a".to_owned()),
            epoch: 1,
            updated_at: Timestamp::from_unix_ms(0),
            last_error: None,
            parked_wallets: 1,
        }
    }

    fn told(statuses: &[ProjectorStatus]) -> Sample {
        Sample { projectors: Seen::Told(Standing::of(statuses)), ..Sample::default() }
    }

    fn shown(sample: &Sample, viewer: Viewer) -> Value {
        serde_json::from_str(&sample.json(viewer)).expect("JSON")
    }

    #[test]
    fn a_second_is_told_in_figures() {
        let latency = Some(Latency { p50: 1.0, p95: 2.0, p99: 3.0 });
        let counts =
            Counts { requests: 30, errors: 1, refused: 2, creates: 3, movements: 4, latency };
        let counted = Duration::from_millis(1_500);
        let sample = Sample { counts, counted, queued: 9, ..Sample::default() };
        assert_eq!(
            shown(&sample, Viewer::Operator),
            json!({
                "at": "1970-01-01T00:00:00.000Z", "createsPerS": 2.0, "movementsPerS": 2.7,
                "requestsPerS": 20.0, "errorsPerS": 0.7, "refusedPerS": 1.3,
                "latencyMs": {"p50": 1.0, "p95": 2.0, "p99": 3.0}, "lane": {"queued": 9},
                "outbox": null, "projectors": null,
            })
        );
        assert_eq!(sample.unavailable_json(), None);
        let unavailable = Sample { projectors: Seen::Unavailable, ..sample };
        assert!(unavailable.unavailable_json().is_some_and(|json| json.contains("projectors")));
    }

    #[test]
    fn projectors_are_told_over_all_shards_and_the_outbox_by_the_slowest() {
        let mut failing = status("ledger", 1, 10);
        failing.state = ProjectorState::Failing;
        failing.holder = Some("there:2:b".to_owned());
        failing.last_error = Some(("no luck".to_owned(), Timestamp::from_unix_ms(1)));
        let all = [status("ledger", 0, 48), failing, status("read_model", 0, 20)];
        let json = shown(&told(&all), Viewer::Operator);
        assert_eq!(json["outbox"], json!({"lagEvents": 30 + 40, "lagAgeMs": 40}));
        assert_eq!(
            json["projectors"][0],
            json!({
                "name": "ledger", "state": "failing", "position": 58, "head": 100,
                "lagEvents": 42, "lagAgeMs": 40, "ratePerS": 14, "parkedWallets": 2,
                "holder": null,
                "lastError": {"message": "no luck", "at": "1970-01-01T00:00:00.001Z"},
            })
        );
        assert_eq!(json["projectors"][1]["holder"], "here:1:a");
    }

    #[test]
    fn what_may_be_anybodys_is_for_operators_alone() {
        let mut failing = status("ledger", 0, 10);
        failing.last_error = Some(("wallet w-1 of acme".to_owned(), Timestamp::from_unix_ms(1)));
        let sample = told(&[failing]);
        assert!(sample.json(Viewer::Operator).contains("acme"));
        let json = shown(&sample, Viewer::Metrics);
        assert_eq!(json["projectors"][0]["holder"], Value::Null);
        assert_eq!(json["projectors"][0]["lastError"], Value::Null);
        assert_eq!(json["projectors"][0]["lagEvents"], 40);
    }
}
