//! Whatever can keep a server from starting has its row in the runbook: as it is written in the
//! sources, and as the binary says it.

use std::net::TcpListener;

use wallex_testkit::{ServerBuilder, TempDatabase, block_on};

use crate::deployment::read;
use crate::shell_blocks::fits;

const SECTION: &str = "## It does not start\n";
/// The sources of what `wallex` ends with at its start.
const SOURCES: [&str; 13] = [
    "crates/database/src/connect.rs",
    "crates/database/src/url.rs",
    "crates/wallex/src/access.rs",
    "crates/wallex/src/config/jwt.rs",
    "crates/wallex/src/config/source.rs",
    "crates/wallex/src/main.rs",
    "crates/wallex/src/metrics/mod.rs",
    "crates/wallex/src/serve.rs",
    "crates/wallex/src/telemetry/mod.rs",
    "crates/wallex/src/telemetry/otlp.rs",
    "crates/wallex/src/tls/files.rs",
    "crates/wallex/src/tls/mod.rs",
    "migrations/src/schema.rs",
];
/// What a message follows.
const MARKERS: [&str; 9] = [
    "#[error(",
    "bail!(",
    ".context(",
    "with_context(|| format!(",
    "problems.push(format!(",
    "problems.push(",
    "return Err(",
    "=> Err(format!(",
    "let problem =",
];
/// Here, a condition comes first, without a text in it.
const ENSURE: &str = "ensure!(";
/// Messages of those files that are not said at a start, or only when Wallex itself is wrong.
const NOT_AT_A_START: [&str; 8] = [
    "the listener has no address",
    "upkeep failed",
    "what follows the keys failed",
    "the HTTP server failed",
    "the HTTP server ended by itself",
    "this can't be written as JSON",
    "stdout can't be written to",
    // Said at the end.
    "commands were still waiting for the database after WALLEX_SHUTDOWN_TIMEOUT_MS; their idempotency \
     keys tell what became of them",
];

/// The messages that the runbook has a row for, in the order of the page.
fn rows() -> Vec<String> {
    let runbook = read("docs/RUNBOOK.md");
    let section = runbook.split_once(SECTION).expect("the section").1;
    let section = section.split_once("\n## ").expect("a next one").0;
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once(" | "));
    let says =
        cells.flat_map(|(cell, _)| cell.split("`, `").map(ToOwned::to_owned).collect::<Vec<_>>());
    says.map(|text| text.trim_end_matches('`').to_owned()).collect()
}

fn is_said(row: &str, message: &str) -> bool {
    fits(&format!("…{row}…"), message)
}

/// The messages in `source`, with `…` for what is filled in.
fn messages(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let found = MARKERS.iter().flat_map(|marker| source.split(marker).skip(1));
    // Of what is computed elsewhere there is no text here.
    let found = found.map(|rest| rest.trim_start().trim_start_matches("format!("));
    let found = found.filter_map(|rest| literal(rest.strip_prefix('"')?));
    let ensured = source.split(ENSURE).skip(1);
    found.chain(ensured.filter_map(|rest| literal(rest.split_once('"')?.1))).collect()
}

/// The text of a literal, from behind its first quote on.
fn literal(rest: &str) -> Option<String> {
    let (mut text, mut chars) = (String::new(), rest.chars());
    let mut is_hole = false;
    loop {
        match chars.next()? {
            '"' => return Some(text),
            '\\' => {
                let escaped = chars.next()?;
                if escaped == '\n' {
                    chars = chars.as_str().trim_start().chars();
                } else {
                    text.push(escaped);
                }
            }
            '{' => is_hole = true,
            '}' => {
                is_hole = false;
                text.push('…');
            }
            c if !is_hole => text.push(c),
            _ => {}
        }
    }
}

#[test]
fn every_error_of_a_start_has_a_row_in_the_runbook() {
    let rows = rows();
    let mut unused: Vec<_> = rows.iter().collect();
    for source in SOURCES {
        let messages = messages(&read(source));
        assert!(!messages.is_empty(), "{source} has no messages");
        for message in messages {
            // What is nothing but holes says what is put together elsewhere.
            let is_empty = !message.chars().any(char::is_alphabetic);
            if is_empty || NOT_AT_A_START.contains(&&*message) {
                continue;
            }
            assert!(
                rows.iter().any(|row| is_said(row, &message)),
                "{source} says {message:?}, and docs/RUNBOOK.md has no row for it"
            );
            unused.retain(|row| !is_said(row, &message));
        }
    }
    assert!(unused.is_empty(), "nothing says {unused:?} any more");
}

/// What `builder` ends with instead of serving.
async fn sentence(builder: ServerBuilder) -> String {
    let mut server = builder.spawn();
    assert!(!server.wait().await.success());
    let logs = server.logs();
    let said = logs.lines().rev().find_map(|line| line.strip_prefix("wallex: "));
    said.unwrap_or_else(|| panic!("no sentence: {logs}")).to_owned()
}

#[test]
fn what_is_said_at_a_start_is_in_the_runbook() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = taken.local_addr().map(|address| (taken, address.to_string())).expect("its number");
    let cases: [(&str, &[(&str, &str)]); 10] = [
        ("can't listen on", &[("WALLEX_LISTEN", &taken.1)]),
        ("the database can't be reached", &[("DATABASE_URL", "postgres://w@127.0.0.1:1/wallex")]),
        ("DATABASE_URL must name a file", &[("DATABASE_URL", "sqlite::memory:")]),
        ("there is no API key", &[("WALLEX_LISTEN", "0.0.0.0:0")]),
        ("the configuration file /nowhere", &[("WALLEX_CONFIG", "/nowhere")]),
        ("there is no setting", &[("WALLEX_LISTEM", "127.0.0.1:0")]),
        ("must be a whole number", &[("WALLEX_HTTP_WORKERS", "many")]),
        ("WALLEX_TLS_CERT needs its key", &[("WALLEX_TLS_CERT", "/nowhere")]),
        ("can't read", &[("WALLEX_TLS_CERT", "/nowhere"), ("WALLEX_TLS_KEY", "/nowhere")]),
        ("WALLEX_JWT_AUDIENCE must be set", &[("WALLEX_JWT_ISSUER", "https://login.example.com")]),
    ];
    let rows = rows();
    block_on(async {
        for (part, environment) in cases {
            let database = TempDatabase::sqlite();
            let server = ServerBuilder::on(&database);
            let server =
                environment.iter().fold(server, |server, (name, value)| server.env(name, value));
            let said = sentence(server).await;
            assert!(said.contains(part), "{said:?} does not say {part:?}");
            let row = rows.iter().find(|row| is_said(row, &said));
            assert!(row.is_some(), "docs/RUNBOOK.md has no row for {said:?}");
        }
    });
}

#[test]
fn messages_are_read_with_their_holes() {
    let source = "#[error(\n  \"the {a} is \\\n   \\\"not\\\" {b:?}\"\n)] bail!(other)\n#[cfg(test)] bail!(\"no\")";
    assert_eq!(messages(source), ["the … is \"not\" …"]);
}
