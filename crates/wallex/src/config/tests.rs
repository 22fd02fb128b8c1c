//! What a user sees of the configuration.

use std::ffi::OsString;
use std::path::Path;

use super::source::{Loaded, Problems, load};
use super::{Config, KEYS, LogFormat, example_file, json, markdown, table};

fn variables(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn loaded(file: &str, environment: &[(&str, &str)]) -> Result<Loaded, Problems> {
    load(Some((Path::new("wallex.toml"), file)), variables(environment))
}

fn problem(file: &str, environment: &[(&str, &str)]) -> String {
    loaded(file, environment).expect_err("this should not be accepted").to_string()
}

fn source_of(loaded: &Loaded, env: &str) -> &'static str {
    let index = KEYS.iter().position(|key| key.env == env).expect("a setting");
    loaded.sources[index].name()
}

#[test]
fn environment_wins_over_file_and_file_over_default() {
    let loaded = loaded(
        "listen = \"127.0.0.1:1\"\nlane_queue_len_max = 7\n",
        &[("WALLEX_LISTEN", "127.0.0.1:2"), ("HOME", "/root")],
    )
    .expect("valid");
    assert_eq!(loaded.config.listen.port(), 2);
    assert_eq!(loaded.config.lane.queue_len_max, 7);
    assert_eq!(loaded.config.lane.batch_units_max, 256);
    assert_eq!(source_of(&loaded, "WALLEX_LISTEN"), "environment");
    assert_eq!(source_of(&loaded, "WALLEX_LANE_QUEUE_LEN_MAX"), "file");
    assert_eq!(source_of(&loaded, "WALLEX_LANE_BATCH_UNITS_MAX"), "default");
}

#[test]
fn nothing_has_to_be_set() {
    let loaded = load(None, variables(&[])).expect("valid");
    assert_eq!(loaded.config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(loaded.config.database.url.to_string(), "sqlite://wallex.db");
    assert_eq!(loaded.config.lane.idempotency_ttl.as_secs(), 24 * 3600);
    assert_eq!(loaded.config.lane.default_currency.as_str(), "USD");
    assert!(loaded.config.auto_migrate);
    assert!(loaded.sources.iter().all(|source| source.name() == "default"));
}

#[test]
fn every_setting_can_be_given_in_the_file_and_in_the_environment() {
    // Both from the example file, whose values are the defaults: what is documented is accepted.
    let example: String = example_file()
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| KEYS.iter().any(|key| line.starts_with(&format!("{} = ", key.file))))
        .map(|line| format!("{line}\n"))
        .collect();
    let from_file = loaded(&example, &[]).expect("valid");
    assert!(from_file.sources.iter().all(|source| source.name() == "file"), "{example}");
    let values: Vec<_> =
        KEYS.iter().map(|key| (key.env, key.value(&from_file.config).to_string())).collect();
    let values: Vec<_> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let from_environment = loaded("", &values).expect("valid");
    for key in KEYS.iter() {
        let (a, b) = (key.value(&from_file.config), key.value(&from_environment.config));
        assert_eq!(a, b, "{}", key.env);
        assert_eq!(source_of(&from_environment, key.env), "environment");
    }
}

#[test]
fn empty_variable_counts_as_not_set() {
    let loaded = loaded("", &[("WALLEX_SHARDS", ""), ("DATABASE_URL", "")]).expect("valid");
    assert_eq!(loaded.config.shards, None);
    assert_eq!(source_of(&loaded, "DATABASE_URL"), "default");
}

#[test]
fn unknown_key_of_the_file_is_named_with_the_nearest_one() {
    assert_eq!(
        problem("lisen = \"127.0.0.1:1\"", &[]),
        "wallex.toml: there is no setting lisen; did you mean listen?"
    );
    // A section is an unknown key, too: the file is flat.
    assert!(problem("[database]\nurl = \"x\"", &[]).contains("no setting database"));
}

#[test]
fn unknown_variable_is_named_with_the_nearest_one() {
    assert_eq!(
        problem("", &[("WALLEX_LISTN", "127.0.0.1:1")]),
        "there is no setting WALLEX_LISTN; did you mean WALLEX_LISTEN?"
    );
    assert_eq!(
        problem("", &[("WALLEX_QQ", "1")]),
        "there is no setting WALLEX_QQ: `wallex config` lists them all"
    );
}

#[test]
fn variables_of_tests_and_of_kubernetes_are_let_be() {
    let foreign = [
        ("WALLEX_TEST_ANYTHING", "1"),
        ("WALLEX_CONFIG", "wallex.toml"),
        ("WALLEX_SERVICE_HOST", "10.0.0.1"),
        ("WALLEX_SERVICE_PORT_HTTP", "8080"),
        ("WALLEX_PORT", "tcp://10.0.0.1:8080"),
        ("WALLEX_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("WALLEX_PORT_8080_TCP_PROTO", "tcp"),
        ("WALLEX_POSTGRES_SERVICE_HOST", "10.0.0.2"),
        ("wallex_listen", "lower case is another name"),
    ];
    loaded("", &foreign).expect("valid");
    // A port of our own making is still a mistake.
    assert!(problem("", &[("WALLEX_PORT", "8080")]).contains("no setting WALLEX_PORT"));
}

#[test]
fn bad_values_say_what_would_be_right() {
    for (name, value, expected) in [
        (
            "WALLEX_LISTEN",
            "8080",
            "WALLEX_LISTEN must be an IP address and a port, as 127.0.0.1:8080 or [::]:8080, but is \"8080\"",
        ),
        (
            "WALLEX_SHARDS",
            "0",
            "WALLEX_SHARDS must be a whole number of shards from 1 to 1024, but is \"0\"",
        ),
        ("WALLEX_AUTO_MIGRATE", "yes", "WALLEX_AUTO_MIGRATE must be true or false, but is \"yes\""),
        (
            "WALLEX_LOG_FORMAT",
            "xml",
            "WALLEX_LOG_FORMAT must be auto, pretty or json, but is \"xml\"",
        ),
        (
            "DATABASE_URL",
            "mysql://me:canary@db",
            "DATABASE_URL must begin with sqlite:// or postgres://, as sqlite://wallex.db does",
        ),
    ] {
        assert_eq!(problem("", &[(name, value)]), expected);
    }
    for (name, value) in [
        ("WALLEX_DEFAULT_CURRENCY", "a=b=c"),
        ("WALLEX_LOG", "a=b=c"),
        ("WALLEX_LOG", "info,[request]=debug"),
        ("WALLEX_LOG", "info,wallex{id=1}"),
        ("WALLEX_LOG", "inof"),
        ("WALLEX_LOG", "info,"),
        ("WALLEX_LOG", "info, wallex_jwt=debug"),
        ("WALLEX_LOG", "info,=debug"),
        ("IDEMPOTENCY_TTL_HOURS", "a=b=c"),
    ] {
        let problem = problem("", &[(name, value)]);
        assert!(problem.starts_with(name) && problem.contains("but is"), "{problem}");
    }
}

#[test]
fn types_of_the_file_are_held_strictly() {
    assert_eq!(
        problem("shards = \"1\"", &[]),
        "wallex.toml: shards must be a whole number without quotes"
    );
    assert_eq!(problem("listen = 8080", &[]), "wallex.toml: listen must be a text in quotes");
    assert_eq!(
        problem("auto_migrate = \"true\"", &[]),
        "wallex.toml: auto_migrate must be true or false without quotes"
    );
    assert!(problem("shards = -1", &[]).contains("from 1 to 1024, but is \"-1\""));
    assert!(problem("\nlisten = ", &[]).starts_with("wallex.toml, line 2, is not TOML: "));
}

#[test]
fn everything_that_is_wrong_is_reported_at_once() {
    let problem = problem(
        "lisen = 1\nshards = 0\n",
        &[("WALLEX_LISTEN", "nowhere"), ("WALLEX_NOTHING", "1"), ("WALLEX_SHARDS", "2")],
    );
    let lines: Vec<_> = problem.lines().collect();
    assert_eq!(
        lines,
        [
            "4 settings are wrong:",
            "  - wallex.toml: there is no setting lisen; did you mean listen?",
            "  - wallex.toml: shards must be a whole number of shards from 1 to 1024, but is \"0\"",
            "  - WALLEX_LISTEN must be an IP address and a port, as 127.0.0.1:8080 or [::]:8080, \
             but is \"nowhere\"",
            "  - there is no setting WALLEX_NOTHING: `wallex config` lists them all",
        ]
    );
}

#[test]
fn deadlines_that_contradict_each_other_are_refused() {
    let problem = problem("", &[("WALLEX_COMMAND_TIMEOUT_MS", "10000")]);
    assert!(
        problem.contains("must be greater than WALLEX_COMMIT_DEADLINE_MS (10000)"),
        "{problem}"
    );
}

#[test]
fn tokens_are_set_up_whole_or_not_at_all() {
    let issuer = ("WALLEX_JWT_ISSUER", "https://login.example.com");
    assert!(problem("", &[issuer]).starts_with("WALLEX_JWT_AUDIENCE must be set"));
    for alone in [
        ("WALLEX_JWT_AUDIENCE", "wallex"),
        ("WALLEX_JWT_JWKS_URL", "https://login.example.com/keys"),
        ("WALLEX_JWT_DEFAULT_TENANT", "default"),
        ("WALLEX_JWT_SCOPE_CLAIM", "scp"),
    ] {
        let problem = problem("", &[alone]);
        assert!(problem.starts_with("WALLEX_JWT_ISSUER must be set"), "{problem}");
        assert!(problem.contains(alone.0), "{problem}");
    }
    let both = [issuer, ("WALLEX_JWT_AUDIENCE", "wallex")];
    let config = loaded("", &both).expect("valid").config;
    let settings = config.jwt.settings().expect("valid").expect("tokens are accepted");
    assert_eq!((settings.issuer.as_str(), settings.audience.as_str()), (issuer.1, "wallex"));
    assert!(Config::default().jwt.settings().expect("valid").is_none());
    let short = [both[0], both[1], ("WALLEX_JWT_KEYS_AGE_MAX_SECONDS", "299")];
    assert!(problem("", &short).starts_with("WALLEX_JWT_KEYS_AGE_MAX_SECONDS must not be less"));
}

#[test]
fn issuers_that_anybody_could_answer_for_are_refused() {
    for name in ["WALLEX_JWT_ISSUER", "WALLEX_JWT_JWKS_URL"] {
        let problem = problem("", &[(name, "http://login.example.com")]);
        assert!(problem.contains(&format!("{name} must begin with https://")), "{problem}");
    }
}

#[test]
fn secrets_are_shown_nowhere() {
    let url = "postgres://wallex:canary@db/wallex";
    let loaded = loaded("log_format = \"json\"", &[("DATABASE_URL", url)]).expect("valid");
    assert_eq!(loaded.config.log_format, LogFormat::Json);
    let outputs = [table(&loaded), json(&loaded).to_string(), format!("{loaded:?}")];
    for output in outputs {
        assert!(output.contains("wallex@db"), "{output}");
        assert!(!output.contains("canary"), "{output}");
    }
    // Nor in an error.
    let wrong = problem("", &[("DATABASE_URL", "postgress://wallex:canary@db/wallex")]);
    assert!(wrong.contains("DATABASE_URL") && !wrong.contains("canary"), "{wrong}");
    let wrong = problem("database_url = 'pg://wallex:canary@db'", &[]);
    assert!(wrong.contains("database_url") && !wrong.contains("canary"), "{wrong}");
}

#[test]
fn names_follow_one_rule() {
    for key in KEYS.iter() {
        let short = key.env.strip_prefix("WALLEX_").unwrap_or(key.env);
        assert_eq!(key.file, short.to_lowercase());
    }
}

#[test]
fn documented_configuration_is_the_generated_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (path, option, generated) in [
        ("docs/CONFIGURATION.md", "--markdown", markdown()),
        ("deploy/wallex.example.toml", "--example", example_file()),
    ] {
        let stored = std::fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(stored == generated, "run `cargo run -- config {option} > {path}`");
    }
}
