//! Everything that can go wrong, as RFC 9457 problem details. No other module maps errors to HTTP, but
//! its part for the admin API.
//!
//! A handler returns `Err(Problem)`. The problem knows what happened, not whom it is told: the
//! request's path and correlation id are filled in by [`observe`](crate::observe), which renders
//! it, and by [`JsonAnswers`](crate::JsonAnswers) for refusals, which are stored before they are
//! sent.

mod from;

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;
use wallex_domain::TransferId;
use wallex_ports::{AccessScope, Operation, Refused};

use crate::code::Code;
use crate::errors::FieldError;
use crate::projected::PROJECTION_POSITION;
use crate::{correlation, instance, schema};

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
/// What `Retry-After` says, in seconds: what is in the way of a 503 or a 504 is usually gone by then.
const RETRY_AFTER_S: &str = "1";

/// How `WWW-Authenticate` begins (RFC 6750, section 3).
const CHALLENGE: &str = "Bearer realm=\"wallex\"";

fn invalid_token() -> Cow<'static, str> {
    format!("{CHALLENGE}, error=\"invalid_token\"").into()
}

/// Why a request is not answered as it hoped.
#[derive(Debug)]
pub(crate) struct Problem {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<FieldError>,
    /// The header that comes with it.
    header: Option<ProblemHeader>,
    /// The operation that is in the way.
    operation_id: Option<Uuid>,
    /// What is behind it, for the log alone.
    cause: Option<Box<str>>,
}

/// What else a client is told, by a header.
#[derive(Debug)]
enum ProblemHeader {
    /// The methods that the route has, for a 405.
    Allow(&'static str),
    /// How to come in, for a 401 or a 403.
    WwwAuthenticate(Cow<'static, str>),
    /// When to come again, in seconds, for a 429.
    RetryAfterS(u64),
    /// How far the projection that is behind had come.
    Position(Box<str>),
}

/// An error, as RFC 9457 has it. Clients branch on `code`.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Problem)]
pub(crate) struct ProblemJson<'a> {
    /// `urn:wallex:problem:` and the code.
    #[schema(schema_with = schema::problem_type)]
    r#type: String,
    /// What happened, in the same words for every problem of this code.
    title: &'static str,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened this time, and what to do about it.
    detail: &'a str,
    #[schema(schema_with = schema::instance)]
    instance: &'a str,
    /// What happened, for programs: it never changes.
    #[schema(schema_with = schema::problem_code)]
    code: Code,
    /// The request's correlation id; the first request's when the answer is a replay.
    #[schema(schema_with = schema::correlation_id)]
    correlation_id: &'a str,
    /// Everything that is wrong with the request, when the code is `validation-failed` or
    /// `idempotency-key-missing`.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FieldError>, required = false, min_items = 1)]
    errors: &'a [FieldError],
    /// The operation that is running, when the code is `operation-running`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::problem_operation_id)]
    operation_id: Option<Uuid>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            header: None,
            operation_id: None,
            cause: None,
        }
    }

    /// A 400 with everything that is wrong; `found` may be more than what is listed.
    pub(crate) fn validation(code: Code, errors: Vec<FieldError>, found: usize) -> Self {
        let detail = if found > errors.len() {
            format!("{found} things are wrong; `errors` lists the first {}.", errors.len())
        } else if found == 1 {
            "One thing is wrong: see `errors`. Correct it and send the request again.".to_owned()
        } else {
            format!("{found} things are wrong: see `errors`. Correct them and send it again.")
        };
        Self { errors, ..Self::new(code, detail) }
    }

    pub(crate) fn method_not_allowed(allow: &'static str) -> Self {
        let detail = format!("This route has {allow}.");
        Self {
            header: Some(ProblemHeader::Allow(allow)),
            ..Self::new(Code::MethodNotAllowed, detail)
        }
    }

    fn unauthenticated(why: &Refused) -> Self {
        let (challenge, detail) = match why {
            Refused::Missing => (
                CHALLENGE.into(),
                "Send an API key as Authorization: Bearer <key>. Who operates the server makes one \
                 with `wallex keys create`.",
            ),
            Refused::Expired => (invalid_token(), "The credential has expired. Ask for a new one."),
            _ => (
                invalid_token(),
                "The credential is not one that this server knows: check that it was sent whole, \
                 as Authorization: Bearer <key>.",
            ),
        };
        Self {
            header: Some(ProblemHeader::WwwAuthenticate(challenge)),
            cause: Some(why.to_string().into()),
            ..Self::new(Code::Unauthenticated, detail)
        }
    }

    pub(crate) fn insufficient_scope(needed: AccessScope) -> Self {
        let challenge = format!("{CHALLENGE}, error=\"insufficient_scope\", scope=\"{needed}\"");
        let detail = format!("This needs the scope {needed}, which the credential does not have.");
        Self {
            header: Some(ProblemHeader::WwwAuthenticate(challenge.into())),
            ..Self::new(Code::InsufficientScope, detail)
        }
    }

    pub(crate) fn operator_only() -> Self {
        let challenge = format!("{CHALLENGE}, error=\"insufficient_scope\"");
        let detail = "This is about the whole server: it needs the scope admin of the tenant \
                      default. Name one wallet of your own, where that is possible.";
        Self {
            header: Some(ProblemHeader::WwwAuthenticate(challenge.into())),
            ..Self::new(Code::OperatorOnly, detail)
        }
    }

    /// A 429: this many seconds from now there is room again.
    pub(crate) fn rate_limited(retry_after_s: u64) -> Self {
        let detail = format!(
            "You may call again in {retry_after_s} s: see Retry-After. Nothing was done, and an \
             Idempotency-Key stays as good as new."
        );
        Self {
            header: Some(ProblemHeader::RetryAfterS(retry_after_s)),
            ..Self::new(Code::RateLimited, detail)
        }
    }

    /// A 429 for an address that has sent too many credentials that nobody knows.
    pub(crate) fn too_many_failures(retry_after_s: u64) -> Self {
        let detail = "Too many credentials that this server does not know came from your address. \
                      Correct yours, and try again after what Retry-After says.";
        Self {
            header: Some(ProblemHeader::RetryAfterS(retry_after_s)),
            ..Self::new(Code::RateLimited, detail)
        }
    }

    fn crowded() -> Self {
        let detail = "Too many credentials that this server does not know yet are being looked at. \
                      Nothing was done; try again.";
        Self::new(Code::Overloaded, detail)
    }

    fn issuer_unavailable(why: &Refused) -> Self {
        let detail = "The keys of the token issuer can't be had, so whether your token is good can't \
                      be told. Nothing was done; try again.";
        Self { cause: Some(chain(why).into()), ..Self::new(Code::IssuerUnavailable, detail) }
    }

    /// A 500. What is behind it goes to the log, never to the client.
    pub(crate) fn internal(cause: &(dyn StdError + 'static)) -> Self {
        let detail = "Nothing was done. Report it with the correlation id.";
        Self { cause: Some(chain(cause).into()), ..Self::new(Code::Internal, detail) }
    }

    pub(crate) fn outcome_unknown() -> Self {
        Self::new(
            Code::OutcomeUnknown,
            "The command may have been done, or not. Send the same request with the same \
             Idempotency-Key: it gets the first answer, or is done then. Without a key, read the \
             wallet before trying again.",
        )
    }

    pub(crate) fn shutting_down() -> Self {
        Self::new(Code::ShuttingDown, "Nothing was done. Send the request again.")
    }

    pub(crate) fn database_unavailable(cause: Option<&(dyn StdError + 'static)>) -> Self {
        let detail = "The database does not answer. Nothing was done; try again.";
        Self {
            cause: cause.map(|cause| chain(cause).into()),
            ..Self::new(Code::DatabaseUnavailable, detail)
        }
    }

    fn database_not_migrated() -> Self {
        let detail = "The database is not migrated. Run `wallex migrate up`.";
        Self::new(Code::DatabaseNotMigrated, detail)
    }

    pub(crate) fn wallet_not_found(wallet_id: &wallex_domain::WalletId) -> Self {
        let detail = format!("There is no wallet {wallet_id}. Create it with POST /wallets.");
        Self::new(Code::WalletNotFound, detail)
    }

    pub(crate) fn projector_not_found() -> Self {
        let detail = "There is no projector of that name. GET /admin/projectors lists them.";
        Self::new(Code::ProjectorNotFound, detail)
    }

    pub(crate) fn operation_running(operation: &Operation) -> Self {
        let Operation { id, kind, .. } = operation;
        let detail = format!(
            "A {} is running already: GET /admin/operations/{id} tells how far it has come.",
            kind.as_str()
        );
        Self { operation_id: Some(*id), ..Self::new(Code::OperationRunning, detail) }
    }

    /// As [`Problem::operation_running`], for those who may not learn which.
    pub(crate) fn another_running() -> Self {
        let detail = "An operation of this kind is running already. Try again a little later.";
        Self::new(Code::OperationRunning, detail)
    }

    pub(crate) fn still_under_way() -> Self {
        Self::new(
            Code::OutcomeUnknown,
            "It takes longer than an answer may, and goes on in the background. See what became of \
             it before you ask again.",
        )
    }

    /// As it is told of work of several steps, of which some may have been done.
    pub(crate) fn of_work(mut self) -> Self {
        match self.code {
            Code::DatabaseUnavailable => {
                self.detail =
                    "The database does not answer. What was asked for may have been done, \
                               or in part: see what became of it before you ask again."
                        .into();
            }
            Code::Internal => {
                self.detail =
                    "What was asked for may have been done, or in part. Report it with the \
                               correlation id."
                        .into();
            }
            _ => {}
        }
        self
    }

    pub(crate) fn transfer_not_found(transfer_id: TransferId) -> Self {
        let detail = format!("There was no transfer {transfer_id} when it was asked for.");
        Self::new(Code::TransferNotFound, detail)
    }

    /// What the log says beside the code.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// What went wrong.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// `/metrics` where nothing is measured.
    pub(crate) fn metrics_off() -> Self {
        Self::new(Code::RouteNotFound, "Nothing is measured here: WALLEX_METRICS is false.")
    }

    /// The body.
    pub(crate) fn json(&self, instance: &str, correlation_id: &str) -> String {
        let json = ProblemJson {
            r#type: self.code.type_uri(),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            instance,
            code: self.code,
            correlation_id,
            errors: &self.errors,
            operation_id: self.operation_id,
        };
        serde_json::to_string(&json).expect("invariant: strings and integers always serialise")
    }

    /// The whole response to `req`.
    pub(crate) fn respond(&self, req: &HttpRequest) -> HttpResponse {
        let correlation = correlation::of(req);
        let body = self.json(&instance::of(req.uri().path()), correlation.id.as_str());
        self.head().content_type(PROBLEM_JSON).body(body)
    }

    fn head(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.code.status());
        // A 404 may otherwise be kept by caches, RFC 9110 section 15.1.
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT = self.code.status() {
            response.insert_header((header::RETRY_AFTER, RETRY_AFTER_S));
        }
        match &self.header {
            Some(ProblemHeader::Allow(methods)) => {
                response.insert_header((header::ALLOW, *methods))
            }
            Some(ProblemHeader::WwwAuthenticate(challenge)) => {
                response.insert_header((header::WWW_AUTHENTICATE, challenge.as_ref()))
            }
            Some(ProblemHeader::RetryAfterS(seconds)) => {
                response.insert_header((header::RETRY_AFTER, *seconds))
            }
            Some(ProblemHeader::Position(position)) => {
                response.insert_header((PROJECTION_POSITION, position.as_ref()))
            }
            None => &mut response,
        };
        match self.code {
            // What is left of the body is not read, so the connection can't be used again.
            Code::RequestTimeout | Code::BodyTooLarge => response.force_close(),
            _ => &mut response,
        };
        response
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.slug())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.head().finish()
    }
}

/// An error and all that is behind it, on one line.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut behind = error.source();
    while let Some(source) = behind {
        text.push_str(": ");
        text.push_str(&source.to_string());
        behind = source.source();
    }
    text
}
