//! `deploy/prometheus`: the rules are sound, each alert was seen to fire and to be silent, and says
//! where to read on.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::deployment::{items, read, root, text, yaml};
use crate::prometheus_tools::promtool;

const ALERTS: &str = "deploy/prometheus/wallex.alerts.yml";
const RECORDING: &str = "deploy/prometheus/wallex.recording.yml";
const TESTS: &str = "deploy/prometheus/wallex.alerts_test.yml";

/// The rules of a file.
pub(crate) fn rules(path: &str) -> Vec<Value> {
    let groups = yaml(path)["groups"].clone();
    items(&groups).flat_map(|group| items(&group["rules"]).cloned().collect::<Vec<_>>()).collect()
}

/// The expressions of all rules.
pub(crate) fn expressions() -> Vec<String> {
    let rules = [ALERTS, RECORDING].map(rules).concat();
    rules.iter().map(|rule| text(&rule["expr"]).to_owned()).collect()
}

/// The names of what is recorded.
pub(crate) fn recorded() -> BTreeSet<String> {
    rules(RECORDING).iter().map(|rule| text(&rule["record"]).to_owned()).collect()
}

/// Runs promtool in `deploy/prometheus`.
#[track_caller]
fn is_content(args: &[&str]) {
    let (content, said) = promtool(&root().join("deploy/prometheus"), args, "");
    assert!(content, "promtool {}: {said}", args.join(" "));
}

#[test]
fn promtool_is_content_with_configuration_and_rules() {
    is_content(&["check", "config", "--syntax-only", "prometheus.yml"]);
    is_content(&["check", "rules", "wallex.recording.yml", "wallex.alerts.yml"]);
    is_content(&["test", "rules", "wallex.alerts_test.yml"]);
}

#[test]
fn every_alert_is_tested_firing_and_silent() {
    let tests = yaml(TESTS)["tests"].clone();
    let (mut firing, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for case in items(&tests).flat_map(|test| items(&test["alert_rule_test"])) {
        let fires = items(&case["exp_alerts"]).next().is_some();
        let seen = if fires { &mut firing } else { &mut silent };
        seen.insert(text(&case["alertname"]).to_owned());
    }
    for alert in rules(ALERTS) {
        let name = text(&alert["alert"]);
        assert!(firing.contains(name), "{name} was never seen to fire");
        assert!(silent.contains(name), "{name} was never seen to be silent");
    }
}

#[test]
fn every_alert_says_how_bad_it_is_and_where_to_read_on() {
    let runbook = read("docs/RUNBOOK.md");
    let headings: BTreeSet<_> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    let alerts = rules(ALERTS);
    assert!(alerts.len() > 10);
    for alert in alerts {
        let (name, annotations) = (&alert["alert"], &alert["annotations"]);
        let severity = text(&alert["labels"]["severity"]);
        assert!(["critical", "warning"].contains(&severity), "{name}: {severity}");
        for annotation in ["summary", "description"] {
            assert!(!text(&annotations[annotation]).is_empty(), "{name} has no {annotation}");
        }
        let link = text(&annotations["runbook_url"]);
        let heading = link.strip_prefix("docs/RUNBOOK.md#").unwrap_or_default();
        assert!(headings.contains(heading), "{name} links to {link}, and there is {headings:?}");
    }
}

/// The anchor that a heading gets.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn anchors_are_those_of_the_pages() {
    assert_eq!(anchor("`/readyz` is 503"), "readyz-is-503");
    assert_eq!(anchor("Was it done?"), "was-it-done");
}
