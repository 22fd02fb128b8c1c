//! Traces, as a collector gets them from the real binary: what is above what, and what is linked.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wallex_testkit::{
    Backend, Client, Collector, Inspector, Manner, Request, Server, ServerBuilder, Span, SpanKind,
    TempDatabase, block_on, eventually, on_both_databases,
};

use crate::support::{all_at_once, create, opening};

on_both_databases!(
    a_request_is_followed_from_its_client_to_every_projection,
    requests_that_commit_together_lead_to_their_commit_and_to_their_projections,
    an_event_is_projected_in_its_trace_by_another_process,
    a_trace_that_is_not_recorded_is_passed_on_and_not_exported,
    a_collector_that_is_away_or_hangs_delays_neither_commands_nor_the_end,
);

/// More than the last spans may take, and much less than a hanging collector would.
const END_MAX: Duration = Duration::from_secs(20);
/// More than a command takes on a machine with much to do, and less than one export may take.
const COMMAND_MAX: Duration = Duration::from_secs(8);
const PROJECTORS: [&str; 2] = ["project ledger", "project read_model"];

/// A server that sends its traces to `collector` without delay.
fn traced(database: &TempDatabase, collector: &Collector) -> ServerBuilder {
    ServerBuilder::on(database)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint())
        .env("OTEL_BSP_SCHEDULE_DELAY", "50")
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "20000")
}

/// A trace id and a span id of a client's, which differ by `n`.
fn client_span(n: usize) -> (String, String) {
    (format!("4bf92f3577b34da6a3ce929d{n:08x}"), format!("00f067aa{n:08x}"))
}

fn within(request: Request, (trace_id, span_id): &(String, String)) -> Request {
    request.header("traceparent", &format!("00-{trace_id}-{span_id}-01"))
}

/// The spans of one trace, by their names.
struct Trace<'a>(Vec<&'a Span>);

impl<'a> Trace<'a> {
    fn of(spans: &'a [Span], trace_id: &str) -> Self {
        Self(spans.iter().filter(|span| span.trace_id == trace_id).collect())
    }

    fn find(&self, name: &str) -> Option<&'a Span> {
        self.0.iter().find(|span| span.name == name).copied()
    }

    #[track_caller]
    fn one(&self, name: &str) -> &'a Span {
        let names: Vec<_> = self.0.iter().map(|span| &span.name).collect();
        let found: Vec<_> = self.0.iter().filter(|span| span.name == name).collect();
        let [one] = found[..] else { panic!("one {name}, among {names:?}") };
        one
    }
}

/// All spans, as soon as there are `n` of each projector.
async fn projected(collector: &Collector, n: usize) -> Vec<Span> {
    eventually("every event is projected in a trace", async || {
        let spans = collector.spans();
        let count = |name: &&str| spans.iter().filter(|span| span.name == **name).count();
        PROJECTORS.iter().all(|name| count(name) >= n).then_some(spans)
    })
    .await
}

/// Checks that `span` is in `trace` below `parent`.
#[track_caller]
fn is_below(span: &Span, parent: &Span) {
    let names = (&span.name, &parent.name);
    assert_eq!(
        (&span.trace_id, &span.parent_span_id),
        (&parent.trace_id, &parent.span_id),
        "{names:?}"
    );
}

/// Checks that `span` has all that `attributes`, an object, says.
#[track_caller]
fn has(span: &Span, attributes: &Value) {
    for (name, value) in attributes.as_object().expect("names and values") {
        assert_eq!(span.attribute(name), value, "{name} of {}: {span:#?}", span.name);
    }
}

/// Checks that `span` says what it should of `database`.
#[track_caller]
fn is_of(span: &Span, database: &TempDatabase) {
    assert_eq!(span.kind, SpanKind::Client, "{}", span.name);
    has(span, &json!({ "db.operation.name": "BATCH" }));
    assert!(span.attribute("db.namespace").is_string(), "{span:#?}");
    match database.backend() {
        Backend::Postgres => {
            has(span, &json!({ "db.system.name": "postgresql" }));
            assert!(span.attribute("server.address").is_string(), "{span:#?}");
            assert!(span.attribute("server.port").is_u64(), "{span:#?}");
        }
        Backend::Sqlite => {
            has(span, &json!({ "db.system.name": "sqlite", "server.address": null }))
        }
    }
}

async fn a_request_is_followed_from_its_client_to_every_projection(database: TempDatabase) {
    let collector = Collector::start();
    let server = traced(&database, &collector)
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-team=ledger")
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        .start()
        .await;
    let client_span = client_span(1);
    within(server.client().post("/wallets", &opening("w", 1)), &client_span).await.is(201);
    projected(&collector, 1).await;
    let spans = eventually("the request itself is exported", async || {
        let spans = collector.spans();
        let trace = Trace::of(&spans, &client_span.0);
        let parts = ["POST /wallets", "wallet.commit", "BATCH events"];
        parts.iter().all(|name| trace.find(name).is_some()).then(|| spans.clone())
    })
    .await;

    let trace = Trace::of(&spans, &client_span.0);
    let request = trace.one("POST /wallets");
    assert_eq!(request.parent_span_id, client_span.1);
    assert_eq!(request.kind, SpanKind::Server);
    let (address, port) = server.address().split_once(':').expect("a port");
    let port: u16 = port.parse().expect("a number");
    has(
        request,
        &json!({
            "http.request.method": "POST",
            "http.route": "/wallets",
            "http.response.status_code": 201,
            "url.path": "/wallets",
            "url.scheme": "http",
            "server.address": address,
            "server.port": port,
            "network.protocol.version": "1.1",
            "wallet.id": "w",
            "stream.version": 1,
        }),
    );
    has_resource(request, &[("service.name", "wallex"), ("deployment.environment.name", "test")]);

    let command = trace.one("create");
    is_below(command, request);
    for part in ["lane.wait", "lane.decide", "wallet.commit"] {
        is_below(trace.one(part), command);
    }
    has(trace.one("lane.decide"), &json!({ "outcome": "ok" }));
    let transaction = trace.one("BATCH events");
    is_below(transaction, trace.one("wallet.commit"));
    is_of(transaction, &database);
    for name in PROJECTORS {
        let application = trace.one(name);
        is_below(application, command);
        assert_eq!(application.kind, SpanKind::Consumer);
        has(application, &json!({ "wallet.id": "w", "event.type": "WalletCreated" }));
        let written = spans.iter().find(|span| span.parent_span_id == application.span_id);
        is_of(written.expect("its transaction"), &database);
        assert!(application.time_ns.0 >= transaction.time_ns.0, "nothing is projected before");
    }
    // What is stored is the command's place: whoever has the event finds the trace.
    let stored = format!("00-{}-{}-01", command.trace_id, command.span_id);
    let events = server.client().get("/wallets/w/events").await.is(200);
    assert_eq!(events["items"][0]["traceparent"], stored);
    let heads = collector.heads("x-team");
    assert!(heads.iter().all(|(line, team)| {
        line == "POST /v1/traces HTTP/1.1" && team.as_deref() == Some("ledger")
    }));
}

#[track_caller]
fn has_resource(span: &Span, attributes: &[(&str, &str)]) {
    for (name, value) in attributes {
        assert_eq!(span.resource.get(*name), Some(&Value::from(*value)), "{name}");
    }
}

/// The span of `name` that one gets to from `from`: the one below it, or the one that it is linked to.
fn reached<'a>(spans: &'a [Span], from: &Span, name: &str) -> Option<&'a Span> {
    let mut named = spans.iter().filter(|span| span.name == name);
    named.find(|span| {
        (span.trace_id == from.trace_id && span.parent_span_id == from.span_id)
            || from.links.contains(&span.place())
    })
}

async fn requests_that_commit_together_lead_to_their_commit_and_to_their_projections(
    database: TempDatabase,
) {
    const REQUESTS: usize = 100;
    let collector = Collector::start();
    let server = traced(&database, &collector).start().await;
    create(server.client(), "w", 0).await;
    let credit = |n: usize| {
        let credit = server.client().post("/wallets/w/credit", &json!({ "amount": 1 }));
        within(credit, &client_span(n)).into_future()
    };
    for answer in all_at_once((0..REQUESTS).map(credit)).await {
        answer.is(200);
    }
    let spans = eventually("all of it is exported", async || {
        let spans = collector.spans();
        let of_requests = |name: &str| {
            let mine = |span: &&Span| span.name == name && span.trace_id.starts_with("4bf92f35");
            spans.iter().filter(mine).count()
        };
        let all = PROJECTORS.into_iter().chain(["POST /wallets/{id}/credit"]);
        all.into_iter().all(|name| of_requests(name) == REQUESTS).then(|| spans.clone())
    })
    .await;

    let mut requests_of_commits: BTreeMap<String, usize> = BTreeMap::new();
    for n in 0..REQUESTS {
        let trace = Trace::of(&spans, &client_span(n).0);
        let command = trace.one("credit");
        let commit = reached(&spans, command, "wallet.commit");
        let commit = commit.unwrap_or_else(|| panic!("a commit from {command:#?}"));
        *requests_of_commits.entry(commit.span_id.clone()).or_default() += 1;
        if commit.trace_id != command.trace_id {
            assert!(commit.links.contains(&command.place()), "and back: {commit:#?}");
        }
        for name in PROJECTORS {
            let application = trace.one(name);
            is_below(application, command);
            reached(&spans, application, "BATCH").expect("the transaction of its batch");
        }
    }
    // Each batch has one commit, which says how many it was for.
    for (commit, requests) in &requests_of_commits {
        let commit = spans.iter().find(|span| span.span_id == *commit).expect("it was found");
        has(commit, &json!({ "batch.units": requests }));
    }
    assert!(requests_of_commits.len() < REQUESTS, "some were committed together");
}

async fn an_event_is_projected_in_its_trace_by_another_process(database: TempDatabase) {
    let (collector, client_span) = (Collector::start(), client_span(1));
    let named = |builder: ServerBuilder, name: &str| builder.env("OTEL_SERVICE_NAME", name);
    let api = traced(&database, &collector).env("PROJECTORS_AUTO_START", "false");
    let api = named(api, "api").start().await;
    within(api.client().post("/wallets", &opening("w", 1)), &client_span).await.is(201);
    let other = ServerBuilder::new(&["worker"]).env("DATABASE_URL", database.url());
    let other = other.env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.endpoint());
    let other = named(other.env("OTEL_BSP_SCHEDULE_DELAY", "50"), "worker").spawn();
    projected(&collector, 1).await;
    let spans = eventually("the request is exported", async || {
        let spans = collector.spans();
        Trace::of(&spans, &client_span.0).find("create").is_some().then(|| spans.clone())
    })
    .await;
    let trace = Trace::of(&spans, &client_span.0);
    let command = trace.one("create");
    has_resource(command, &[("service.name", "api")]);
    for name in PROJECTORS {
        let application = trace.one(name);
        is_below(application, command);
        has_resource(application, &[("service.name", "worker")]);
    }
    drop(other);
}

async fn a_trace_that_is_not_recorded_is_passed_on_and_not_exported(database: TempDatabase) {
    let collector = Collector::start();
    let sampler = "parentbased_traceidratio";
    let builder = traced(&database, &collector).env("OTEL_TRACES_SAMPLER", sampler);
    let mut server = builder.env("OTEL_TRACES_SAMPLER_ARG", "0").start().await;
    let client = server.client().clone();
    create(&client, "mine", 1).await;
    let (trace_id, span_id) = client_span(1);
    let request = client.post("/wallets", &opening("unrecorded", 1));
    request.header("traceparent", &format!("00-{trace_id}-{span_id}-00")).await.is(201);
    // Whoever records their own traces has them recorded here, too.
    let recorded = client_span(2);
    within(client.post("/wallets", &opening("recorded", 1)), &recorded).await.is(201);
    Inspector::open(&database).await.projected().await;
    let events = client.get("/wallets/unrecorded/events").await.is(200);
    let stored = events["items"][0]["traceparent"].as_str().expect("a trace").to_owned();
    assert!(stored.starts_with(&format!("00-{trace_id}-")) && stored.ends_with("-00"), "{stored}");
    projected(&collector, 1).await;
    server.terminate();
    assert_eq!(server.wait().await.code(), Some(0), "{}", server.logs());
    let spans = collector.spans();
    assert!(Trace::of(&spans, &recorded.0).find("POST /wallets").is_some());
    let strangers: Vec<_> = spans.iter().filter(|span| span.trace_id != recorded.0).collect();
    assert!(strangers.is_empty(), "{strangers:#?}");
}

async fn a_collector_that_is_away_or_hangs_delays_neither_commands_nor_the_end(
    database: TempDatabase,
) {
    let gone = Collector::start();
    let away = gone.endpoint();
    drop(gone);
    let (hanging, refusing) = (Collector::with(Manner::Hangs), Collector::with(Manner::Refuses));
    for (n, endpoint) in [away, hanging.endpoint(), refusing.endpoint()].iter().enumerate() {
        let builder = ServerBuilder::on(&database).env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint);
        // Soon full, and always at work.
        let builder = builder.env("OTEL_BSP_SCHEDULE_DELAY", "10");
        let mut server: Server = builder.env("OTEL_BSP_MAX_QUEUE_SIZE", "16").start().await;
        for m in 0..50 {
            let (client, began): (&Client, _) = (server.client(), Instant::now());
            create(client, &format!("w-{n}-{m}"), 1).await;
            assert!(began.elapsed() < COMMAND_MAX, "{:?} at {endpoint}", began.elapsed());
        }
        let began = Instant::now();
        server.terminate();
        assert_eq!(server.wait().await.code(), Some(0), "{}", server.logs());
        assert!(began.elapsed() < END_MAX, "{:?} at {endpoint}", began.elapsed());
    }
}

#[test]
fn what_can_not_be_exported_as_asked_stops_the_start_and_says_why() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    let asked = [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "must be http/protobuf"),
        ("OTEL_TRACES_SAMPLER", "sometimes", "must be one of always_on"),
    ];
    block_on(async {
        for (name, value, says) in asked {
            let database = TempDatabase::sqlite();
            let builder = ServerBuilder::on(&database).env(endpoint.0, endpoint.1);
            let mut server = builder.env(name, value).spawn();
            assert_eq!(server.wait().await.code(), Some(1));
            assert!(server.logs().contains(says), "{}", server.logs());
            assert!(server.logs().contains(name), "{}", server.logs());
        }
    });
}

#[test]
fn nothing_is_exported_where_it_is_disabled() {
    block_on(async {
        let (database, collector) = (TempDatabase::sqlite(), Collector::start());
        let builder = traced(&database, &collector).env("OTEL_SDK_DISABLED", "true");
        let mut server = builder.start().await;
        create(server.client(), "w", 1).await;
        server.terminate();
        assert_eq!(server.wait().await.code(), Some(0), "{}", server.logs());
        assert!(collector.spans().is_empty());
    });
}
