//! Query parameters: each at most once, none that the route does not have.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use actix_web::HttpRequest;
use actix_web::web;

use crate::errors::{Errors, FieldError};

/// The parameters that were not taken yet.
pub(crate) struct Query(BTreeMap<String, Option<String>>);

impl Query {
    /// Reads the parameters of `req`; one that is repeated is noted.
    pub(crate) fn of(req: &HttpRequest, errors: &mut Errors) -> Self {
        // Form decoding replaces what is not UTF-8 by a character that a text may hold.
        let are_text = req.query_string().split('&').filter(|pair| !pair.is_empty()).map(is_text);
        let pairs = web::Query::<Vec<(String, String)>>::from_query(req.query_string())
            .map(web::Query::into_inner)
            .unwrap_or_default();
        let mut parameters = BTreeMap::new();
        for ((name, value), is_text) in pairs.into_iter().zip(are_text) {
            let value = is_text.then_some(value);
            match parameters.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(taken) => {
                    errors.push(FieldError::parameter(taken.key(), "must not be repeated"));
                }
            }
        }
        Self(parameters)
    }

    /// The parameter `name`; `None` when it is missing, or when what is wrong was noted.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
        errors: &mut Errors,
    ) -> Option<T> {
        let value = self.0.remove(name)?;
        let parsed = match value {
            Some(value) => parse(&value),
            None => Err("must be UTF-8, percent-encoded".to_owned()),
        };
        errors.collect(parsed.map_err(|detail| FieldError::parameter(name, detail)))
    }

    /// The parameter `name`, which must be there; `None` says that what is wrong was noted.
    pub(crate) fn require<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
        errors: &mut Errors,
    ) -> Option<T> {
        if !self.0.contains_key(name) {
            errors.push(FieldError::parameter(name, "is required"));
        }
        self.take(name, parse, errors)
    }

    /// Notes what was not taken as unknown.
    pub(crate) fn finish(self, errors: &mut Errors) {
        for name in self.0.keys() {
            errors.push(FieldError::parameter(name, "is not a parameter of this route"));
        }
    }
}

/// Whether what `pair` stands for is UTF-8.
fn is_text(pair: &str) -> bool {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut decoded = Vec::with_capacity(pair.len());
    let mut rest = pair.as_bytes();
    while let [byte, after @ ..] = rest {
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                rest = &after[2..];
            }
            None => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    std::str::from_utf8(&decoded).is_ok()
}

/// Notes every query parameter, for routes that have none.
pub(crate) fn refuse_all(req: &HttpRequest, errors: &mut Errors) {
    Query::of(req, errors).finish(errors);
}
