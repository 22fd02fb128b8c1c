//! One text for each JSON document: what is hashed must not depend on how a database keeps it.
//!
//! PostgreSQL's `jsonb` forgets spaces and the order of names; SQLite keeps the text. So what is hashed is
//! the canonical form: names sorted by their UTF-8 bytes, no spaces, integers in decimal, strings with
//! `\"`, `\\`, `\b`, `\f`, `\n`, `\r`, `\t`, `\u00xx` (lower case) for the other control characters, and
//! everything else as it is. A document with a number that is no integer of 64 bits, or with a name
//! twice in one object, has no canonical form: no event that Wallex writes has either.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// The canonical form of `json`; `None` when it has none.
///
/// ```
/// use wallex_domain::canonical_json;
///
/// assert_eq!(canonical_json(r#"{ "b": [1, "\u0041"], "a": null }"#).unwrap(), r#"{"a":null,"b":[1,"A"]}"#);
/// assert_eq!(canonical_json("1.5"), None);
/// ```
#[must_use]
pub fn canonical_json(json: &str) -> Option<String> {
    let mut text = Vec::with_capacity(json.len());
    write_canonical(json, &mut text)
        .then(|| String::from_utf8(text).expect("invariant: what is written is UTF-8"))
}

/// Writes the canonical form of `json`; false, and nothing written, when it has none.
pub(crate) fn write_canonical(json: &str, to: &mut Vec<u8>) -> bool {
    let node = serde_json::from_str::<Node<'_>>(json);
    node.map(|node| node.write(to)).is_ok()
}

enum Node<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// Above the greatest `i64`.
    Large(u64),
    Text(Cow<'a, str>),
    List(Vec<Self>),
    /// Sorted by name, each name once.
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl Node<'_> {
    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Null => to.extend_from_slice(b"null"),
            Self::Bool(value) => scalar(value, to),
            Self::Int(value) => scalar(value, to),
            Self::Large(value) => scalar(value, to),
            Self::Text(text) => string(text, to),
            Self::List(items) => {
                to.push(b'[');
                for (i, item) in items.iter().enumerate() {
                    separate(i, to);
                    item.write(to);
                }
                to.push(b']');
            }
            Self::Object(members) => {
                to.push(b'{');
                for (i, (name, value)) in members.iter().enumerate() {
                    separate(i, to);
                    string(name, to);
                    to.push(b':');
                    value.write(to);
                }
                to.push(b'}');
            }
        }
    }
}

fn separate(i: usize, to: &mut Vec<u8>) {
    if i > 0 {
        to.push(b',');
    }
}

fn string(text: &str, to: &mut Vec<u8>) {
    // Most have nothing to escape.
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        scalar(text, to);
    } else {
        to.push(b'"');
        to.extend_from_slice(text.as_bytes());
        to.push(b'"');
    }
}

/// What `serde_json` writes as this module's doc says; a golden test holds it to that.
fn scalar(value: &(impl serde::Serialize + ?Sized), to: &mut Vec<u8>) {
    serde_json::to_writer(to, value).expect("invariant: scalars always serialise");
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without fractions")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Node::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Node::Large(value), Node::Int))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Node::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Node::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'de, str>, Node<'de>)> = Vec::with_capacity(8);
        while let Some((Name(name), value)) = object.next_entry()? {
            members.push((name, value));
        }
        members.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        if members.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(de::Error::custom("a name stands twice in one object"));
        }
        Ok(Node::Object(members))
    }
}

/// A name that is borrowed where it has no escapes; serde would copy each into a `Cow`.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(text.into()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(text.to_owned().into()))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_spaces_and_escapes_make_no_difference() {
        let canonical =
            r#"{"a":[true,false,null,-1,18446744073709551615],"b":{"é":"\"\\/"},"ü":""}"#;
        for text in [
            canonical,
            r#" { "ü" : "" , "b" : {"\u00e9":"\"\\\/"}, "a" : [ true, false, null, -1, 18446744073709551615 ] } "#,
        ] {
            assert_eq!(canonical_json(text).as_deref(), Some(canonical), "{text}");
        }
    }

    #[test]
    fn escapes_are_those_of_the_definition() {
        let every: String =
            (0_u8..0x80).map(char::from).chain(['\u{80}', '\u{2028}', '😀']).collect();
        let text = serde_json::to_string(&every).expect("a text");
        let expected = "\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\
                        \\u000e\\u000f\\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\
                        \\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f !\\\"#$%&'()*+,-./0123456789:;\
                        <=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\u{7f}\
                        \u{80}\u{2028}😀\"";
        assert_eq!(canonical_json(&text).as_deref(), Some(expected));
    }

    #[test]
    fn each_character_is_escaped_on_its_own_merit() {
        for character in (0_u8..0x80).map(char::from).chain(['é', '😀']) {
            // What a text of that character alone is, and of it among others, must agree.
            let alone = serde_json::to_string(&character.to_string()).expect("a text");
            assert_eq!(canonical_json(&alone).as_deref(), Some(&*alone), "{character:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_has_no_canonical_form() {
        for text in [
            "",
            "{",
            "1 2",
            "1.0",
            "1e3",
            "-0",
            "18446744073709551616",
            "NaN",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"["\ud800"]"#,
        ] {
            assert_eq!(canonical_json(text), None, "{text}");
        }
    }
}
