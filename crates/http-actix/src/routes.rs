//! Which paths there are, who answers which method on them, and what that needs.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::guard::{Any, Get, Head};
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{Error, FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route};
use wallex_ports::AccessScope::{TransfersWrite, WalletsRead, WalletsWrite};

use crate::access::{Needs, admit};
use crate::code::Code;
use crate::console::CONSOLE;
use crate::observe::{NO_ROUTE, observe};
use crate::problem::Problem;
use crate::state::Api;
use crate::{
    admin, console, create_wallet, credit_wallet, debit_wallet, docs, explain_wallet, get_transfer,
    get_wallet, health, list_events, list_ledger, list_wallets, metrics, transfer, whoami,
};

/// Every route is there a second time under this prefix.
pub(crate) const VERSION_PREFIX: &str = "/v1";
pub(crate) const OPENAPI_JSON: &str = "/openapi.json";

/// What a route does, and by which methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// GET and HEAD: what has GET has HEAD, RFC 9110 section 9.1.
    Read,
    /// POST.
    Write,
}

/// One row of the route table.
pub(crate) struct Entry {
    /// The path, as a template without `/v1`.
    pub(crate) path: &'static str,
    pub(crate) verb: Verb,
    /// What its caller needs.
    pub(crate) needs: Needs,
    route: Route,
}

/// A route that is read.
pub(crate) fn read<F, A>(path: &'static str, handler: F, needs: Needs) -> Entry
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let route = web::route().guard(Any(Get()).or(Head())).to(handler);
    Entry { path, verb: Verb::Read, needs, route }
}

/// A route that something is sent to.
pub(crate) fn write<F, A>(path: &'static str, handler: F, needs: Needs) -> Entry
where
    F: Handler<A>,
    A: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    Entry { path, verb: Verb::Write, needs, route: web::post().to(handler) }
}

/// The route table. The routes of a path stand together, and what is asked most comes first: actix
/// tries one path after the other.
pub(crate) fn table() -> impl Iterator<Item = Entry> {
    let (reads, writes) = (Needs::Scope(WalletsRead), Needs::Scope(WalletsWrite));
    let all = [
        write("/wallets", create_wallet::create_wallet, writes),
        read("/wallets", list_wallets::list_wallets, reads),
        read("/wallets/{id}", get_wallet::get_wallet, reads),
        write("/wallets/{id}/credit", credit_wallet::credit_wallet, writes),
        write("/wallets/{id}/debit", debit_wallet::debit_wallet, writes),
        write("/wallets/{id}/transfer", transfer::transfer, Needs::Scope(TransfersWrite)),
        read("/wallets/{id}/events", list_events::list_events, reads),
        read("/wallets/{id}/ledger", list_ledger::list_ledger, reads),
        read("/wallets/{id}/explanation", explain_wallet::explain_wallet, reads),
        read("/transfers/{id}", get_transfer::get_transfer, reads),
        read("/whoami", whoami::whoami, Needs::Caller),
        read(OPENAPI_JSON, docs::openapi_description, Needs::Nothing),
        read("/docs", docs::to_docs, Needs::Nothing),
        read("/docs/{part:.*}", docs::docs, Needs::Nothing),
        read(CONSOLE, console::console, Needs::Nothing),
        read("/console/{part:.*}", console::console, Needs::Nothing),
        read("/", console::to_console, Needs::Nothing),
    ];
    all.into_iter().chain(operations()).chain(admin::table())
}

/// What an orchestrator and Prometheus ask for.
fn operations() -> impl Iterator<Item = Entry> {
    let all = [
        read("/livez", health::livez, Needs::Nothing),
        read("/readyz", health::readyz, Needs::Nothing),
        read("/metrics", metrics::metrics, Needs::Metrics),
    ];
    all.into_iter()
}

/// Adds every route to `config`.
pub(crate) fn routes(config: &mut ServiceConfig) {
    add(table(), config);
}

/// Adds the routes of a server that has no API.
pub(crate) fn operations_routes(config: &mut ServiceConfig) {
    add(operations(), config);
}

fn add(table: impl Iterator<Item = Entry>, config: &mut ServiceConfig) {
    let mut paths: Vec<(&'static str, Vec<Entry>)> = Vec::new();
    for entry in table {
        match paths.last_mut() {
            Some((path, entries)) if *path == entry.path => entries.push(entry),
            _ => paths.push((entry.path, vec![entry])),
        }
    }
    for (path, entries) in paths {
        let methods = Methods::of(&entries);
        let mut resource = web::resource(path);
        for Entry { route, .. } in entries {
            resource = resource.route(route);
        }
        let around = from_fn(move |req, next| serve(path, methods, req, next));
        config.service(resource.wrap(around));
    }
}

/// Surrounds every request to `path`: seen from outside, also where nobody is let in.
async fn serve(
    path: &'static str,
    methods: Methods,
    req: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let answer = async |req: ServiceRequest| {
        let admitted = match methods.needs(req.method()) {
            Some(needs) => admit(needs, req.request()).await,
            None => Err(Problem::method_not_allowed(methods.allow())),
        };
        match admitted {
            Ok(()) => next.call(req).await,
            Err(problem) => Ok(req.error_response(problem)),
        }
    };
    observe(path, req, answer).await
}

/// The verbs of a path, with what each needs.
#[derive(Clone, Copy)]
struct Methods {
    read: Option<Needs>,
    write: Option<Needs>,
}

impl Methods {
    fn of(entries: &[Entry]) -> Self {
        let needs = |verb| entries.iter().find(|entry| entry.verb == verb).map(|entry| entry.needs);
        Self { read: needs(Verb::Read), write: needs(Verb::Write) }
    }

    /// What a request needs; `None` when there is no such method here.
    fn needs(self, method: &Method) -> Option<Needs> {
        match *method {
            Method::GET | Method::HEAD => self.read,
            Method::POST => self.write,
            _ => None,
        }
    }

    /// Their names, as `Allow` lists them.
    fn allow(self) -> &'static str {
        match (self.read, self.write) {
            (Some(_), Some(_)) => "GET, HEAD, POST",
            (Some(_), None) => "GET, HEAD",
            (None, _) => "POST",
        }
    }
}

/// Who answers where there is no route.
pub(crate) fn no_route() -> Route {
    let answer = |req: HttpRequest| async move { Err::<HttpResponse, _>(not_found(&req)) };
    web::to(answer).wrap(from_fn(|req, next: Next<BoxBody>| {
        observe(NO_ROUTE, req, async move |req| next.call(req).await)
    }))
}

/// Nothing is at the path of `req`.
pub(crate) fn not_found(req: &HttpRequest) -> Problem {
    let see = match req.app_data::<Data<Api>>() {
        Some(_) => "See /docs.",
        None => "This process answers /livez, /readyz and /metrics alone: ask a server.",
    };
    Problem::new(Code::RouteNotFound, format!("There is no route {}. {see}", req.path()))
}

/// Every path, as a template.
#[cfg(test)]
pub(crate) fn paths() -> impl Iterator<Item = &'static str> {
    table().map(|entry| entry.path)
}
