//! The description of the API, made from the handlers and the models.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use utoipa::openapi::header::Header;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::Object;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr, Required};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi};

use wallex_ports::AccessScope;

use crate::access::Needs;
use crate::admin::openapi::AdminDescription;
use crate::answers::IDEMPOTENCY_REPLAYED;
use crate::code::Code;
use crate::headers::{IDEMPOTENCY_KEY, IF_MATCH, X_CORRELATION_ID};
use crate::problem::{PROBLEM_JSON, ProblemJson};
use crate::projected::PROJECTION_POSITION;
use crate::rate_limit::{RATE_LIMIT_LIMIT, RATE_LIMIT_REMAINING, RATE_LIMIT_RESET};
use crate::routes::Verb;
use crate::{
    admin, create_wallet, credit_wallet, debit_wallet, docs, explain_wallet, get_transfer,
    get_wallet, health, list_events, list_ledger, list_wallets, metrics, routes, schema, transfer,
    whoami,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Wallex",
        description = "An event-sourced wallet and ledger service: wallets are created, and money \
                       moves between them, exactly once.\n\nAmounts are integers in the \
                       currency's minor unit (100 = 1.00 USD). Every command may carry an \
                       `Idempotency-Key`. Errors are RFC 9457 problem details; branch on their \
                       `code`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    servers((url = "/", description = "This server"), (url = "/v1", description = "Version 1")),
    tags(
        (name = "wallets", description = "Wallets and the money in them"),
        (name = "operations", description = "How the server is"),
        (name = "admin", description = "Projections seen and steered, by operators"),
    ),
    paths(
        create_wallet::create_wallet,
        credit_wallet::credit_wallet,
        debit_wallet::debit_wallet,
        transfer::transfer,
        get_wallet::get_wallet,
        list_wallets::list_wallets,
        list_ledger::list_ledger,
        list_events::list_events,
        explain_wallet::explain_wallet,
        get_transfer::get_transfer,
        health::livez,
        health::readyz,
        metrics::metrics,
        whoami::whoami,
        docs::openapi_description,
    ),
    components(schemas(ProblemJson<'static>)),
    modifiers(&AdminRoutes, &Secured, &AnswerHeaders, &Links),
)]
struct Description;

/// The description of the API, OpenAPI 3.1.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Description::openapi()
}

/// [`openapi`] as indented JSON, with a line break at its end.
#[must_use]
pub fn openapi_json() -> String {
    let mut json = openapi().to_pretty_json().expect("invariant: the description is plain data");
    json.push('\n');
    json
}

pub(crate) fn parameter(name: &str, at: ParameterIn, mut schema: Object) -> Parameter {
    let required = if at == ParameterIn::Path { Required::True } else { Required::False };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(at)
        .required(required)
        .description(schema.description.take())
        .schema(Some(schema))
        .build()
}

fn required(mut parameter: Parameter) -> Parameter {
    parameter.required = Required::True;
    parameter
}

/// Declares a set of parameters that operations share.
macro_rules! parameters {
    ($(#[$doc:meta])* $name:ident, $($parameter:expr),+ $(,)?) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoParams for $name {
            fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
                vec![$($parameter),+]
            }
        }
    };
}
pub(crate) use parameters;

parameters!(
    /// The wallet in the path.
    WalletPath,
    parameter("id", ParameterIn::Path, schema::wallet_id()),
);
parameters!(
    /// The transfer in the path.
    TransferPath,
    parameter("id", ParameterIn::Path, schema::transfer_id()),
);
parameters!(
    /// Which page of a history.
    EventsPageQuery,
    parameter("limit", ParameterIn::Query, schema::limit()),
    parameter("cursor", ParameterIn::Query, schema::events_cursor()),
);
parameters!(
    /// How new a wallet must be.
    ConsistencyQuery,
    parameter("consistency", ParameterIn::Query, schema::consistency()),
    parameter("minVersion", ParameterIn::Query, schema::eventual_min_version()),
);
parameters!(
    /// Whose wallets, and which page of them.
    WalletsQuery,
    required(parameter("ownerId", ParameterIn::Query, schema::owner_id())),
    parameter("limit", ParameterIn::Query, schema::limit()),
    parameter("cursor", ParameterIn::Query, schema::wallets_cursor()),
);
parameters!(
    /// Which lines of a ledger, how new it must be, and which page.
    LedgerQuery,
    parameter("from", ParameterIn::Query, schema::from_time()),
    parameter("to", ParameterIn::Query, schema::to_time()),
    parameter("type", ParameterIn::Query, schema::only_entry_type()),
    parameter("minVersion", ParameterIn::Query, schema::min_version()),
    parameter("limit", ParameterIn::Query, schema::limit()),
    parameter("cursor", ParameterIn::Query, schema::ledger_cursor()),
);
parameters!(
    /// What every request may carry.
    CorrelationHeader,
    parameter(X_CORRELATION_ID, ParameterIn::Header, schema::correlation_id()),
);
parameters!(
    /// What every command may carry.
    CommandHeaders,
    parameter(IDEMPOTENCY_KEY, ParameterIn::Header, schema::idempotency_key()),
    parameter(X_CORRELATION_ID, ParameterIn::Header, schema::correlation_id()),
);
parameters!(
    /// What makes a command conditional.
    IfMatchHeader,
    parameter(IF_MATCH, ParameterIn::Header, schema::if_match()),
);

/// Declares which problems an operation can answer with.
macro_rules! problems {
    ($(#[$doc:meta])* $name:ident, $($codes:expr),+ $(,)?) => {
        $(#[$doc])*
        pub(crate) struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                problem_responses([$(&$codes[..]),+].concat())
            }
        }
    };
}
pub(crate) use problems;

/// What every command can fail with.
const COMMAND: [Code; 13] = [
    Code::ValidationFailed,
    Code::MalformedJson,
    Code::IdempotencyKeyMissing,
    Code::RequestTimeout,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
    Code::IdempotencyKeyReused,
    Code::Internal,
    Code::Overloaded,
    Code::ShuttingDown,
    Code::DatabaseUnavailable,
    Code::Contended,
    Code::OutcomeUnknown,
];
/// What every command on a wallet can fail with beside [`COMMAND`].
const ON_WALLET: [Code; 2] = [Code::WalletNotFound, Code::PreconditionFailed];

problems!(
    /// Of `POST /wallets`.
    CreateProblems,
    COMMAND,
    [Code::WalletAlreadyExists],
);
problems!(
    /// Of `POST /wallets/{id}/credit`.
    CreditProblems,
    COMMAND,
    ON_WALLET,
    [Code::BalanceLimitExceeded],
);
problems!(
    /// Of `POST /wallets/{id}/debit`.
    DebitProblems,
    COMMAND,
    ON_WALLET,
    [Code::InsufficientFunds],
);
problems!(
    /// Of `POST /wallets/{id}/transfer`.
    TransferProblems,
    COMMAND,
    ON_WALLET,
    [
        Code::InsufficientFunds,
        Code::BalanceLimitExceeded,
        Code::CurrencyMismatch,
        Code::TransferToSameWallet,
    ],
);
problems!(
    /// Of the reading routes.
    ReadProblems,
    [Code::ValidationFailed, Code::WalletNotFound, Code::Internal, Code::DatabaseUnavailable],
);
problems!(
    /// Of what reads a wallet from a projection.
    ProjectedWalletProblems,
    [
        Code::ValidationFailed,
        Code::WalletNotFound,
        Code::Internal,
        Code::DatabaseUnavailable,
        Code::ProjectionBehind,
    ],
);
problems!(
    /// Of `GET /wallets/{id}/explanation`.
    ExplanationProblems,
    [
        Code::ValidationFailed,
        Code::WalletNotFound,
        Code::HistoryTooLong,
        Code::Internal,
        Code::DatabaseUnavailable,
    ],
);
problems!(
    /// Of `GET /wallets`.
    ListWalletsProblems,
    [Code::ValidationFailed, Code::Internal, Code::DatabaseUnavailable],
);
problems!(
    /// Of `GET /transfers/{id}`.
    GetTransferProblems,
    [
        Code::ValidationFailed,
        Code::TransferNotFound,
        Code::Internal,
        Code::DatabaseUnavailable,
        Code::ProjectionBehind,
    ],
);
problems!(
    /// Of `GET /readyz`.
    ReadyProblems,
    [
        Code::ValidationFailed,
        Code::Internal,
        Code::ShuttingDown,
        Code::DatabaseUnavailable,
        Code::DatabaseNotMigrated,
    ],
);
problems!(
    /// Of the routes that ask nobody.
    LiveProblems,
    [Code::ValidationFailed],
);
problems!(
    /// Of metrics, which may be off.
    MetricsProblems,
    [Code::ValidationFailed, Code::RouteNotFound],
);

/// Between the codes that an answer can have: Markdown's.
const LINE_BREAK: &str = "\n\n";

/// One response a status, which names the codes that it can have.
pub(crate) fn problem_responses(codes: Vec<Code>) -> BTreeMap<String, RefOr<Response>> {
    let mut statuses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for code in codes {
        let line = format!("`{}`: {}.", code.slug(), code.title());
        statuses.entry(code.status().as_str().to_owned()).or_default().push(line);
    }
    let problem = || Content::new(Some(Ref::from_schema_name("Problem")));
    statuses
        .into_iter()
        .map(|(status, lines)| {
            let response = ResponseBuilder::new()
                .description(lines.join(LINE_BREAK))
                .content(PROBLEM_JSON, problem())
                .build();
            (status, RefOr::T(response))
        })
        .collect()
}

/// Adds the codes of `more` to a problem of the same status that names others.
fn add_lines(described: &mut RefOr<Response>, more: &RefOr<Response>) {
    let (RefOr::T(described), RefOr::T(more)) = (described, more) else { return };
    for line in more.description.split(LINE_BREAK) {
        if !described.description.split(LINE_BREAK).any(|known| known == line) {
            described.description.push_str(LINE_BREAK);
            described.description.push_str(line);
        }
    }
}

fn operations(openapi: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = &mut Operation> {
    openapi
        .paths
        .paths
        .values_mut()
        .flat_map(|item| [item.get.as_mut(), item.post.as_mut()].into_iter().flatten())
}

/// Adds the operations of the admin API.
struct AdminRoutes;

impl Modify for AdminRoutes {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let mut admin = AdminDescription::openapi();
        // utoipa's optional body is one that may be `null`; ours may be left out.
        for operation in operations(&mut admin) {
            let id = operation.operation_id.as_deref().unwrap_or_default();
            if let Some(RefOr::T(body)) = &mut operation.request_body
                && admin::openapi::BODY_MAY_BE_MISSING.contains(&id)
            {
                body.required = Some(Required::False);
            }
        }
        openapi.merge(admin);
    }
}

/// The name of the one way to say who calls.
const BEARER: &str = "bearer";

/// Says what each operation needs from its caller, as the route table has it, and how it is refused.
struct Secured;

impl Modify for Secured {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "An API key, `wlx_…`, or a token (JWT) of the issuer that the server trusts. What it \
                 allows is its scopes; each operation names the one that \
                 it needs. A server on a loopback address that has no keys needs none.",
            ))
            .build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme(BEARER, SecurityScheme::Http(scheme));
        for entry in routes::table() {
            let item = openapi.paths.paths.get_mut(entry.path);
            let operation = item.and_then(|item| match entry.verb {
                Verb::Read => item.get.as_mut(),
                Verb::Write => item.post.as_mut(),
            });
            if let (Some(operation), true) = (operation, entry.needs != Needs::Nothing) {
                let scopes = entry.needs.scope().map(AccessScope::as_str);
                operation.security = Some(vec![SecurityRequirement::new(BEARER, scopes)]);
                for (status, refused) in problem_responses(refusals(entry.needs)) {
                    match operation.responses.responses.entry(status) {
                        Entry::Vacant(free) => drop(free.insert(refused)),
                        Entry::Occupied(mut described) => add_lines(described.get_mut(), &refused),
                    }
                }
            }
        }
    }
}

/// How a caller is refused who does not bring what is needed; the last is for when nobody can tell.
pub(crate) fn refusals(needs: Needs) -> Vec<Code> {
    let mut codes = vec![Code::Unauthenticated, Code::ForeignOrigin];
    if needs.scope().is_some() {
        codes.push(Code::InsufficientScope);
    }
    if needs == Needs::Operator || needs == Needs::Scope(AccessScope::Admin) {
        codes.push(Code::OperatorOnly);
    }
    codes.extend([
        Code::RateLimited,
        Code::Internal,
        Code::Overloaded,
        Code::DatabaseUnavailable,
        Code::DatabaseNotMigrated,
        Code::IssuerUnavailable,
    ]);
    codes
}

/// What a projection answers, `getWallet` only when it is asked to.
const READ_FROM_PROJECTIONS: [&str; 4] = ["getWallet", "listWallets", "listLedger", "getTransfer"];

/// Documents the headers of every answer, which depend on its status and its operation alone.
struct AnswerHeaders;

impl Modify for AnswerHeaders {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for operation in operations(openapi) {
            let is_admin = operation.tags.iter().flatten().any(|tag| tag == admin::openapi::TAG);
            let is_command = operation.request_body.is_some() && !is_admin;
            let is_projected = READ_FROM_PROJECTIONS
                .iter()
                .any(|id| operation.operation_id.as_deref() == Some(id));
            let has_version = is_command || operation.operation_id.as_deref() == Some("getWallet");
            for (status, response) in &mut operation.responses.responses {
                let RefOr::T(response) = response else { continue };
                let mut add = |name: &str, mut schema: Object| {
                    let description = schema.description.take();
                    let mut header = Header::new(schema);
                    header.description = description;
                    response.headers.insert(name.to_owned(), header.into());
                };
                add(X_CORRELATION_ID, schema::correlation_id());
                if has_version && status.starts_with('2') {
                    add("ETag", schema::etag());
                }
                if status == "201" {
                    add("Location", schema::location());
                }
                if status == "202" {
                    add("Location", admin::schemas::operation_location());
                }
                if is_command && ["200", "201", "409", "422"].contains(&status.as_str()) {
                    add(IDEMPOTENCY_REPLAYED, schema::replayed());
                }
                if status == "401" || status == "403" {
                    add("WWW-Authenticate", schema::challenge());
                }
                if ["429", "503", "504"].contains(&status.as_str()) {
                    add("Retry-After", schema::retry_after());
                }
                // Other answers have them, too; to say so each time would be most of the description.
                if operation.security.is_some() && (status.starts_with('2') || status == "429") {
                    add(RATE_LIMIT_LIMIT, schema::rate_limit_limit());
                    add(RATE_LIMIT_REMAINING, schema::rate_limit_remaining());
                    add(RATE_LIMIT_RESET, schema::rate_limit_reset());
                }
                if is_projected && (status == "200" || status == "504") {
                    add(PROJECTION_POSITION, schema::projection_position());
                }
            }
        }
    }
}

/// What can be done with a wallet that was just created.
const WITH_A_WALLET: [&str; 7] = [
    "getWallet",
    "listLedger",
    "listEvents",
    "explainWallet",
    "creditWallet",
    "debitWallet",
    "transfer",
];

/// Says what can be done with what a command made.
struct Links;

impl Modify for Links {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        for operation_id in WITH_A_WALLET {
            link(openapi, ("/wallets", "201"), operation_id, "$response.body#/id");
        }
        let transferred = ("/wallets/{id}/transfer", "200");
        link(openapi, transferred, "getTransfer", "$response.body#/transferId");
    }
}

/// Links the answer of a POST with an operation whose `id` it holds.
fn link(
    openapi: &mut utoipa::openapi::OpenApi,
    (path, status): (&str, &str),
    operation_id: &str,
    id: &str,
) {
    let answer = openapi
        .paths
        .paths
        .get_mut(path)
        .and_then(|item| item.post.as_mut())
        .and_then(|operation| operation.responses.responses.get_mut(status));
    let Some(RefOr::T(answer)) = answer else { return };
    let link = LinkBuilder::new().operation_id(operation_id).parameter("id", id).build();
    answer.links.insert(operation_id.to_owned(), RefOr::T(link));
}
