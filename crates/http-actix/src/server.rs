//! The HTTP server: the app on a listener.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, scope};
use actix_web::{App, Error, HttpServer};

use crate::correlation::correlate;
use crate::routes::{VERSION_PREFIX, no_route, routes};
use crate::state::{Api, ApiState};

/// How the server treats its connections.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Threads that serve connections; at least 1.
    pub workers: usize,
    /// How long a graceful stop waits for connections in use. Whole seconds count.
    pub shutdown_timeout: Duration,
    /// Connections served at once by the whole server; more wait in the listener's backlog.
    pub max_connections: usize,
    /// How long a request's head may take to arrive.
    pub client_request_timeout: Duration,
    /// How long a connection without a request is kept.
    pub keep_alive: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            shutdown_timeout: Duration::from_secs(30),
            max_connections: 20_000,
            client_request_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(75),
        }
    }
}

/// The server on `listener`, to be awaited. It handles no signals: stop it by its handle.
///
/// Call it on the runtime that the command lane runs on; the database is read there too.
///
/// # Errors
/// When the listener can't be used.
pub fn server(
    listener: TcpListener,
    state: ApiState,
    settings: &ServerSettings,
) -> io::Result<Server> {
    let api = Data::new(Api::new(state));
    let workers = settings.workers.max(1);
    let server = HttpServer::new(move || app(api.clone()))
        .workers(workers)
        .shutdown_timeout(settings.shutdown_timeout.as_secs())
        // actix counts them by worker.
        .max_connections(settings.max_connections.div_ceil(workers).max(1))
        .client_request_timeout(settings.client_request_timeout)
        .keep_alive(settings.keep_alive)
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(server)
}

/// The routes, each with its own root span, metrics and log line, and what surrounds every request:
/// the correlation id and the headers that all answers have.
pub(crate) fn app(
    api: Data<Api>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new()
        .app_data(api)
        // The prefix comes first: it is one comparison, and the paths are dozens.
        .service(scope(VERSION_PREFIX).configure(routes))
        .configure(routes)
        .default_service(no_route())
        .wrap(from_fn(correlate))
}
