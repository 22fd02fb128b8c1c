//! What the operations of the admin API share in the description.

use std::collections::BTreeMap;

use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::response::Response;
use utoipa::{IntoParams, IntoResponses, OpenApi};

use super::{
    clean_outbox, discard_dead_letter, drift, get_dead_letter, get_operation, list_audit,
    list_dead_letters, list_projectors, live, outbox, rebuild, replay_dead_letter, retry, schemas,
    start_projector, statistics, stop_projector, sweep_idempotency,
};
use crate::code::Code;
use crate::openapi::{parameter, parameters, problem_responses, problems};
use crate::schema;

/// The tag of every operation of the admin API.
pub(crate) const TAG: &str = "admin";
/// The operations whose body may be left out.
pub(crate) const BODY_MAY_BE_MISSING: [&str; 3] = ["cleanOutbox", "rebuild", "checkDrift"];

/// The admin API's part of the description.
#[derive(OpenApi)]
#[openapi(paths(
    outbox::outbox,
    clean_outbox::clean_outbox,
    sweep_idempotency::sweep_idempotency,
    statistics::statistics,
    live::live,
    list_projectors::list_projectors,
    start_projector::start_projector,
    stop_projector::stop_projector,
    rebuild::rebuild,
    drift::drift,
    retry::retry,
    get_operation::get_operation,
    list_audit::list_audit,
    list_dead_letters::list_dead_letters,
    get_dead_letter::get_dead_letter,
    replay_dead_letter::replay_dead_letter,
    discard_dead_letter::discard_dead_letter,
))]
pub(crate) struct AdminDescription;

parameters!(
    /// The projector in the path.
    ProjectorPath,
    parameter("name", ParameterIn::Path, schemas::projector()),
);
parameters!(
    /// The operation in the path.
    OperationPath,
    parameter("id", ParameterIn::Path, schemas::operation_id()),
);
parameters!(
    /// The dead letter in the path.
    DeadLetterPath,
    parameter("projector", ParameterIn::Path, schemas::projector()),
    parameter("walletId", ParameterIn::Path, schema::wallet_id()),
);
parameters!(
    /// Whose wallet is meant.
    TenantQuery,
    parameter("tenant", ParameterIn::Query, schemas::asked_tenant()),
);
parameters!(
    /// Which lines of the audit log, and which page of them.
    AuditQuery,
    parameter("actor", ParameterIn::Query, schemas::actor()),
    parameter("action", ParameterIn::Query, schemas::audit_action()),
    parameter("tenant", ParameterIn::Query, schemas::asked_tenant()),
    parameter("limit", ParameterIn::Query, schema::limit()),
    parameter("cursor", ParameterIn::Query, schema::audit_cursor()),
);
parameters!(
    /// Which page of the dead letters.
    DeadLettersQuery,
    parameter("tenant", ParameterIn::Query, schemas::asked_tenant()),
    parameter("projector", ParameterIn::Query, schemas::projector()),
    parameter("limit", ParameterIn::Query, schema::limit()),
    parameter("cursor", ParameterIn::Query, schemas::cursor()),
);

/// What every read can fail with.
const READ: [Code; 4] =
    [Code::ValidationFailed, Code::Internal, Code::DatabaseUnavailable, Code::DatabaseNotMigrated];
/// What every POST can fail with beside [`READ`].
const WRITE: [Code; 5] = [
    Code::MalformedJson,
    Code::RequestTimeout,
    Code::BodyTooLarge,
    Code::UnsupportedMediaType,
    Code::OutcomeUnknown,
];

problems!(
    /// Of the reads that name nothing.
    ReadProblems,
    READ,
);
problems!(
    /// Of `GET /admin/live`.
    LiveStreamProblems,
    [Code::ValidationFailed, Code::Overloaded, Code::ShuttingDown],
);
problems!(
    /// Of the POSTs that name nothing.
    WriteProblems,
    READ,
    WRITE,
);
problems!(
    /// Of the list of dead letters.
    ListProblems,
    READ,
    [Code::ProjectorNotFound],
);
problems!(
    /// Of `GET /admin/operations/{id}`.
    OperationProblems,
    READ,
    [Code::OperationNotFound],
);
problems!(
    /// Of what steers a projector.
    SteerProblems,
    READ,
    WRITE,
    [Code::ProjectorNotFound],
);
problems!(
    /// Of what begins an operation on some wallets.
    BeginProblems,
    READ,
    WRITE,
    [Code::WalletNotFound, Code::ShardNotFound, Code::OperationRunning],
);
problems!(
    /// Of `POST /admin/recovery/retry`.
    RetryProblems,
    READ,
    WRITE,
    [Code::OperationRunning],
);
problems!(
    /// Of `GET` of a dead letter.
    DeadLetterProblems,
    READ,
    [Code::DeadLetterNotFound],
);
problems!(
    /// Of the replay of a dead letter.
    ReplayProblems,
    READ,
    WRITE,
    [Code::DeadLetterNotFound],
);
problems!(
    /// Of the discarding of a dead letter.
    DiscardProblems,
    READ,
    WRITE,
    [Code::DeadLetterNotFound, Code::DeadLetterMoved, Code::CreationNotDiscardable],
);
