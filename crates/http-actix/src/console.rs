//! `GET /console`: the page for operators and support, and its parts. They are the same for everybody;
//! what the page shows it asks the API for, with the credential of whoever looks at it.

use actix_web::http::header::{self, IF_NONE_MATCH};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::docs::bytes_of;
use crate::problem::Problem;
use crate::routes::not_found;
use crate::state::Api;

pub(crate) const CONSOLE: &str = "/console";
const PAGE: &str = "index.html";

/// Sends whoever comes to the server's root to the page.
pub(crate) async fn to_console(req: HttpRequest, api: Data<Api>) -> Result<HttpResponse, Problem> {
    require_console(&req, &api)?;
    // Not for ever: another version, or a setting, may put something else here.
    Ok(HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, CONSOLE)).finish())
}

/// The page and its parts.
pub(crate) async fn console(req: HttpRequest, api: Data<Api>) -> Result<HttpResponse, Problem> {
    require_console(&req, &api)?;
    let part = match req.match_info().get("part") {
        None | Some("") => PAGE,
        Some(part) => part,
    };
    let asset = wallex_console::asset(part).ok_or_else(|| not_found(&req))?;
    let is_known = knows(&req, &asset.etag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    // A browser asks each time whether what it keeps is still what there is: parts of two versions
    // never meet in one page.
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    response.insert_header((header::ETAG, asset.etag));
    if is_known {
        return Ok(response.finish());
    }
    Ok(response.content_type(asset.content_type).body(bytes_of(asset.bytes)))
}

fn require_console(req: &HttpRequest, api: &Api) -> Result<(), Problem> {
    if api.state.operations.settings.console { Ok(()) } else { Err(not_found(req)) }
}

/// Whether the client has what `etag` names (RFC 9110, section 13.1.2).
fn knows(req: &HttpRequest, etag: &str) -> bool {
    let sent = req.headers().get_all(IF_NONE_MATCH).filter_map(|tags| tags.to_str().ok());
    let mut tags = sent.flat_map(|tags| tags.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
