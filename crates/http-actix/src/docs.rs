//! `GET /openapi.json` and `GET /docs`: the API's description, and a page to try it. The page comes
//! out of the binary, so that it works without the internet.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use utoipa_swagger_ui::Config;

use crate::correlation;
use crate::openapi::{CorrelationHeader, LiveProblems, openapi_json};
use crate::problem::Problem;
use crate::routes::{OPENAPI_JSON, not_found};

static DESCRIPTION: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(openapi_json()));
/// Without the bar at the top, which asks for the descriptions of other servers: none may be asked
/// here, and its picture brings a style that the policy of pages does not allow.
static PAGE: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::from(OPENAPI_JSON).use_base_layout()));

/// This description
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "operations",
    params(CorrelationHeader),
    responses(
        (status = 200, description = "OpenAPI 3.1.", body = serde_json::Value),
        LiveProblems,
    ),
)]
pub(crate) async fn openapi_description(req: HttpRequest) -> Result<HttpResponse, Problem> {
    correlation::require_valid(&req)?;
    Ok(HttpResponse::Ok().content_type("application/json").body(DESCRIPTION.clone()))
}

/// Sends `/docs` to where the page's relative links work.
pub(crate) async fn to_docs(req: HttpRequest) -> HttpResponse {
    let at = format!("{}/", req.path());
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, at)).finish()
}

/// The page and its parts.
pub(crate) async fn docs(req: HttpRequest) -> Result<HttpResponse, Problem> {
    let part = req.match_info().get("part").unwrap_or_default();
    match utoipa_swagger_ui::serve(part, PAGE.clone()) {
        Ok(Some(file)) => {
            Ok(HttpResponse::Ok().content_type(file.content_type).body(bytes_of(file.bytes)))
        }
        Ok(None) => Err(not_found(&req)),
        Err(error) => Err(Problem::internal(error.as_ref())),
    }
}

/// Without a copy of what is part of the binary.
pub(crate) fn bytes_of(bytes: Cow<'static, [u8]>) -> Bytes {
    match bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }
}
