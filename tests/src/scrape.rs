//! `/metrics` read as Prometheus reads it, after a server has done a bit of everything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wallex_testkit::{Client, Inspector, ServerBuilder, TempDatabase, eventually};

use crate::certificates::{Authority, Files};
use crate::support::{create, opening};

/// A metric: what it is, and the names of its labels over all samples.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) labels: BTreeSet<String>,
}

/// The metrics in `text` by name.
pub(crate) fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::<String, Family>::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').expect("a name and a type");
            families.entry(name.to_owned()).or_default().kind = kind.to_owned();
        }
    }
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (sample, _) = line.rsplit_once(' ').expect("a sample and its value");
        let (name, labels) = sample.split_once('{').unwrap_or((sample, ""));
        let family = families.get_mut(base(name, text)).expect("a type for every sample");
        let names = labels.split("=\"").filter_map(|part| part.rsplit(['"', ',', '{']).next());
        let names = names.map(|name| name.trim_start_matches('}'));
        family
            .labels
            .extend(names.filter(|name| !name.is_empty() && *name != "le").map(ToOwned::to_owned));
    }
    families
}

/// The metric that the sample `name` belongs to: a histogram has three kinds of samples.
fn base<'a>(name: &'a str, text: &str) -> &'a str {
    let is_histogram = |base: &&str| text.contains(&format!("# TYPE {base} histogram\n"));
    let bases = ["_bucket", "_sum", "_count"].iter().filter_map(|end| name.strip_suffix(end));
    bases.clone().find(is_histogram).unwrap_or(name)
}

/// What a server tells that has done a bit of everything, over TLS.
pub(crate) async fn after_work(database: &TempDatabase) -> String {
    let authority = Authority::new("ours");
    let files = Files::of(&authority);
    let builder = files.on(ServerBuilder::on(database));
    let server = builder.over(authority.client().build().expect("a client")).start().await;
    let client = server.client();
    work(client, "first").await;
    // One that speaks no TLS is turned away, and counted.
    let mut plain = TcpStream::connect(server.address()).await.expect("a connection");
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("sent");
    plain.read_to_end(&mut Vec::new()).await.ok();
    Inspector::open(database).await.projected().await;
    eventually("everything is counted", async || {
        let metrics = client.get("/metrics").await;
        assert_eq!(metrics.status, 200, "{}", metrics.text);
        let counted = ["wallex_http_connections_cut_total{", "wallex_db_pool_wait_seconds_count{"];
        counted.iter().all(|sample| metrics.text.contains(sample)).then_some(metrics.text)
    })
    .await
}

/// Every kind of command, a retry, refusals and reads, of wallets whose ids begin with `name`.
pub(crate) async fn work(client: &Client, name: &str) {
    let [from, to] = [format!("{name}-a"), format!("{name}-b")];
    create(client, &from, 100).await;
    for _ in 0..2 {
        let keyed = client.post("/wallets", &opening(&to, 0)).key(name);
        keyed.await.is(201);
    }
    client.post("/wallets", &opening(&from, 1)).await.is(409);
    client.post(&format!("/wallets/{from}/credit"), &json!({ "amount": 5 })).await.is(200);
    client.post(&format!("/wallets/{from}/debit"), &json!({ "amount": 5 })).await.is(200);
    client.post(&format!("/wallets/{from}/debit"), &json!({ "amount": 500 })).await.is(422);
    let transfer = json!({ "toWalletId": to, "amount": 5 });
    client.post(&format!("/wallets/{from}/transfer"), &transfer).await.is(200);
    client.get(&format!("/wallets/{from}")).await.is(200);
    client.get("/nowhere").await.is(404);
}

#[test]
fn a_scrape_is_read_with_its_labels() {
    let text = "# HELP h Some.\n# TYPE h histogram\nh_bucket{route=\"/a{b}\",le=\"1\"} 2\n\
                h_sum{route=\"/\"} 1\nh_count{route=\"/\"} 2\n\n# TYPE c counter\n\
                c{kind=\"x\",outcome=\"y, z\"} 4\n# TYPE g_count gauge\ng_count NaN\n";
    let families = families(text);
    let labels = |name: &str| families[name].labels.iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(families.keys().collect::<Vec<_>>(), ["c", "g_count", "h"]);
    assert_eq!(families["h"].kind, "histogram");
    assert_eq!(labels("h"), ["route"]);
    assert_eq!(labels("c"), ["kind", "outcome"]);
    assert!(labels("g_count").is_empty());
}
