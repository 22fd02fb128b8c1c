//! The arrows of docs/ARCHITECTURE.md: which room knows which.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand, Package};

/// What each crate of ours may build on. What is not listed may build on nothing of ours.
const ARROWS: &[(&str, &[&str])] = &[
    ("wallex-domain", &[]),
    ("wallex-ports", &["wallex-domain"]),
    ("wallex-application", &["wallex-domain", "wallex-ports"]),
    ("wallex-console", &[]),
    (
        "wallex-http-actix",
        &["wallex-application", "wallex-console", "wallex-domain", "wallex-ports"],
    ),
    ("wallex-database", &["wallex-domain", "wallex-ports"]),
    ("wallex-migrations", &["wallex-database", "wallex-domain", "wallex-ports"]),
    ("wallex-postgres-eventstore", &["wallex-database", "wallex-domain", "wallex-ports"]),
    ("wallex-access", &["wallex-database", "wallex-domain", "wallex-ports"]),
    ("wallex-outbox", &["wallex-database", "wallex-domain", "wallex-ports"]),
    ("wallex-idempotency", &["wallex-database", "wallex-domain", "wallex-ports"]),
    ("wallex-jwt", &["wallex-domain", "wallex-ports"]),
    (
        "wallex-unit-of-work",
        &[
            "wallex-database",
            "wallex-domain",
            "wallex-idempotency",
            "wallex-outbox",
            "wallex-ports",
            "wallex-postgres-eventstore",
        ],
    ),
    ("wallex-projectors", &["wallex-database", "wallex-domain", "wallex-outbox", "wallex-ports"]),
    ("wallex-fuzz-corpus", &[]),
    ("wallex-verify", &["wallex-database", "wallex-domain", "wallex-ports"]),
    (
        "wallex-simulation",
        &[
            "wallex-application",
            "wallex-domain",
            "wallex-outbox",
            "wallex-ports",
            "wallex-projectors",
        ],
    ),
    ("wallex-testkit", &["wallex-domain"]),
    ("wallex-bench", &["wallex-testkit", "wallex-database", "wallex-domain"]),
    ("wallex-chaos", &["wallex-testkit"]),
    ("wallex-tests", &[]),
];

/// The one that sees all.
const BINARY: &str = "wallex";

/// Crates that would bring the outside into a room that has none of it.
const IO: &[&str] = &[
    "actix-web",
    "async-std",
    "async-trait",
    "futures",
    "futures-util",
    "hyper",
    "reqwest",
    "sea-orm",
    "sqlx",
    "tokio",
];

pub(crate) fn workspace() -> Metadata {
    // For this machine alone: what other systems need may not even be downloaded.
    let for_this_machine = ["--filter-platform".to_owned(), this_machine(), "--locked".to_owned()];
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .features(CargoOpt::AllFeatures)
        .other_options(for_this_machine)
        .exec()
        .expect("cargo describes the workspace")
}

/// The compiler's name for this kind of machine, `x86_64-unknown-linux-gnu` for one.
fn this_machine() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc names its host").to_owned()
}

fn ours(metadata: &Metadata) -> Vec<&Package> {
    metadata.workspace_packages()
}

/// What `package` builds on among ours; development dependencies are not built on.
fn builds_on<'a>(package: &'a Package, names: &BTreeSet<&str>) -> Vec<&'a str> {
    let dependencies = package.dependencies.iter();
    dependencies
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
        .filter(|name| names.contains(name))
        .collect()
}

#[test]
fn every_crate_builds_only_on_what_it_may_know() {
    let metadata = workspace();
    let packages = ours(&metadata);
    let names: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let arrows: BTreeMap<&str, &[&str]> = ARROWS.iter().copied().collect();
    for package in packages.iter().filter(|package| package.name != BINARY) {
        let name = package.name.as_str();
        let allowed = arrows.get(name).unwrap_or_else(|| panic!("{name} has no arrows yet"));
        for known in builds_on(package, &names) {
            assert!(allowed.contains(&known), "{name} must not know {known}");
        }
    }
}

#[test]
fn the_arrows_name_no_crate_that_is_gone() {
    let metadata = workspace();
    let names: BTreeSet<&str> =
        ours(&metadata).iter().map(|package| package.name.as_str()).collect();
    let listed = ARROWS.iter().flat_map(|(name, known)| known.iter().chain([name]));
    for name in listed {
        assert!(names.contains(name), "{name} is gone");
    }
}

#[test]
fn the_testkit_is_part_of_nothing_that_ships() {
    let metadata = workspace();
    let testkit = BTreeSet::from(["wallex-testkit"]);
    for package in ours(&metadata) {
        let ships =
            !["wallex-bench", "wallex-chaos", "wallex-tests"].contains(&package.name.as_str());
        assert!(!ships || builds_on(package, &testkit).is_empty(), "{} ships it", package.name);
    }
}

#[test]
fn the_pure_rooms_do_no_io() {
    // Everything that the crate is built with, at any depth, as cargo resolved it.
    fn built_with<'a>(metadata: &'a Metadata, root: &str) -> BTreeSet<&'a str> {
        let nodes = &metadata.resolve.as_ref().expect("dependencies were resolved").nodes;
        let by_id: BTreeMap<_, _> = nodes.iter().map(|node| (&node.id, node)).collect();
        let root = ours(metadata).into_iter().find(|package| package.name == root);
        let mut waiting = vec![&root.expect("a crate of ours").id];
        let mut seen = BTreeSet::new();
        while let Some(id) = waiting.pop() {
            if !seen.insert(id) {
                continue;
            }
            let normal = by_id[id].deps.iter().filter(|dependency| {
                dependency.dep_kinds.iter().any(|info| info.kind == DependencyKind::Normal)
            });
            waiting.extend(normal.map(|dependency| &dependency.pkg));
        }
        seen.into_iter().map(|id| metadata[id].name.as_str()).collect()
    }

    let metadata = workspace();
    let domain = built_with(&metadata, "wallex-domain");
    let found: Vec<_> = IO.iter().filter(|name| domain.contains(*name)).collect();
    assert!(found.is_empty(), "wallex-domain is built with {found:?}");
    // Ports are traits of async functions, and nothing more of it.
    let ports = built_with(&metadata, "wallex-ports");
    let found: Vec<_> =
        IO.iter().filter(|name| **name != "async-trait" && ports.contains(*name)).collect();
    assert!(found.is_empty(), "wallex-ports is built with {found:?}");
}

#[test]
fn unsafe_code_and_lints_are_decided_once() {
    let metadata = workspace();
    for package in ours(&metadata) {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("a manifest");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} has own lints", package.name);
    }
    // Forbidden is what no crate and no line can allow again. The fuzz targets are a workspace of
    // their own, and so need it said a second time.
    for (path, lints) in
        [("Cargo.toml", "[workspace.lints.rust]"), ("fuzz/Cargo.toml", "[lints.rust]")]
    {
        let manifest = metadata.workspace_root.join(path);
        let manifest = std::fs::read_to_string(&manifest).expect("a manifest");
        let lints = manifest.split(lints).nth(1).expect("lints");
        let lints = lints.split("\n[").next().unwrap_or_default();
        assert!(lints.contains("\nunsafe_code = \"forbid\"\n"), "{path} allows unsafe code");
    }
}
