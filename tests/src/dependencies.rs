//! What Wallex is built from, against `deny.toml`: licences, sources and bans, as cargo-deny holds them.
//! Here they are held where cargo-deny is not installed, too; advisories need it and the network.

use cargo_metadata::Package;
use toml::{Table, Value};

use crate::arrows::workspace;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

fn deny() -> Table {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deny.toml");
    std::fs::read_to_string(path).expect("deny.toml").parse().expect("TOML")
}

fn texts<'t>(table: &'t Table, section: &str, name: &str) -> Vec<&'t str> {
    let texts = table[section][name].as_array().expect("a list").iter();
    texts.map(|text| text.as_str().expect("a text")).collect()
}

/// What others have made.
fn foreign(packages: &[Package]) -> impl Iterator<Item = &Package> {
    packages.iter().filter(|package| package.source.is_some())
}

/// An SPDX expression, read from the left. `OR` needs one side to hold, `AND` both.
struct Expression<'e> {
    words: Vec<&'e str>,
    allowed: &'e [&'e str],
}

impl<'e> Expression<'e> {
    fn holds(text: &'e str, allowed: &'e [&'e str]) -> bool {
        // Old manifests write `MIT/Apache-2.0`.
        let words = text
            .split_inclusive(['(', ')', '/', ' '])
            .flat_map(|part| {
                let (word, end) = part.split_at(part.len() - usize::from(ends_in_mark(part)));
                [word, if end == " " { "" } else { end }]
            })
            .filter(|word| !word.is_empty())
            .rev()
            .collect();
        let mut expression = Self { words, allowed };
        let holds = expression.either();
        assert!(expression.words.is_empty(), "{text} is an SPDX expression");
        holds
    }

    fn next_is(&mut self, words: &[&str]) -> bool {
        self.words.pop_if(|next| words.contains(next)).is_some()
    }

    fn either(&mut self) -> bool {
        let mut holds = self.all();
        while self.next_is(&["OR", "/"]) {
            holds |= self.all();
        }
        holds
    }

    fn all(&mut self) -> bool {
        let mut holds = self.one();
        while self.next_is(&["AND"]) {
            holds &= self.one();
        }
        holds
    }

    fn one(&mut self) -> bool {
        if self.next_is(&["("]) {
            let holds = self.either();
            assert!(self.next_is(&[")"]), "a closing parenthesis");
            return holds;
        }
        let licence = self.words.pop().expect("a licence");
        if self.next_is(&["WITH"]) {
            let exception = self.words.pop().expect("an exception");
            return self.allowed.contains(&format!("{licence} WITH {exception}").as_str());
        }
        self.allowed.contains(&licence)
    }
}

fn ends_in_mark(part: &str) -> bool {
    part.ends_with(['(', ')', '/', ' '])
}

#[test]
fn expressions_are_understood() {
    let holds = |text| Expression::holds(text, &["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
    for good in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/GPL-3.0",
        "(GPL-3.0 OR MIT) AND ISC",
        "Apache-2.0 WITH LLVM-exception",
        "GPL-3.0 OR MIT AND ISC",
    ] {
        assert!(holds(good), "{good}");
    }
    for bad in ["GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT OR ISC) AND GPL-3.0"] {
        assert!(!holds(bad), "{bad}");
    }
}

#[test]
fn licences_are_those_that_are_allowed() {
    let deny = deny();
    let allowed = texts(&deny, "licenses", "allow");
    for package in foreign(&workspace().packages) {
        let name = &package.name;
        let licence = package.license.as_deref().unwrap_or_else(|| panic!("{name} names none"));
        assert!(Expression::holds(licence, &allowed), "{name} is {licence}");
    }
}

#[test]
fn all_code_of_others_comes_from_the_registry() {
    for package in foreign(&workspace().packages) {
        let source = package.source.as_ref().map(ToString::to_string);
        assert_eq!(source.as_deref(), Some(CRATES_IO), "{}", package.name);
    }
    let sources = &deny()["sources"];
    assert_eq!(sources["unknown-registry"], Value::from("deny"));
    assert_eq!(sources["unknown-git"], Value::from("deny"));
}

#[test]
fn what_is_banned_is_not_there() {
    let deny = deny();
    let banned = deny["bans"]["deny"].as_array().expect("a list");
    let banned: Vec<_> = banned.iter().filter_map(|ban| ban["crate"].as_str()).collect();
    assert!(banned.contains(&"openssl-sys"));
    for package in foreign(&workspace().packages) {
        assert!(!banned.contains(&package.name.as_str()), "{} is banned", package.name);
    }
}
