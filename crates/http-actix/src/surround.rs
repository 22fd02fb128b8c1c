//! The layer around every request.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::ConnectionType;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};

use crate::connection::{self, Answering};
use crate::correlation::Correlation;
use crate::observe;
use crate::rate_limit::Allowance;
use crate::security::Protection;
use crate::state::Operations;

/// Gives the request its correlation id, has its connection watched while it is answered, refuses it
/// when its head is too large, and gives every answer the headers that all answers have.
pub(crate) async fn surround(
    req: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<Answering>, Error> {
    let operations =
        req.app_data::<Data<Operations>>().expect("invariant: the app holds its state").clone();
    let correlation = Correlation::of_headers(req.headers(), &operations);
    let echo = HeaderValue::from_str(correlation.id.as_str())
        .expect("invariant: visible ASCII is a header value");
    req.extensions_mut().insert(correlation);
    let protection = Protection::of(req.request());
    let open = connection::begin(req.request());
    let mut response = match connection::check(req.request(), &operations.state.settings) {
        Ok(()) => next.call(req).await?,
        Err(problem) => observe::refuse(req, &problem),
    };
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
    Ok(response.map_body(|_, body| Answering::new(body, open)))
}
