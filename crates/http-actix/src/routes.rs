//! Which paths there are, and who answers which method on them.

use actix_web::guard::{Any, Get, Head};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, Route};

use crate::code::Code;
use crate::problem::Problem;
use crate::{
    create_wallet, credit_wallet, debit_wallet, docs, get_wallet, health, list_events, metrics,
    transfer,
};

/// Every route is there a second time under this prefix.
pub(crate) const VERSION_PREFIX: &str = "/v1";
pub(crate) const OPENAPI_JSON: &str = "/openapi.json";

/// The route table.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(reading("/livez", get().to(health::livez)))
        .service(reading("/readyz", get().to(health::readyz)))
        .service(reading("/metrics", get().to(metrics::metrics)))
        .service(reading(OPENAPI_JSON, get().to(docs::openapi_description)))
        .service(reading("/docs", get().to(docs::to_docs)))
        .service(reading("/docs/{part:.*}", get().to(docs::docs)))
        .service(writing("/wallets", web::post().to(create_wallet::create_wallet)))
        .service(reading("/wallets/{id}", get().to(get_wallet::get_wallet)))
        .service(reading("/wallets/{id}/events", get().to(list_events::list_events)))
        .service(writing("/wallets/{id}/credit", web::post().to(credit_wallet::credit_wallet)))
        .service(writing("/wallets/{id}/debit", web::post().to(debit_wallet::debit_wallet)))
        .service(writing("/wallets/{id}/transfer", web::post().to(transfer::transfer)));
}

/// What has GET has HEAD, RFC 9110 section 9.1.
fn get() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

fn reading(path: &'static str, route: Route) -> Resource {
    resource(path, route, "GET, HEAD")
}

fn writing(path: &'static str, route: Route) -> Resource {
    resource(path, route, "POST")
}

/// One path: actix would answer its other methods with an empty 405.
fn resource(path: &'static str, route: Route, allow: &'static str) -> Resource {
    let other = move || async move { Err::<HttpResponse, _>(Problem::method_not_allowed(allow)) };
    web::resource(path).route(route).default_service(web::to(other))
}

/// The answer where there is no route.
pub(crate) async fn no_route(req: HttpRequest) -> Result<HttpResponse, Problem> {
    Err(not_found(&req))
}

/// Nothing is at the path of `req`.
pub(crate) fn not_found(req: &HttpRequest) -> Problem {
    Problem::new(Code::RouteNotFound, format!("There is no route {}. See /docs.", req.path()))
}
