//! `/metrics`: the recorder behind the `metrics` facade, what every metric means, and what is asked
//! of the database at each scrape.

mod catalogue;
mod process;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use metrics::gauge;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::runtime::Handle;
use tokio::time::timeout;
use wallex_database::{Database, PoolStatus};
use wallex_http_actix::MetricsSource;
use wallex_outbox::Lag;
use wallex_ports::{ProjectorOverall, Projectors as _, ReadError};
use wallex_projectors::SqlProjectors;

use catalogue::{
    BUILD_INFO, CACHE_HIT_RATE, CACHE_LOOKUPS, CREATE_DURATION, DEAD_LETTERS, OUTBOX_LAG_AGE,
    OUTBOX_LAG_EVENTS, POOL_CONNECTIONS, POOL_CONNECTIONS_MAX, PROJECTOR_LAG, PROJECTOR_LAG_AGE,
};
pub(crate) use catalogue::{
    IDEMPOTENCY_SWEPT, OUTBOX_CLEANED, POOL_WAIT, TLS_CERTIFICATE_EXPIRY, TLS_RELOADS,
};

/// How long a scrape waits for the database.
const LAG_TIMEOUT: Duration = Duration::from_secs(1);

/// Upper bounds in milliseconds: fine where a creation should be, up to where it is an incident.
const CREATE_BUCKETS_MS: &[f64] = &[
    1.0, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 50.0, 60.0, 75.0, 85.0,
    100.0, 120.0, 150.0, 200.0, 300.0, 400.0, 500.0, 1_000.0, 2_500.0, 5_000.0, 10_000.0,
];
/// Upper bounds in seconds: from one statement to a deadline.
const SECONDS_BUCKETS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Upper bounds of a count of commands in one go.
const COUNT_BUCKETS: &[f64] =
    &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 4_096.0];

/// The process's metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// `None`: nothing is recorded.
    handle: Option<PrometheusHandle>,
}

impl Metrics {
    /// Installs the recorder for the whole process, unless they are off.
    ///
    /// # Errors
    /// When there is one already.
    pub(crate) fn install(is_on: bool) -> anyhow::Result<Self> {
        if !is_on {
            return Ok(Self { handle: None });
        }
        let recorder = builder().context("metrics can't be set up")?.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).context("metrics can't be set up")?;
        catalogue::describe();
        Ok(Self { handle: Some(handle) })
    }

    /// Whether anything is recorded.
    pub(crate) fn is_on(&self) -> bool {
        self.handle.is_some()
    }

    /// Empties the buffers of the histograms, which otherwise grow until the next scrape.
    pub(crate) fn upkeep(&self) {
        if let Some(handle) = &self.handle {
            handle.run_upkeep();
        }
    }

    /// What `/metrics` shows: the process's own figures and the lag of `db`; nothing when they are off.
    /// Must be called on the runtime that the database was opened on.
    pub(crate) fn source(&self, db: Arc<Database>) -> Option<Arc<dyn MetricsSource>> {
        let handle = self.handle.clone()?;
        let (version, database) = (env!("CARGO_PKG_VERSION"), db.place().system);
        gauge!(BUILD_INFO, "version" => version, "database" => database).set(1.0);
        Some(Arc::new(Source { handle, db, runtime: Handle::current() }))
    }
}

fn builder() -> Result<PrometheusBuilder, metrics_exporter_prometheus::BuildError> {
    PrometheusBuilder::new()
        .set_buckets(COUNT_BUCKETS)?
        .set_buckets_for_metric(Matcher::Full(CREATE_DURATION.to_owned()), CREATE_BUCKETS_MS)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS_BUCKETS)
}

struct Source {
    handle: PrometheusHandle,
    db: Arc<Database>,
    /// Where the database is asked. A web worker that is scraped has a runtime of its own, and a
    /// connection that was opened there would die with it.
    runtime: Handle,
}

impl Source {
    /// The lag, and how each projector stands, when the database tells in time.
    async fn ask(&self) -> Option<(Lag, Vec<ProjectorOverall>)> {
        let db = Arc::clone(&self.db);
        let asking = async move {
            let lag = wallex_outbox::lag(&db).await?;
            let statuses = SqlProjectors::new(db).status().await?;
            Ok::<_, ReadError>((lag, ProjectorOverall::of_each(&statuses)))
        };
        let answer = self.runtime.spawn(timeout(LAG_TIMEOUT, asking)).await;
        answer.ok()?.ok()?.ok()
    }
}

/// Shows how each projector stands, over all shards.
fn show_projectors(all: &[ProjectorOverall]) {
    for projector in catalogue::projectors() {
        let mine = all.iter().find(|overall| overall.projector == projector);
        let figure = |of: fn(&ProjectorOverall) -> f64| mine.map_or(f64::NAN, of);
        let lag = figure(|mine| mine.lag_events as f64);
        let age_seconds = figure(|mine| Duration::from_millis(mine.lag_age_ms).as_secs_f64());
        let parked = figure(|mine| mine.parked_wallets as f64);
        gauge!(PROJECTOR_LAG, "projector" => projector).set(lag);
        gauge!(PROJECTOR_LAG_AGE, "projector" => projector).set(age_seconds);
        gauge!(DEAD_LETTERS, "projector" => projector).set(parked);
    }
}

fn show_pools(db: &Database) {
    for PoolStatus { pool, used, idle, max } in db.pool_status() {
        for (state, connections) in [("used", used), ("idle", idle)] {
            gauge!(POOL_CONNECTIONS, "pool" => pool, "state" => state).set(connections);
        }
        gauge!(POOL_CONNECTIONS_MAX, "pool" => pool).set(max);
    }
}

#[async_trait]
impl MetricsSource for Source {
    async fn render(&self) -> String {
        // Not a number says "unknown"; the last figure would be taken for the present one.
        let answer = self.ask().await;
        let (events, age_seconds) = answer.as_ref().map_or((f64::NAN, f64::NAN), |(lag, _)| {
            (lag.events as f64, Duration::from_millis(lag.age_ms).as_secs_f64())
        });
        gauge!(OUTBOX_LAG_EVENTS).set(events);
        gauge!(OUTBOX_LAG_AGE).set(age_seconds);
        show_projectors(&answer.map(|(_, all)| all).unwrap_or_default());
        show_pools(&self.db);
        let mut text = with_hit_rate(self.handle.render());
        process::write(&mut text);
        text
    }
}

/// Adds the share of keyed commands that were answered from a stored record. Taken from the counters
/// in the same text, so that the three agree.
fn with_hit_rate(mut text: String) -> String {
    let count = |result: &str| {
        let sample = format!("{CACHE_LOOKUPS}{{result=\"{result}\"}} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&sample));
        value.and_then(|value| value.parse::<f64>().ok()).unwrap_or_default()
    };
    let (hits, misses) = (count("hit"), count("miss"));
    let rate = if hits + misses > 0.0 { hits / (hits + misses) } else { 0.0 };
    process::add(&mut text, (CACHE_HIT_RATE, catalogue::meaning(CACHE_HIT_RATE)), "gauge", rate);
    text
}

#[cfg(test)]
mod tests {
    use wallex_ports::ProjectorState;

    use super::*;

    /// What a process shows that has done `work`.
    fn rendered(work: impl FnOnce()) -> String {
        let recorder = builder().expect("valid").build_recorder();
        metrics::with_local_recorder(&recorder, || {
            catalogue::describe();
            work();
        });
        with_hit_rate(recorder.handle().render())
    }

    #[test]
    fn given_names_are_there_from_the_first_scrape() {
        let text = rendered(|| gauge!(OUTBOX_LAG_EVENTS).set(0.0));
        for sample in [
            "wallet_create_duration_ms_bucket{le=\"35\"} 0",
            "wallet_create_duration_ms_count 0",
            "outbox_lag_events 0",
            "projector_error_rate{projector=\"read_model\"} 0",
            "projector_error_rate{projector=\"ledger\"} 0",
            "idempotency_cache_hit_rate 0",
        ] {
            assert!(text.lines().any(|line| line == sample), "{sample} is not in\n{text}");
        }
    }

    #[test]
    fn every_metric_is_explained() {
        let text = rendered(|| {});
        for line in text.lines() {
            let Some(metric) = line.strip_prefix("# TYPE ") else { continue };
            let name = metric.split(' ').next().expect("a name");
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
        }
    }

    #[test]
    fn a_projector_that_nobody_told_of_is_not_one_that_has_caught_up() {
        let ledger = ProjectorOverall {
            projector: "ledger".to_owned(),
            state: ProjectorState::Running,
            position: 58,
            head: 100,
            lag_events: 42,
            lag_age_ms: 1_500,
            events_per_second: 0,
            parked_wallets: 3,
            holder: None,
            last_error: None,
        };
        let text = rendered(|| show_projectors(&[ledger]));
        for sample in [
            "wallex_projector_lag_events{projector=\"ledger\"} 42",
            "wallex_projector_lag_age_seconds{projector=\"ledger\"} 1.5",
            "wallex_dead_letters{projector=\"ledger\"} 3",
            "wallex_projector_lag_events{projector=\"read_model\"} NaN",
        ] {
            assert!(text.lines().any(|line| line == sample), "{sample} is not in\n{text}");
        }
    }

    #[test]
    fn hit_rate_is_hits_among_all_lookups() {
        let text = rendered(|| {
            metrics::counter!(CACHE_LOOKUPS, "result" => "hit").increment(1);
            metrics::counter!(CACHE_LOOKUPS, "result" => "miss").increment(3);
        });
        assert!(text.ends_with("idempotency_cache_hit_rate 0.25\n"), "{text}");
    }
}
