//! What starting and stopping a projector have in common.

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse};
use wallex_ports::{Projectors as _, SteerError};

use super::json::ProjectorListJson;
use super::receive::{self, no_fields, projector_in_path};
use crate::problem::Problem;
use crate::state::Api;

/// What is asked of a projector.
pub(super) enum Steer {
    Start,
    Stop,
}

/// Asks it of the projector in the path, and answers with how that is then.
pub(super) async fn steer(
    req: &HttpRequest,
    payload: Payload,
    api: &Api,
    asked: Steer,
) -> Result<HttpResponse, Problem> {
    let named = |_: &mut _, errors: &mut _| projector_in_path(req, errors);
    let (name, ()) = receive::write(req, payload, api, named, no_fields).await?;
    let projectors = receive::audited(req, api, &api.state.projectors);
    let working = async move {
        match asked {
            Steer::Start => projectors.start(&name).await?,
            Steer::Stop => projectors.stop(&name).await?,
        }
        let mut statuses = projectors.status().await?;
        statuses.retain(|status| status.projector == name);
        Ok::<_, SteerError>(statuses)
    };
    let statuses =
        receive::carry_out(api, api.state.operations.settings.command_timeout, working).await?;
    Ok(HttpResponse::Ok().json(ProjectorListJson::from(statuses.as_slice())))
}
