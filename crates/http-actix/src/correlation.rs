//! The correlation id: read or made before anything else, echoed on every answer.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest};
use wallex_ports::CorrelationId;

use crate::errors::{Errors, FieldError};
use crate::headers::{self, X_CORRELATION_ID};
use crate::problem::Problem;
use crate::rate_limit::Allowance;
use crate::security::Protection;
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
    fn of_headers(headers: &HeaderMap, operations: &Operations) -> Self {
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
    req.extensions().get().cloned().expect("invariant: `correlate` surrounds every route")
}

/// Refuses a request whose correlation id can't be used, on routes that check nothing else.
pub(crate) fn require_valid(req: &HttpRequest) -> Result<(), Problem> {
    let mut errors = Errors::default();
    of(req).check(&mut errors);
    errors.finish(Some(()))
}

/// The outermost layer: gives the request its correlation id, and every answer the headers that all
/// answers have.
pub(crate) async fn correlate(
    req: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let operations =
        req.app_data::<Data<Operations>>().expect("invariant: the app holds its state").clone();
    let correlation = Correlation::of_headers(req.headers(), &operations);
    let echo = HeaderValue::from_str(correlation.id.as_str())
        .expect("invariant: visible ASCII is a header value");
    req.extensions_mut().insert(correlation);
    let protection = Protection::of(req.request());
    let mut response = next.call(req).await?;
    let allowance = response.request().extensions().get::<Allowance>().copied();
    let head = response.response_mut().head_mut();
    protection.add_to(head);
    head.headers_mut().insert(HeaderName::from_static("x-correlation-id"), echo);
    if let Some(allowance) = allowance {
        allowance.tell(head.headers_mut());
    }
    if operations.state.lifecycle.is_draining() {
        head.set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}
