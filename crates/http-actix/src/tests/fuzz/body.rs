//! What a body may be, said a second time and in another way than the readers say it.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use wallex_application::Precondition;
use wallex_domain::MAX_MINOR_UNITS;

use crate::errors::Errors;
use crate::fields::{Canonical, CanonicalValue, Fields};
use crate::problem::Problem;
use crate::request_hash::request_hash;

/// One field of a body.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) holds: fn(&Value) -> bool,
}

/// The fields of an object, by name.
pub(super) type Object = BTreeMap<String, Value>;

/// What a body must be.
pub(super) struct Shape {
    pub(super) rules: &'static [Rule],
    /// What no field can know alone.
    pub(super) together: fn(&Object) -> bool,
}

/// A number that was written as an integer, within `range`.
pub(super) fn is_integer(value: &Value, range: std::ops::RangeInclusive<i64>) -> bool {
    value.as_i64().is_some_and(|number| range.contains(&number))
}

/// A text that `parse` takes.
pub(super) fn is_text<T, E>(value: &Value, parse: impl Fn(String) -> Result<T, E>) -> bool {
    value.as_str().is_some_and(|text| parse(text.to_owned()).is_ok())
}

/// Gives `data` to a reader, and compares what becomes of it with `shape`. `read` takes the fields, and
/// says whether they make a body.
pub(super) fn check(data: &[u8], shape: &Shape, read: impl Fn(&mut Fields<'_>) -> bool) {
    let read = |bytes: &[u8]| read_with(bytes, &read);
    let fitting = Members::of(data).and_then(|members| members.fitting(shape));
    match (read(data), fitting) {
        (Ok(canonical), Some(object)) => {
            check_kept(&canonical, &object);
            check_spellings(&canonical, read);
        }
        (Err(problem), None) => check_refusal(&problem, data),
        (Ok(_), None) => panic!("this must be refused"),
        (Err(problem), Some(_)) => panic!("this must be accepted: {}", problem.json("/", "c")),
    }
}

fn read_with(bytes: &[u8], read: &impl Fn(&mut Fields<'_>) -> bool) -> Result<Canonical, Problem> {
    let mut fields = Fields::parse(bytes, Errors::default())?;
    let body = read(&mut fields).then_some(());
    let (canonical, errors) = fields.finish();
    errors.finish(body).map(|()| canonical)
}

/// What is kept of a body is what was sent, no more and no less.
fn check_kept(canonical: &Canonical, object: &Object) {
    assert_eq!(canonical.len(), object.len());
    for (name, kept) in canonical {
        match (kept, &object[*name]) {
            (CanonicalValue::Text(kept), Value::String(sent)) => {
                assert_eq!(kept, sent);
                assert!(kept.chars().count() <= 500 && !kept.contains('\0'));
            }
            (CanonicalValue::Integer(kept), Value::Number(sent)) => {
                assert_eq!(Some(*kept), sent.as_i64());
                assert!(kept.abs() <= MAX_MINOR_UNITS);
            }
            (kept, sent) => panic!("{name} was {sent}, and is {kept:?}"),
        }
    }
}

/// The same body in other words has the same hash; another body has another.
fn check_spellings(canonical: &Canonical, read: impl Fn(&[u8]) -> Result<Canonical, Problem>) {
    let hash = |canonical: &Canonical| request_hash(canonical, &Precondition::None);
    let again = read(in_other_words(canonical).as_bytes()).expect("the same body");
    assert_eq!(&again, canonical);
    assert_eq!(hash(&again), hash(canonical));
    assert_ne!(hash(canonical), request_hash(canonical, &Precondition::Exists));
    for name in canonical.keys() {
        let mut other = canonical.clone();
        other.remove(name);
        assert_ne!(hash(&other), hash(canonical), "{name} counts");
    }
    let spelt = in_other_words(canonical);
    for wrong in [format!("\u{feff}{spelt}"), format!("{spelt},"), format!("{spelt}{spelt}")] {
        assert!(read(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

/// The body with its members the other way round, blanks wherever they may stand, and every
/// character escaped.
fn in_other_words(canonical: &Canonical) -> String {
    let escaped = |text: &str| -> String {
        text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    let members: Vec<_> = canonical
        .iter()
        .rev()
        .map(|(name, value)| match value {
            CanonicalValue::Text(text) => {
                format!("\t\"{}\" :\n\"{}\"", escaped(name), escaped(text))
            }
            CanonicalValue::Integer(number) => format!("\r\"{}\": {number} ", escaped(name)),
        })
        .collect();
    format!(" {{{}\n}}\r\n", members.join(","))
}

/// A refusal says what is wrong, and where; it calls what is not JSON so, and nothing else.
fn check_refusal(problem: &Problem, data: &[u8]) {
    let json: Value = serde_json::from_str(&problem.json("/", "c")).expect("a problem is JSON");
    let text = std::str::from_utf8(data).ok();
    let is_json = text.is_some_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
    assert_eq!(json["status"], 400);
    assert!(json["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    match json["code"].as_str() {
        // A name of a member can be JSON and still no text: half a surrogate pair.
        Some("malformed-json") => assert!(!is_json || Members::of(data).is_none()),
        Some("validation-failed") => {
            // What begins as no object is refused for that, and not read on.
            let begins_so = text.is_some_and(|text| text.trim_ascii_start().starts_with('{'));
            assert!(is_json || !begins_so, "what is not JSON is called so");
            let errors = json["errors"].as_array().expect("what is wrong");
            assert!((1..=100).contains(&errors.len()));
            for error in errors {
                let pointer = error["pointer"].as_str().expect("a place in the body");
                assert!(pointer.is_empty() || pointer.starts_with('/'), "{pointer}");
                assert!(error["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
            }
        }
        code => panic!("{code:?} is not about bodies"),
    }
}

/// The members of an object in their order, whatever their names.
struct Members(Vec<(String, Value)>);

impl Members {
    fn of(data: &[u8]) -> Option<Self> {
        serde_json::from_str(std::str::from_utf8(data).ok()?).ok()
    }

    /// The object that they make, if it is one of `shape`.
    fn fitting(self, shape: &Shape) -> Option<Object> {
        let count = self.0.len();
        let object: Object = self.0.into_iter().collect();
        let known = object.iter().all(|(name, value)| {
            let rule = shape.rules.iter().find(|rule| rule.name == name);
            rule.is_some_and(|rule| (rule.holds)(value))
        });
        let mut required = shape.rules.iter().filter(|rule| rule.required);
        let complete = required.all(|rule| object.contains_key(rule.name));
        let fits = object.len() == count && known && complete && (shape.together)(&object);
        fits.then_some(object)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
