//! What is wrong with one request, collected before anything is answered.

use serde::Serialize;
use utoipa::ToSchema;

use crate::code::Code;
use crate::problem::Problem;

/// How many errors an answer lists. A body of 64 KiB can hold thousands of unknown fields.
const LISTED_MAX: usize = 100;

/// One thing that is wrong with a request, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FieldError {
    /// JSON pointer (RFC 6901) to the field of the body; empty for the body itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("/amount"))]
    pointer: Option<String>,
    /// Name of the path or query parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("limit"))]
    parameter: Option<String>,
    /// Name of the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("If-Match"))]
    header: Option<&'static str>,
    /// What it must be.
    #[schema(examples("must be at least 1 minor unit"))]
    detail: String,
}

impl FieldError {
    pub(crate) fn body(detail: impl Into<String>) -> Self {
        Self::at(Some(String::new()), None, None, detail)
    }

    pub(crate) fn field(name: &str, detail: impl Into<String>) -> Self {
        // RFC 6901 section 3.
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        Self::at(Some(pointer), None, None, detail)
    }

    pub(crate) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self::at(None, Some(name.to_owned()), None, detail)
    }

    pub(crate) fn header(name: &'static str, detail: impl Into<String>) -> Self {
        Self::at(None, None, Some(name), detail)
    }

    fn at(
        pointer: Option<String>,
        parameter: Option<String>,
        header: Option<&'static str>,
        detail: impl Into<String>,
    ) -> Self {
        Self { pointer, parameter, header, detail: detail.into() }
    }
}

/// Everything wrong that was found so far.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    listed: Vec<FieldError>,
    found: usize,
    key_missing: bool,
}

impl Errors {
    pub(crate) fn push(&mut self, error: FieldError) {
        self.found += 1;
        if self.listed.len() < LISTED_MAX {
            self.listed.push(error);
        }
    }

    /// Notes that the required `Idempotency-Key` is missing, which has a code of its own when it is
    /// all that is wrong.
    pub(crate) fn push_key_missing(&mut self) {
        self.key_missing = true;
        self.push(FieldError::header(
            crate::headers::IDEMPOTENCY_KEY,
            "is required: send a key that is unique to this request, a UUID for one",
        ));
    }

    /// The value, or a note of why there is none.
    pub(crate) fn collect<T>(&mut self, result: Result<T, FieldError>) -> Option<T> {
        result.map_err(|error| self.push(error)).ok()
    }

    /// Ends the collecting: `parsed` is `None` only when something was found to be wrong.
    pub(crate) fn finish<T>(self, parsed: Option<T>) -> Result<T, Problem> {
        match parsed {
            Some(parsed) if self.found == 0 => Ok(parsed),
            _ => {
                let only_the_key = self.key_missing && self.found == 1;
                let code =
                    if only_the_key { Code::IdempotencyKeyMissing } else { Code::ValidationFailed };
                Err(Problem::validation(code, self.listed, self.found))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_escaped() {
        let json = serde_json::to_value(FieldError::field("a/b~c", "is unknown")).expect("json");
        assert_eq!(json, serde_json::json!({"pointer": "/a~1b~0c", "detail": "is unknown"}));
    }
}
