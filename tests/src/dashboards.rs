//! `deploy/grafana`: the dashboards and the rules ask for what there is, and a real Prometheus that
//! scrapes a real server under load answers every one of their queries.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use wallex_testkit::{Client, Server, TempDatabase, block_on, eventually, on_both_databases};

use crate::alerts;
use crate::deployment::{items, json, read, root, text, yaml};
use crate::prometheus_tools::{are_left_out, program};
use crate::scrape::{after_work, families, work};

on_both_databases!(what_is_asked_for_is_shown);

/// A panel's query: where it stands, and what it asks.
struct Query {
    place: String,
    expression: String,
}

const DASHBOARDS: [&str; 3] = ["wallex-creation", "wallex-outbox", "wallex-projectors"];

fn dashboard(name: &str) -> Value {
    json(&format!("deploy/grafana/dashboards/{name}.json"))
}

fn queries() -> Vec<Query> {
    let mut queries = Vec::new();
    for name in DASHBOARDS {
        for panel in items(&dashboard(name)["panels"]) {
            for target in items(&panel["targets"]) {
                let place = format!("{name}, {}, {}", panel["title"], target["refId"]);
                queries.push(Query { place, expression: text(&target["expr"]).to_owned() });
            }
        }
    }
    queries
}

/// The names in `expression` that can only be metrics: ours, and what is recorded.
fn metrics_in(expression: &str) -> BTreeSet<&str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let ours = ["wallex_", "wallet_", "outbox_", "projector_", "idempotency_", "process_"];
    words.filter(|word| word.contains(':') || ours.iter().any(|o| word.starts_with(o))).collect()
}

#[test]
fn dashboards_are_told_apart_and_explained() {
    let datasources = yaml("deploy/grafana/provisioning/datasources/wallex.yml");
    let known: Vec<_> = items(&datasources["datasources"]).map(|source| &source["uid"]).collect();
    let mut titles = BTreeSet::new();
    for name in DASHBOARDS {
        let dashboard = dashboard(name);
        assert_eq!(dashboard["uid"], name);
        assert!(titles.insert(text(&dashboard["title"]).to_owned()), "{}", dashboard["title"]);
        let mut ids = BTreeSet::new();
        for panel in items(&dashboard["panels"]) {
            assert!(ids.insert(panel["id"].to_string()), "{name}: {} is there twice", panel["id"]);
            assert!(!text(&panel["description"]).is_empty(), "{name}: {}", panel["title"]);
            for target in items(&panel["targets"]) {
                assert!(known.contains(&&target["datasource"]["uid"]), "{name}: {target}");
            }
        }
    }
}

/// Larger pictures load slowly, and nobody looks at their changes.
const PICTURE_BYTES_MAX: usize = 60_000;

#[test]
fn each_dashboard_has_a_picture_and_its_page_shows_it() {
    let page = read("docs/DASHBOARDS.md");
    for name in DASHBOARDS {
        assert!(
            page.contains(&format!("](pictures/{name}.svg)")),
            "docs/DASHBOARDS.md lacks {name}"
        );
        let picture = read(&format!("docs/pictures/{name}.svg"));
        assert!(picture.len() < PICTURE_BYTES_MAX, "{name} has {} bytes", picture.len());
        for panel in items(&dashboard(name)["panels"]) {
            let title = format!(">{}</text>", text(&panel["title"]));
            assert!(picture.contains(&title), "`just pictures`: {name} lacks {}", panel["title"]);
        }
    }
}

async fn what_is_asked_for_is_shown(database: TempDatabase) {
    let scrape = after_work(&database).await;
    let (shown, recorded) = (families(&scrape), alerts::recorded());
    let is_there = |metric: &str| {
        let bases = ["_bucket", "_sum", "_count"].iter().filter_map(|end| metric.strip_suffix(end));
        let histogram = |base: &str| shown.get(base).is_some_and(|f| f.kind == "histogram");
        recorded.contains(metric) || shown.contains_key(metric) || bases.clone().any(histogram)
    };
    let panels = queries().into_iter().map(|query| query.expression);
    for expression in panels.chain(alerts::expressions()) {
        for metric in metrics_in(&expression) {
            assert!(is_there(metric), "{metric} is asked for in {expression}, and nobody shows it");
        }
    }
}

/// A real Prometheus with our rules, which scrapes one server each second. Dropped, it is ended.
struct Prometheus {
    child: Child,
    client: Client,
    folder: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Prometheus {
    async fn start(target: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, configuration(target)).expect("a configuration");
        let free = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("its number").to_string();
        drop(free);
        let child = Command::new(program("prometheus"))
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log")).expect("a log"))
            .spawn()
            .expect("Prometheus starts");
        let client = Client::new(format!("http://{address}"));
        let mut prometheus = Self { child, client, folder };
        prometheus.ready().await;
        prometheus
    }

    async fn ready(&mut self) {
        eventually("Prometheus is ready", async || {
            let ended = self.child.try_wait().expect("its status");
            assert!(ended.is_none(), "Prometheus ended: {}", self.log());
            let answer = self.client.get("/-/ready").try_send().await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Whether `expression` has an answer now that is a number.
    async fn answers(&self, expression: &str) -> bool {
        let request = self.client.request("POST", "/api/v1/query");
        let request = request.header("Content-Type", "application/x-www-form-urlencoded");
        let answer = request.body(format!("query={}", encoded(expression))).await.is(200);
        let mut samples = items(&answer["data"]["result"]);
        samples.any(|sample| text(&sample["value"][1]) != "NaN")
    }
}

/// One target, scraped as often as can be, and the rules of the repository.
fn configuration(target: &str) -> String {
    let rules = root().join("deploy/prometheus");
    format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\n\
         rule_files: [{rules}/wallex.recording.yml, {rules}/wallex.alerts.yml]\n\
         scrape_configs: [{{job_name: wallex, static_configs: [{{targets: [\"{target}\"]}}]}}]\n",
        rules = rules.display(),
    )
}

/// As forms are sent.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What Grafana would ask: all servers, over some scrapes.
fn filled_in(expression: &str) -> String {
    let filled = expression
        .replace("$__rate_interval", "10s")
        .replace("$namespace", ".*")
        .replace("$instance", ".*");
    assert!(!filled.contains('$'), "{filled}");
    filled
}

#[test]
fn every_panel_has_data_from_a_server_under_load() {
    if are_left_out() {
        return;
    }
    block_on(async {
        let database = TempDatabase::postgres().await;
        let server = Server::start(&database).await;
        let prometheus = Prometheus::start(server.address()).await;
        let client = server.client().clone();
        let load = tokio::spawn(async move {
            for n in 0_u64.. {
                work(&client, &format!("load-{n}")).await;
            }
        });
        for query in queries() {
            let expression = filled_in(&query.expression);
            eventually(&format!("{}: {expression}", query.place), async || {
                prometheus.answers(&expression).await.then_some(())
            })
            .await;
        }
        load.abort();
    });
}
