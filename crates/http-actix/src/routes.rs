//! Which paths there are, and who answers which method on them.

use actix_web::body::BoxBody;
use actix_web::guard::{Any, Get, Head};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, Route};

use crate::code::Code;
use crate::observe::{NO_ROUTE, observe};
use crate::problem::Problem;
use crate::{
    admin, create_wallet, credit_wallet, debit_wallet, docs, get_transfer, get_wallet, health,
    list_events, list_ledger, list_wallets, metrics, transfer,
};

/// Every route is there a second time under this prefix.
pub(crate) const VERSION_PREFIX: &str = "/v1";
pub(crate) const OPENAPI_JSON: &str = "/openapi.json";

pub(crate) const READ: &str = "GET, HEAD";
pub(crate) const WRITE: &str = "POST";
const READ_AND_WRITE: &str = "GET, HEAD, POST";

/// The route table: a path, who answers one of its methods, and the methods that it has. The routes
/// of a path stand together, and what is asked most comes first: actix tries one path after the other.
fn table() -> [(&'static str, Route, &'static str); 15] {
    [
        ("/wallets", web::post().to(create_wallet::create_wallet), READ_AND_WRITE),
        ("/wallets", get().to(list_wallets::list_wallets), READ_AND_WRITE),
        ("/wallets/{id}", get().to(get_wallet::get_wallet), READ),
        ("/wallets/{id}/credit", web::post().to(credit_wallet::credit_wallet), WRITE),
        ("/wallets/{id}/debit", web::post().to(debit_wallet::debit_wallet), WRITE),
        ("/wallets/{id}/transfer", web::post().to(transfer::transfer), WRITE),
        ("/wallets/{id}/events", get().to(list_events::list_events), READ),
        ("/wallets/{id}/ledger", get().to(list_ledger::list_ledger), READ),
        ("/transfers/{id}", get().to(get_transfer::get_transfer), READ),
        ("/livez", get().to(health::livez), READ),
        ("/readyz", get().to(health::readyz), READ),
        ("/metrics", get().to(metrics::metrics), READ),
        (OPENAPI_JSON, get().to(docs::openapi_description), READ),
        ("/docs", get().to(docs::to_docs), READ),
        ("/docs/{part:.*}", get().to(docs::docs), READ),
    ]
}

/// Adds every route to `config`.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let mut paths: Vec<(&'static str, Resource, &'static str)> = Vec::new();
    for (path, route, allow) in table().into_iter().chain(admin::table()) {
        let begun = paths.pop_if(|(last, ..)| *last == path);
        let resource = begun.map_or_else(|| web::resource(path), |(_, resource, _)| resource);
        paths.push((path, resource.route(route), allow));
    }
    for (path, resource, allow) in paths {
        // actix would answer the other methods of a path with an empty 405.
        let other =
            move || async move { Err::<HttpResponse, _>(Problem::method_not_allowed(allow)) };
        let observed = from_fn(move |req, next: Next<BoxBody>| observe(path, req, next));
        config.service(resource.default_service(web::to(other)).wrap(observed));
    }
}

/// What has GET has HEAD, RFC 9110 section 9.1.
pub(crate) fn get() -> Route {
    web::route().guard(Any(Get()).or(Head()))
}

/// Who answers where there is no route.
pub(crate) fn no_route() -> Route {
    let answer = |req: HttpRequest| async move { Err::<HttpResponse, _>(not_found(&req)) };
    web::to(answer).wrap(from_fn(|req, next: Next<BoxBody>| observe(NO_ROUTE, req, next)))
}

/// Nothing is at the path of `req`.
pub(crate) fn not_found(req: &HttpRequest) -> Problem {
    Problem::new(Code::RouteNotFound, format!("There is no route {}. See /docs.", req.path()))
}

/// Every path, as a template.
#[cfg(test)]
pub(crate) fn paths() -> impl Iterator<Item = &'static str> {
    table().into_iter().chain(admin::table()).map(|(path, _, _)| path)
}
