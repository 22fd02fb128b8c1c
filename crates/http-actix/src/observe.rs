//! What is around each route: renders problems, and lets a request be seen from outside as a span, as
//! metrics and as one log line.
//!
//! It is told its route when the app is built. To ask actix for it, which matches the path against
//! the whole table again, costs more than all that is measured here.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::web::Data;
use actix_web::{Error, HttpRequest};
use metrics::{Counter, Histogram};
use tracing::Instrument as _;

use crate::code::Code;
use crate::metric_names::{REQUEST_DURATION, REQUESTS};
use crate::problem::Problem;
use crate::root_span;
use crate::state::{Api, Operations};
use crate::unread::Reader;

/// How requests to nowhere are counted: their paths are the clients' choice, and without end.
pub(crate) const NO_ROUTE: &str = "none";

/// How requests are measured, by route, method and status.
type Measured = HashMap<(&'static str, &'static str, u16), (Counter, Histogram)>;

thread_local! {
    /// What was measured before: a look into the registry hashes the labels and takes locks, each time.
    static MEASURED: RefCell<Measured> = RefCell::default();
}

/// Has `serve` answer a request to `route`, a template without `/v1`.
pub(crate) async fn observe(
    route: &'static str,
    req: ServiceRequest,
    serve: impl AsyncFnOnce(ServiceRequest) -> Result<ServiceResponse<BoxBody>, Error>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let method = method_of(req.request());
    let span = root_span::begin(&req, method, route);
    answer(route, method, req, serve).instrument(span).await
}

/// Answers `req` inside its root span.
async fn answer(
    route: &'static str,
    method: &'static str,
    mut req: ServiceRequest,
    serve: impl AsyncFnOnce(ServiceRequest) -> Result<ServiceResponse<BoxBody>, Error>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let reader = Reader::of(&mut req);
    let (mut response, cause) = render(serve(req).await?);
    if let Some(reader) = reader {
        response = response.map_body(|_, body| reader.kept_by(body));
    }
    let elapsed = started.elapsed();
    record(route, method, &response, elapsed.as_secs_f64());
    log(route, method, &response, cause.as_deref(), elapsed);
    root_span::end(response.status());
    Ok(response)
}

/// Answers `req` with `problem` before it gets to a route, seen from outside like any other.
pub(crate) fn refuse(mut req: ServiceRequest, problem: &Problem) -> ServiceResponse<BoxBody> {
    let reader = Reader::of(&mut req);
    let started = Instant::now();
    let method = method_of(req.request());
    root_span::begin(&req, method, NO_ROUTE).in_scope(|| {
        let answer = problem.respond(req.request());
        let response = req.into_response(answer);
        let elapsed = started.elapsed();
        record(NO_ROUTE, method, &response, elapsed.as_secs_f64());
        log(NO_ROUTE, method, &response, problem.cause(), elapsed);
        root_span::end(response.status());
        match reader {
            Some(reader) => response.map_body(|_, body| reader.kept_by(body)),
            None => response,
        }
    })
}

/// Gives a problem its body, which its handler could not know all of; and what is behind it.
fn render(response: ServiceResponse<BoxBody>) -> (ServiceResponse<BoxBody>, Option<String>) {
    let Some(error) = response.response().error() else { return (response, None) };
    let (rendered, cause) = match error.as_error::<Problem>() {
        Some(problem) => {
            (problem.respond(response.request()), problem.cause().map(ToOwned::to_owned))
        }
        // No handler fails with anything else; if one ever does, it is ours to repair.
        None => {
            let problem = Problem::new(Code::Internal, "Report it with the correlation id.");
            (problem.respond(response.request()), Some(error.to_string()))
        }
    };
    (response.into_response(rendered), cause)
}

fn record(
    route: &'static str,
    method: &'static str,
    response: &ServiceResponse<BoxBody>,
    elapsed_s: f64,
) {
    let status = response.status().as_u16();
    if let Some(api) = response.request().app_data::<Data<Api>>() {
        api.live.recorder.request(status);
    }
    let look_up = || {
        let requests = metrics::counter!(
            REQUESTS, "route" => route, "method" => method, "status" => status.to_string()
        );
        (requests, metrics::histogram!(REQUEST_DURATION, "route" => route, "method" => method))
    };
    MEASURED.with_borrow_mut(|known| {
        let (requests, duration) = known.entry((route, method, status)).or_insert_with(look_up);
        requests.increment(1);
        duration.record(elapsed_s);
    });
}

/// The one line that a request is logged with; the span around it says the rest.
fn log(
    route: &str,
    method: &str,
    response: &ServiceResponse<BoxBody>,
    cause: Option<&str>,
    elapsed: Duration,
) {
    let status = response.status();
    let duration_ms = elapsed.as_secs_f64() * 1_000.0;
    let operations = response.request().app_data::<Data<Operations>>();
    let is_slow = operations.is_some_and(|all| elapsed >= all.state.settings.slow_from);
    let slow = is_slow.then_some(true);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                method,
                route,
                status = status.as_u16(),
                duration_ms,
                error = cause,
                slow,
                "request completed"
            )
        };
    }
    if status.as_u16() == 500 {
        line!(error);
    } else if is_slow || status.is_server_error() {
        line!(warn);
    } else {
        line!(info);
    }
}

/// The method by name; one that HTTP does not define counts as `OTHER`, for there is no end of them.
fn method_of(req: &HttpRequest) -> &'static str {
    const KNOWN: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];
    let method: &Method = req.method();
    KNOWN.into_iter().find(|known| method == *known).unwrap_or("OTHER")
}
