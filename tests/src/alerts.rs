//! `deploy/prometheus`: the rules are sound, each alert was seen to fire and to be silent, and says
//! where to read on.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::deployment::{items, read, root, text, yaml};
use crate::links::{anchor, anchors};
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
    let headings = anchors(&runbook);
    let alerts = rules(ALERTS);
    assert!(alerts.len() > 10);
    let listed = section(&runbook, "alerts").lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(listed, alerts.len(), "rows of the runbook's table of alerts");
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
        let row = format!("\n| `{}` | {severity} | ", text(name));
        assert!(section(&runbook, "alerts").contains(&row), "the runbook's table of alerts: {row}");
        let section = section(&runbook, heading);
        assert!(section.contains(&format!("`{}`", text(name))), "{link} does not speak of {name}");
        // Symptom, check, cure: in a table, or in sentences.
        assert!(section.lines().count() > 4, "{link} says next to nothing");
    }
}

/// The part of `page` below the heading with that anchor.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let mut sections = page.split("\n## ").skip(1);
    let found =
        sections.find(|section| anchor(section.lines().next().unwrap_or_default()) == heading);
    found.unwrap_or_else(|| panic!("no section {heading}"))
}
