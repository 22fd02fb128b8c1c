//! The HTTP server: the app on a listener.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_server::Server;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::web::{Data, ServiceConfig, scope};
use actix_web::{App, Error};
use tokio::net::TcpStream;

use crate::connection::{Door, Guarded, Tls};
use crate::routes::{VERSION_PREFIX, no_route, operations_routes, routes};
use crate::state::{Api, ApiState, Operations, OperationsState};
use crate::surround::surround;

/// How long the server reads on behind an answer that came before the end of its request, so that
/// the client sees the answer and not a reset connection.
const LINGER: Duration = Duration::from_secs(1);

/// How the server treats its connections.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Threads that serve connections; at least 1.
    pub workers: usize,
    /// How long a graceful stop waits for connections in use. Whole seconds count.
    pub shutdown_timeout: Duration,
    /// Connections served at once by the whole server; more wait in the listener's backlog.
    pub max_connections: usize,
    /// Connections served at once from one address, or one /64 of IPv6; more are closed. `None`:
    /// as many as there may be.
    pub max_connections_per_peer: Option<usize>,
    /// How long a TLS handshake may take.
    pub tls_handshake_timeout: Duration,
    /// How long a request's head may take to arrive.
    pub client_request_timeout: Duration,
    /// How long a client may take nothing, or less than 16 KiB, of an answer.
    pub write_timeout: Duration,
    /// How long a connection without a request is kept.
    pub keep_alive: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            shutdown_timeout: Duration::from_secs(30),
            max_connections: 20_000,
            max_connections_per_peer: None,
            tls_handshake_timeout: Duration::from_secs(5),
            client_request_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(30),
            keep_alive: Duration::from_secs(75),
        }
    }
}

/// The server on `listener`, to be awaited. It handles no signals: stop it by its handle. With
/// `tls` it speaks nothing else.
///
/// Call it on the runtime that the command lane runs on; the database is read there too.
///
/// # Errors
/// When the listener can't be used.
pub fn server(
    listener: TcpListener,
    state: ApiState,
    settings: &ServerSettings,
    tls: Option<Tls>,
) -> io::Result<Server> {
    listen(listener, State::with_api(state), settings, tls)
}

/// The same without the API: `/livez`, `/readyz` and `/metrics`, for a process that does not serve
/// clients.
///
/// # Errors
/// When the listener can't be used.
pub fn operations_server(
    listener: TcpListener,
    state: OperationsState,
    settings: &ServerSettings,
    tls: Option<Tls>,
) -> io::Result<Server> {
    listen(listener, State::without_api(state), settings, tls)
}

/// What the handlers are given.
#[derive(Clone)]
pub(crate) struct State {
    operations: Data<Operations>,
    api: Option<Data<Api>>,
}

impl State {
    pub(crate) fn with_api(state: ApiState) -> Self {
        let api = Data::new(Api::new(state));
        Self { operations: Data::from(Arc::clone(&api.operations)), api: Some(api) }
    }

    pub(crate) fn without_api(state: OperationsState) -> Self {
        Self { operations: Data::new(Operations::new(state)), api: None }
    }
}

fn listen(
    listener: TcpListener,
    state: State,
    settings: &ServerSettings,
    tls: Option<Tls>,
) -> io::Result<Server> {
    let workers = settings.workers.max(1);
    let builder = Server::build()
        .workers(workers)
        .shutdown_timeout(settings.shutdown_timeout.as_secs())
        // actix counts them by worker.
        .max_concurrent_connections(settings.max_connections.div_ceil(workers).max(1))
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let door = Door::new(settings, tls);
    let ServerSettings { client_request_timeout, keep_alive, .. } = *settings;
    // What `HttpServer` does, with our own connections in place of plain sockets.
    let connections = move || {
        let (door, stopping) = (door.clone(), stopping.clone());
        let app = app(state.clone()).into_factory().map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(keep_alive)
            .client_request_timeout(client_request_timeout)
            .client_disconnect_timeout(LINGER)
            .on_connect_ext(|connection: &Guarded, data| {
                data.insert(connection.watch());
            })
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(move |socket: TcpStream| door.clone().admit(socket)).and_then(http)
    };
    Ok(builder.listen("wallex", listener, connections)?.run())
}

/// The routes, each with its own root span, metrics and log line, and what surrounds every request:
/// the correlation id and the headers that all answers have.
pub(crate) fn app(
    State { operations, api }: State,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let app = App::new().app_data(operations);
    let (app, routes) = match api {
        Some(api) => (app.app_data(api), routes as fn(&mut ServiceConfig)),
        None => (app, operations_routes as fn(&mut ServiceConfig)),
    };
    // The prefix comes first: it is one comparison, and the paths are dozens.
    app.service(scope(VERSION_PREFIX).configure(routes))
        .configure(routes)
        .default_service(no_route())
        .wrap(from_fn(surround))
}
