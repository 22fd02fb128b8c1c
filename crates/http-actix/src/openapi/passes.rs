//! What is said of all operations alike: passes over the description that the handlers make.

use std::collections::btree_map::Entry;

use utoipa::openapi::header::Header;
use utoipa::openapi::link::LinkBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Object;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{RefOr, Required};
use utoipa::{Modify, OpenApi as _};
use wallex_ports::AccessScope;

use super::problem_sets::{add_lines, problem_responses, refusals};
use crate::access::Needs;
use crate::admin::openapi::AdminDescription;
use crate::answers::IDEMPOTENCY_REPLAYED;
use crate::headers::X_CORRELATION_ID;
use crate::projected::PROJECTION_POSITION;
use crate::rate_limit::{RATE_LIMIT_LIMIT, RATE_LIMIT_REMAINING, RATE_LIMIT_RESET};
use crate::routes::{self, Verb};
use crate::{admin, schema};

fn operations(openapi: &mut utoipa::openapi::OpenApi) -> impl Iterator<Item = &mut Operation> {
    openapi
        .paths
        .paths
        .values_mut()
        .flat_map(|item| [item.get.as_mut(), item.post.as_mut()].into_iter().flatten())
}

/// Adds the operations of the admin API.
pub(super) struct AdminRoutes;

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
pub(super) struct Secured;

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

/// What a projection answers, `getWallet` only when it is asked to.
const READ_FROM_PROJECTIONS: [&str; 4] = ["getWallet", "listWallets", "listLedger", "getTransfer"];

/// Documents the headers of every answer, which depend on its status and its operation alone.
pub(super) struct AnswerHeaders;

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
pub(super) struct Links;

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
