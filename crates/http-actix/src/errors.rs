//! What is wrong with one request, collected before anything is answered.

use crate::code::Code;
use crate::problem::{FieldError, Problem};

/// How many errors an answer lists. A body of 64 KiB can hold thousands of unknown fields.
const LISTED_MAX: usize = 100;

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
