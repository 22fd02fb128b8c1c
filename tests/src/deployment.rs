//! What is in `deploy/`, as far as it can be checked without a container, a cluster or an init
//! system. `just deploy-check` goes further, with tools from a package registry.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wallex_testkit::ServerBuilder;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository")
}

/// The text of a file of the repository.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file of the repository in YAML.
pub(crate) fn yaml(path: &str) -> Value {
    serde_saphyr::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A file of the repository in JSON.
pub(crate) fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The members of an object.
pub(crate) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().unwrap_or_else(|| panic!("an object: {value}")).iter()
}

/// The items of a list.
pub(crate) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap_or_else(|| panic!("a list: {value}")).iter()
}

/// The text that `value` is.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}"))
}

/// The paths of all files in `deploy/`, from the root on.
fn files() -> Vec<String> {
    let mut waiting = vec![root().join("deploy")];
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let path = path.strip_prefix(root()).expect("within the root").to_owned();
                files.push(path.into_os_string().into_string().expect("a name of text"));
            }
        }
    }
    files
}

#[test]
fn every_yaml_and_json_can_be_read() {
    let mut count = 0;
    for path in files() {
        let is_template = path.contains("/templates/");
        match path.rsplit('.').next() {
            Some("yaml" | "yml") if !is_template => drop(yaml(&path)),
            Some("json") => drop(json(&path)),
            _ => continue,
        }
        count += 1;
    }
    assert!(count > 10, "{count} files were found");
}

#[test]
fn images_are_pinned_to_a_version() {
    let is_pinned = |image: &str| {
        let tag = image.rsplit('/').next().and_then(|name| name.split_once(':'));
        tag.is_some_and(|(_, tag)| tag.matches('.').count() >= 1 && tag != "latest")
    };
    let compose = yaml("deploy/compose.yaml");
    for (name, service) in members(&compose["services"]) {
        let image = text(&service["image"]);
        assert!(image == "wallex:local" || is_pinned(image), "{name}: {image}");
    }
    let dockerfile = read("deploy/Dockerfile");
    let stages: BTreeSet<_> = dockerfile.lines().filter_map(|l| l.split_once(" AS ")).collect();
    let names: Vec<_> = stages.iter().map(|(_, name)| *name).collect();
    for (from, _) in &stages {
        let image = from.trim_start_matches("FROM ");
        assert!(names.contains(&image) || is_pinned(image), "{image}");
    }
    assert!(stages.len() > 2, "{stages:?}");
}

/// The words of `text` that look like environment variables of ours.
fn variables(text: &str) -> BTreeSet<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_word(c));
    let ours = ["WALLEX_", "PROJECTORS_", "IDEMPOTENCY_"];
    words.filter(|word| ours.iter().any(|start| word.starts_with(start))).collect()
}

#[test]
fn settings_that_are_named_exist() {
    let configuration = read("docs/CONFIGURATION.md");
    let known = variables(&configuration);
    let mut named = BTreeSet::new();
    for path in files() {
        let file = read(&path);
        for variable in variables(&file) {
            assert!(known.contains(variable), "{path} names {variable}, which is no setting");
            named.insert(variable.to_owned());
        }
    }
    assert!(named.contains("WALLEX_LISTEN"), "{named:?}");
}

#[test]
fn commands_that_are_given_exist() {
    let compose = yaml("deploy/compose.yaml");
    let given = members(&compose["services"])
        .filter(|(_, service)| service["image"] == "wallex:local")
        .filter_map(|(_, service)| service["command"].as_array());
    let mut commands: Vec<Vec<String>> =
        given.map(|words| words.iter().map(|word| text(word).to_owned()).collect()).collect();
    let unit = read("deploy/systemd/wallex.service");
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/wallex "));
    let words = |line: &str| line.split(' ').map(ToOwned::to_owned).collect();
    commands.push(words(start.expect("what the unit starts")));
    // Of the image's health check, and of the jobs that make the first key.
    commands.extend(["healthcheck", "keys create"].map(words));
    assert!(commands.contains(&words("migrate up")), "{commands:?}");
    for command in commands {
        let args: Vec<_> = command.iter().map(String::as_str).chain(["--help"]).collect();
        let mut process = ServerBuilder::new(&args).spawn();
        let status = wallex_testkit::block_on(process.wait());
        assert!(status.success(), "wallex {command:?}: {}", process.logs());
    }
}

#[test]
fn the_image_is_not_root_and_the_context_has_what_is_built() {
    let dockerfile = read("deploy/Dockerfile");
    for line in ["USER 10001:10001", "ENTRYPOINT [\"wallex\"]"] {
        assert!(dockerfile.lines().any(|other| other == line), "{line}");
    }
    assert!(dockerfile.contains("HEALTHCHECK"), "{dockerfile}");
    // The context is a list of what is let in: every folder with a crate must be on it.
    let manifest = read("Cargo.toml");
    let members = manifest.split_once("members = [").expect("members").1;
    let members = members.split_once(']').expect("an end").0.split(',');
    let ignore = read(".dockerignore");
    let admitted: Vec<_> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for member in members.map(|member| member.trim().trim_matches('"').trim_end_matches("/*")) {
        assert!(admitted.contains(&member), "{member} is not in the context of the image");
    }
}

#[test]
fn the_chart_has_copies_of_the_rules() {
    for name in ["wallex.recording.yml", "wallex.alerts.yml"] {
        let (rules, copy) =
            (format!("deploy/prometheus/{name}"), format!("deploy/helm/wallex/files/{name}"));
        assert_eq!(read(&rules), read(&copy), "cp {rules} {copy}");
    }
}

#[test]
fn the_chart_s_version_of_the_server_is_the_server_s() {
    let chart = yaml("deploy/helm/wallex/Chart.yaml");
    let version = format!("version = {}", chart["appVersion"]);
    assert!(read("Cargo.toml").lines().any(|line| line == version), "{version}");
}

#[test]
fn the_workflow_runs_what_ci_runs() {
    let workflow = yaml(".github/workflows/ci.yml");
    let runs = |job: &str| {
        let steps = workflow["jobs"][job]["steps"].clone();
        let runs = items(&steps).filter_map(|step| step["run"].as_str().map(ToOwned::to_owned));
        runs.collect::<Vec<_>>()
    };
    assert_eq!(runs("test"), [".ci/run"], "what .ci/run leaves out, CI must not add");
    assert!(read(".ci/run").contains("just test"), "and .ci/run ends in `just test`");
    let recipes = read("justfile");
    for recipe in runs("deployment").iter().filter_map(|run| run.strip_prefix("just ")) {
        let is_one = recipes.lines().any(|line| line.starts_with(&format!("{recipe}:")));
        assert!(is_one, "there is no `just {recipe}`");
    }
}
