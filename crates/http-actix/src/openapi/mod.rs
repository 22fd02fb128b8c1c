//! The description of the API, made from the handlers and the models.

mod passes;
mod problem_sets;

use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::Object;
use utoipa::{IntoParams, OpenApi};

use self::passes::{AdminRoutes, AnswerHeaders, Links, Secured};
#[cfg(test)]
pub(crate) use self::problem_sets::refusals;
pub(crate) use self::problem_sets::{
    CreateProblems, CreditProblems, DebitProblems, ExplanationProblems, GetTransferProblems,
    ListWalletsProblems, LiveProblems, MetricsProblems, ProjectedWalletProblems, ReadProblems,
    ReadyProblems, TransferProblems, problem_responses, problems,
};
use crate::headers::{IDEMPOTENCY_KEY, IF_MATCH, X_CORRELATION_ID};
use crate::problem::ProblemJson;
use crate::{
    create_wallet, credit_wallet, debit_wallet, docs, explain_wallet, get_transfer, get_wallet,
    health, list_events, list_ledger, list_wallets, metrics, schema, transfer, whoami,
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
