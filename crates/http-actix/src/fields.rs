//! A strict reader of request bodies: one flat JSON object, every field of it accounted for.
//!
//! serde's derive stops at the first error, takes the last of duplicate keys or the first, and
//! reads `1.0` into a float; a ledger's clients deserve better. Here the object is split into its
//! members' raw text once, and each field is taken out by name; what is wrong is collected with a
//! JSON pointer, and what nobody took is unknown. `null` is not the same as absent: it is a value of
//! a wrong type.
//!
//! One pass over at most 64 KiB, no recursion; members that are not wanted are never built.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::code::Code;
use crate::errors::{Errors, FieldError};
use crate::problem::Problem;

/// What was asked, field by field, before defaults; the request hash is made of it.
pub(crate) type Canonical = BTreeMap<&'static str, CanonicalValue>;

/// The value of a field that was accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum CanonicalValue {
    Text(String),
    Integer(i64),
}

/// The members of a body that were not taken yet, and what is wrong with those that were.
pub(crate) struct Fields<'b> {
    members: BTreeMap<String, &'b RawValue>,
    /// Whether there is an object at all; when there is none, no field of it is missing.
    is_object: bool,
    canonical: Canonical,
    errors: Errors,
}

impl<'b> Fields<'b> {
    /// Reads `body` into its members.
    ///
    /// # Errors
    /// `malformed-json` when it is not JSON. JSON of another shape is noted in `errors` instead.
    pub(crate) fn parse(body: &'b [u8], mut errors: Errors) -> Result<Self, Problem> {
        let malformed = |detail: String| Problem::new(Code::MalformedJson, detail);
        let text = std::str::from_utf8(body)
            .map_err(|error| malformed(format!("The body is not UTF-8: {error}.")))?;
        let (members, is_object) = match serde_json::from_str::<Members<'b>>(text) {
            Ok(members) => {
                for name in members.repeated {
                    errors.push(FieldError::field(&name, "must not be repeated"));
                }
                (members.members, true)
            }
            Err(error) if error.is_data() => {
                errors.push(FieldError::body("must be a JSON object"));
                (BTreeMap::new(), false)
            }
            Err(error) => return Err(malformed(format!("The body is not JSON: {error}."))),
        };
        Ok(Self { members, is_object, canonical: Canonical::new(), errors })
    }

    /// A text that must be there. `None` says that what is wrong was noted.
    pub(crate) fn required_text<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Option<T> {
        let raw = self.take_required(name)?;
        self.text(name, raw, parse)
    }

    /// A text that may be missing. `None` says that it is, or that what is wrong was noted.
    pub(crate) fn optional_text<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Option<T> {
        let raw = self.members.remove(name)?;
        self.text(name, raw, parse)
    }

    /// An integer that must be there. `None` says that what is wrong was noted.
    pub(crate) fn required_integer<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(i64) -> Result<T, E>,
    ) -> Option<T> {
        let raw = self.take_required(name)?;
        self.integer(name, raw, parse)
    }

    /// An integer that may be missing. `None` says that it is, or that what is wrong was noted.
    pub(crate) fn optional_integer<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(i64) -> Result<T, E>,
    ) -> Option<T> {
        let raw = self.members.remove(name)?;
        self.integer(name, raw, parse)
    }

    /// Whether the field is there and was not taken yet.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Notes what is wrong with the fields taken together.
    pub(crate) fn note(&mut self, error: FieldError) {
        self.errors.push(error);
    }

    /// Notes what was not taken as unknown, and hands over all that was noted.
    pub(crate) fn finish(mut self) -> (Canonical, Errors) {
        for name in self.members.keys() {
            self.errors.push(FieldError::field(name, "is not a field of this request"));
        }
        (self.canonical, self.errors)
    }

    fn take_required(&mut self, name: &'static str) -> Option<&'b RawValue> {
        let raw = self.members.remove(name);
        if raw.is_none() && self.is_object {
            self.errors.push(FieldError::field(name, "is required"));
        }
        raw
    }

    fn text<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        raw: &RawValue,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = read_text(raw.get()).and_then(|text| {
            let parsed = parse(text.clone()).map_err(|error| error.to_string())?;
            Ok((CanonicalValue::Text(text), parsed))
        });
        self.keep(name, parsed)
    }

    fn integer<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        raw: &RawValue,
        parse: impl FnOnce(i64) -> Result<T, E>,
    ) -> Option<T> {
        let parsed = read_integer(raw.get()).and_then(|integer| {
            let parsed = parse(integer).map_err(|error| error.to_string())?;
            Ok((CanonicalValue::Integer(integer), parsed))
        });
        self.keep(name, parsed)
    }

    fn keep<T>(
        &mut self,
        name: &'static str,
        parsed: Result<(CanonicalValue, T), String>,
    ) -> Option<T> {
        match parsed {
            Ok((value, parsed)) => {
                self.canonical.insert(name, value);
                Some(parsed)
            }
            Err(detail) => {
                self.errors.push(FieldError::field(name, detail));
                None
            }
        }
    }
}

/// The string that `raw`, valid JSON, is.
fn read_text(raw: &str) -> Result<String, String> {
    if !raw.starts_with('"') {
        return Err(format!("must be a string, not {}", kind(raw)));
    }
    // The only thing that can still be wrong: JSON's grammar allows it, no text can hold it.
    serde_json::from_str::<Cow<'_, str>>(raw)
        .map(Cow::into_owned)
        .map_err(|_| "must not hold half a surrogate pair".to_owned())
}

/// The integer that `raw`, valid JSON, is; what is beyond `i64` becomes its nearest end, which is
/// out of every range that an amount may have.
fn read_integer(raw: &str) -> Result<i64, String> {
    let (negative, digits) = match raw.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, raw),
    };
    let is_integer = digits.bytes().all(|b| b.is_ascii_digit()) && raw != "-0";
    if !is_integer {
        return Err(format!("must be an integer, without fraction or exponent, not {}", kind(raw)));
    }
    Ok(raw.parse().unwrap_or(if negative { i64::MIN } else { i64::MAX }))
}

/// What `raw`, valid JSON, is, in words.
fn kind(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ if raw == "-0" => "negative zero",
        _ if raw.contains(['.', 'e', 'E']) => "a float",
        _ => "a number",
    }
}

/// The members of a JSON object as they stand, and the names that come more than once.
struct Members<'b> {
    members: BTreeMap<String, &'b RawValue>,
    repeated: Vec<String>,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        let mut repeated = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            match members.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(taken) => repeated.push(taken.key().clone()),
            }
        }
        Ok(Members { members, repeated })
    }
}
