//! The correlation id: read or made before anything else.

use actix_web::http::header::HeaderMap;
use actix_web::{HttpMessage, HttpRequest};
use wallex_ports::CorrelationId;

use crate::errors::{Errors, FieldError};
use crate::headers::{self, X_CORRELATION_ID};
use crate::problem::Problem;
use crate::state::Operations;

/// What a request is followed by.
#[derive(Debug, Clone)]
pub(crate) struct Correlation {
    /// The client's id, or one that was made because it sent none, or none that can be used.
    pub(crate) id: CorrelationId,
    /// What is wrong with the id that the client sent.
    refused: Option<FieldError>,
}

impl Correlation {
    pub(crate) fn of_headers(headers: &HeaderMap, operations: &Operations) -> Self {
        let made = || {
            CorrelationId::parse(&operations.state.ids.next().to_string())
                .expect("invariant: a UUID's text is visible ASCII")
        };
        let sent = headers::single(headers, X_CORRELATION_ID).and_then(|text| {
            text.map(|text| {
                CorrelationId::parse(text)
                    .map_err(|error| FieldError::header(X_CORRELATION_ID, error.to_string()))
            })
            .transpose()
        });
        match sent {
            Ok(Some(id)) => Self { id, refused: None },
            Ok(None) => Self { id: made(), refused: None },
            Err(error) => Self { id: made(), refused: Some(error) },
        }
    }

    /// Adds what is wrong with the client's id to what else is wrong.
    pub(crate) fn check(&self, errors: &mut Errors) {
        if let Some(error) = &self.refused {
            errors.push(error.clone());
        }
    }
}

/// The request's correlation.
pub(crate) fn of(req: &HttpRequest) -> Correlation {
    req.extensions().get().cloned().expect("invariant: `surround` is around every route")
}

/// Refuses a request whose correlation id can't be used, on routes that check nothing else.
pub(crate) fn require_valid(req: &HttpRequest) -> Result<(), Problem> {
    let mut errors = Errors::default();
    of(req).check(&mut errors);
    errors.finish(Some(()))
}
