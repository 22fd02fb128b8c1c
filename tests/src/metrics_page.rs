//! docs/METRICS.md and `/metrics` say the same.

use std::collections::BTreeMap;
use std::path::Path;

use wallex_testkit::{
    Server, ServerBuilder, TempDatabase, block_on, eventually, on_both_databases,
};

use crate::prometheus_tools::promtool;
use crate::scrape::{Family, after_work, families};
use crate::support::{create, opening};

on_both_databases!(the_page_lists_what_a_server_shows, figures_are_those_of_what_was_done);

/// What Prometheus' conventions have against names that are given.
const GIVEN_NAMES: &[&str] = &[
    "projector_error_rate counter metrics should have \"_total\" suffix",
    "wallet_create_duration_ms metric names should not contain abbreviated units",
];

/// The metrics of docs/METRICS.md; a row is `name | type | labels | unit | meaning | what to do`.
fn page() -> BTreeMap<String, Family> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/METRICS.md");
    let page = std::fs::read_to_string(path).expect("docs/METRICS.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, labels, unit, meaning, what_to_do] = cells[..] else {
            panic!("six columns: {row}")
        };
        for (column, cell) in [("unit", unit), ("meaning", meaning), ("cure", what_to_do)] {
            assert!(!cell.is_empty(), "{name} has no {column}");
        }
        let labels = labels.split(", ").filter(|label| *label != "none");
        let labels = labels.map(|label| label.trim_matches('`').to_owned()).collect();
        (name.trim_matches('`').to_owned(), Family { kind: kind.to_owned(), labels })
    })
    .collect()
}

async fn the_page_lists_what_a_server_shows(database: TempDatabase) {
    let text = after_work(&database).await;
    let (shown, listed) = (families(&text), page());
    for (name, family) in &shown {
        let row = listed.get(name).unwrap_or_else(|| panic!("{name} is not in docs/METRICS.md"));
        assert_eq!(row, family, "the row of {name} in docs/METRICS.md");
    }
    for name in listed.keys() {
        assert!(shown.contains_key(name), "{name} is in docs/METRICS.md and not in\n{text}");
    }
    let (_, findings) = promtool(Path::new("."), &["check", "metrics"], &text);
    for finding in findings.lines() {
        assert!(GIVEN_NAMES.contains(&finding), "promtool: {finding}");
    }
}

/// The value of `sample` in `text`.
fn value(text: &str, sample: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '))?;
    line.parse().ok()
}

async fn figures_are_those_of_what_was_done(database: TempDatabase) {
    let server = Server::start(&database).await;
    let client = server.client();
    create(client, "w", 1).await;
    client.post("/wallets", &opening("w", 1)).await.is(409);
    let system = match database.backend() {
        wallex_testkit::Backend::Postgres => "postgresql",
        wallex_testkit::Backend::Sqlite => "sqlite",
    };
    let version = env!("CARGO_PKG_VERSION");
    let expected = [
        ("wallex_command_duration_seconds_count{kind=\"create\",outcome=\"ok\"}".to_owned(), 1.0),
        (r#"wallex_commands_total{kind="create",outcome="wallet-already-exists"}"#.to_owned(), 1.0),
        (format!(r#"wallex_build_info{{version="{version}",database="{system}"}}"#), 1.0),
        (
            r#"wallex_projector_lease_changes_total{projector="ledger",change="taken"}"#.to_owned(),
            1.0,
        ),
        (r#"wallex_projector_lag_age_seconds{projector="ledger"}"#.to_owned(), 0.0),
        (r#"wallex_db_pool_connections_max{pool="background"}"#.to_owned(), 4.0),
    ];
    eventually("the figures are right", async || {
        let text = client.get("/metrics").await.text;
        expected.iter().all(|(sample, is)| value(&text, sample) == Some(*is)).then_some(())
    })
    .await;
    let text = client.get("/metrics").await.text;
    for sample in [
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_cpu_seconds_total",
        r#"wallex_http_authentications_total{credential="none",outcome="accepted"}"#,
    ] {
        assert!(value(&text, sample).is_some_and(|value| value > 0.0), "{sample} in {text}");
    }
}

#[test]
fn where_nothing_is_measured_a_scrape_fails() {
    block_on(async {
        let database = TempDatabase::sqlite();
        let server = ServerBuilder::on(&database).env("WALLEX_METRICS", "false").start().await;
        create(server.client(), "w", 1).await;
        let problem = server.client().get("/metrics").await.is_problem(404, "route-not-found");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains("WALLEX_METRICS")));
    });
}
