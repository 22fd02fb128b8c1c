//! Query parameters: each at most once, none that the route does not have.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use actix_web::HttpRequest;
use actix_web::web;

use crate::errors::{Errors, FieldError};

/// The parameters that were not taken yet.
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads the parameters of `req`; one that is repeated is noted.
    pub(crate) fn of(req: &HttpRequest, errors: &mut Errors) -> Self {
        // Form decoding replaces what is not UTF-8, so that it fits no parameter.
        let pairs = web::Query::<Vec<(String, String)>>::from_query(req.query_string())
            .map(web::Query::into_inner)
            .unwrap_or_default();
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs {
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
        errors.collect(parse(&value).map_err(|detail| FieldError::parameter(name, detail)))
    }

    /// Notes what was not taken as unknown.
    pub(crate) fn finish(self, errors: &mut Errors) {
        for name in self.0.keys() {
            errors.push(FieldError::parameter(name, "is not a parameter of this route"));
        }
    }
}

/// Notes every query parameter, for routes that have none.
pub(crate) fn refuse_all(req: &HttpRequest, errors: &mut Errors) {
    Query::of(req, errors).finish(errors);
}
