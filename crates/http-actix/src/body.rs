//! The body of a POST: JSON by its headers, bounded in bytes and in time.

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::{Bytes, Payload};

use crate::code::Code;
use crate::connection;
use crate::problem::Problem;
use crate::state::ApiSettings;

/// The whole body.
///
/// # Errors
/// `unsupported-media-type` when it does not claim to be plain JSON, `body-too-large` as soon as
/// that is known, `request-timeout` when it does not arrive in time, `malformed-json`
/// when it ends before its announced length.
pub(crate) async fn read(
    req: &HttpRequest,
    payload: Payload,
    settings: &ApiSettings,
) -> Result<Bytes, Problem> {
    require_json(req.headers())?;
    read_bytes(req, payload, settings).await
}

/// The whole body, where it may be left out: an empty one needs no media type.
///
/// # Errors
/// As [`read`].
pub(crate) async fn read_optional(
    req: &HttpRequest,
    payload: Payload,
    settings: &ApiSettings,
) -> Result<Bytes, Problem> {
    let bytes = read_bytes(req, payload, settings).await?;
    if !bytes.is_empty() {
        require_json(req.headers())?;
    }
    Ok(bytes)
}

async fn read_bytes(
    req: &HttpRequest,
    payload: Payload,
    settings: &ApiSettings,
) -> Result<Bytes, Problem> {
    let ApiSettings { body_bytes_max: bytes_max, body_timeout: timeout, .. } = *settings;
    if announced_bytes(req.headers()).is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large(bytes_max));
    }
    match tokio::time::timeout(timeout, payload.to_bytes_limited(bytes_max)).await {
        Ok(Ok(Ok(body))) => {
            connection::body_was_read(req);
            Ok(body)
        }
        Ok(Ok(Err(_))) => {
            let detail = "The body ended before it was complete, or its chunks are malformed.";
            Err(Problem::new(Code::MalformedJson, detail))
        }
        Ok(Err(_)) => Err(too_large(bytes_max)),
        Err(_) => {
            let detail = format!("A body must arrive within {timeout:?}. Nothing was done.");
            Err(Problem::new(Code::RequestTimeout, detail))
        }
    }
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(Code::BodyTooLarge, format!("A body is at most {bytes_max} bytes."))
}

fn announced_bytes(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let mut types = headers.get_all(header::CONTENT_TYPE);
    let is_json = match (types.next(), types.next()) {
        (Some(only), None) => only.to_str().is_ok_and(is_json),
        _ => false,
    };
    // A compressed body could be far larger than what its length announces.
    let is_plain = headers
        .get_all(header::CONTENT_ENCODING)
        .all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    if is_json && is_plain {
        return Ok(());
    }
    Err(Problem::new(
        Code::UnsupportedMediaType,
        "Send the body as Content-Type: application/json, in UTF-8, without Content-Encoding.",
    ))
}

/// `application/json`, with no charset or UTF-8.
fn is_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json")
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.eq_ignore_ascii_case("charset") => {
                value.trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_told_from_other_types() {
        for good in [
            "application/json",
            "Application/JSON",
            "application/json; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/json; profile=x",
        ] {
            assert!(is_json(good), "{good}");
        }
        for bad in ["", "json", "text/json", "application/json-patch+json", "text/plain"] {
            assert!(!is_json(bad), "{bad}");
        }
        assert!(!is_json("application/json; charset=latin1"));
    }
}
