//! `GET /wallets/{id}/events`: a wallet's history, oldest event first.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use wallex_application::EventPage;
use wallex_ports::{RecordedEvent, WalletKey};

use crate::errors::Errors;
use crate::openapi::{CorrelationHeader, EventsPageQuery, ReadProblems, WalletPath};
use crate::page::{LIMIT_DEFAULT, parse_limit};
use crate::problem::Problem;
use crate::query::Query;
use crate::state::Api;
use crate::wallet::{id_in_path, rfc3339};
use crate::{access, correlation, cursor, read, schema};

/// One page of a wallet's history.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = EventPage)]
struct EventPageJson<'e> {
    /// The events, oldest first.
    #[schema(max_items = 200)]
    items: Vec<EventJson<'e>>,
    /// Where the next page begins; `null` on the last page.
    #[schema(schema_with = schema::next_events_cursor, required = true)]
    next_cursor: Option<String>,
}

/// Something that happened to a wallet.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Event)]
struct EventJson<'e> {
    #[schema(schema_with = schema::event_id)]
    event_id: String,
    #[schema(schema_with = schema::event_type)]
    r#type: &'static str,
    #[schema(schema_with = schema::version)]
    version: u64,
    #[schema(schema_with = schema::position)]
    position: u64,
    #[schema(schema_with = schema::schema_version)]
    schema_version: u16,
    #[schema(schema_with = schema::recorded_at)]
    recorded_at: String,
    #[schema(schema_with = schema::correlation_id)]
    correlation_id: &'e str,
    #[schema(schema_with = schema::causation_id)]
    causation_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = schema::traceparent)]
    traceparent: Option<&'e str>,
    #[schema(schema_with = schema::event_hash)]
    hash: String,
    #[schema(schema_with = schema::event_data)]
    data: Box<RawValue>,
}

impl<'e> From<&'e RecordedEvent> for EventJson<'e> {
    fn from(recorded: &'e RecordedEvent) -> Self {
        // What was stored in an older shape is shown in the current one, which is then named.
        let encoded = recorded.event.encode();
        let metadata = &recorded.metadata;
        Self {
            event_id: recorded.event_id.to_string(),
            r#type: encoded.event_type,
            version: recorded.version,
            position: recorded.position,
            schema_version: encoded.schema_version,
            recorded_at: rfc3339(recorded.recorded_at),
            correlation_id: metadata.correlation_id.as_str(),
            causation_id: metadata.causation_id.to_string(),
            traceparent: metadata.traceparent.as_ref().map(|traceparent| traceparent.as_str()),
            hash: recorded.hash.to_string(),
            data: RawValue::from_string(encoded.payload)
                .expect("invariant: an event's payload is JSON"),
        }
    }
}

impl<'e> From<&'e EventPage> for EventPageJson<'e> {
    fn from(page: &'e EventPage) -> Self {
        Self {
            items: page.events.iter().map(EventJson::from).collect(),
            next_cursor: page.next_after.map(|version| cursor::EVENTS.encode(version)),
        }
    }
}

/// List a wallet's events
///
/// Oldest first. Follow `nextCursor` until it is `null`.
#[utoipa::path(
    get,
    path = "/wallets/{id}/events",
    operation_id = "listEvents",
    tag = "wallets",
    params(
        WalletPath,
        EventsPageQuery,
        CorrelationHeader,
    ),
    responses(
        (
            status = 200,
            description = "One page of the history.",
            body = EventPageJson<'static>,
        ),
        ReadProblems,
    ),
)]
pub(crate) async fn list_events(req: HttpRequest, api: Data<Api>) -> Result<HttpResponse, Problem> {
    let mut errors = Errors::default();
    correlation::of(&req).check(&mut errors);
    let id = id_in_path(&req, &mut errors);
    let mut query = Query::of(&req, &mut errors);
    let limit = query.take("limit", parse_limit, &mut errors).unwrap_or(LIMIT_DEFAULT);
    let after_version =
        query.take("cursor", |text| cursor::EVENTS.decode(text), &mut errors).unwrap_or(0);
    query.finish(&mut errors);
    let wallet_id = errors.finish(id)?;

    let tenant = access::caller(&req).tenant.clone();
    let key = WalletKey { tenant, wallet_id: wallet_id.clone() };
    let (events, wallets) = (api.state.events.clone(), api.state.wallets.clone());
    let reading = async move {
        let (events, wallets) = (events.as_ref(), wallets.as_ref());
        wallex_application::list_events(events, wallets, &key, after_version, limit).await
    };
    let page = read::within(&api, api.state.operations.settings.read_timeout, reading)
        .await?
        .ok_or_else(|| Problem::wallet_not_found(&wallet_id))?;
    Ok(HttpResponse::Ok().json(EventPageJson::from(&page)))
}
