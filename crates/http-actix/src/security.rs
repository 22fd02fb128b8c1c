//! The headers that keep a browser from doing harm with an answer.
//!
//! There are no CORS headers: a page of another origin can't read what Wallex answers. What such a page
//! may send without asking first is for [`foreign`](crate::foreign) to refuse.

use actix_web::HttpRequest;
use actix_web::dev::ResponseHead;
use actix_web::http::header::{
    self, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

use crate::connection;
use crate::console::CONSOLE;
use crate::routes::{OPENAPI_JSON, VERSION_PREFIX};

/// What a browser may be shown beside data: pages and their parts.
const PAGES: &[&str] = &["/docs", CONSOLE];

/// Scripts and styles come from Wallex, and none stands in a page; images may stand in a style. A
/// page talks to Wallex alone, and no other page holds it in a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A year, as browsers expect it. What else the domain serves is not ours to decide.
const TRANSPORT: &str = "max-age=31536000";

/// What the answer to a request needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Protection {
    secure: bool,
    shows: Shows,
}

/// What an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// What a browser runs.
    Page,
    /// What is the same for everybody.
    Description,
    /// The rest, which is about money.
    Data,
}

impl Protection {
    pub(crate) fn of(req: &HttpRequest) -> Self {
        // As it is routed: decoded.
        Self { secure: connection::is_secure(req), shows: Shows::at(req.match_info().as_str()) }
    }

    pub(crate) fn add_to(self, answer: &mut ResponseHead) {
        let headers = answer.headers_mut();
        set(headers, X_CONTENT_TYPE_OPTIONS, "nosniff");
        if self.secure {
            set(headers, STRICT_TRANSPORT_SECURITY, TRANSPORT);
        }
        match self.shows {
            Shows::Page => {
                for (name, value) in page_headers() {
                    set(headers, name, value);
                }
            }
            Shows::Description => {}
            Shows::Data => set(headers, CACHE_CONTROL, "no-store"),
        }
    }
}

impl Shows {
    fn at(path: &str) -> Self {
        let path = path.strip_prefix(VERSION_PREFIX).unwrap_or(path);
        if PAGES.iter().any(|page| is_below(path, page)) {
            Self::Page
        } else if path == OPENAPI_JSON {
            Self::Description
        } else {
            Self::Data
        }
    }
}

fn page_headers() -> [(HeaderName, &'static str); 6] {
    [
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_FRAME_OPTIONS, "DENY"),
        (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
        (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (
            header::PERMISSIONS_POLICY,
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ]
}

fn is_below(path: &str, page: &str) -> bool {
    path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_from_data() {
        for page in ["/docs", "/docs/", "/docs/index.css", "/v1/docs/", "/console/wallets"] {
            assert_eq!(Shows::at(page), Shows::Page, "{page}");
        }
        for data in ["/docsx", "/wallets/docs", "/", "/consoles", "/v1"] {
            assert_eq!(Shows::at(data), Shows::Data, "{data}");
        }
        assert_eq!(Shows::at("/v1/openapi.json"), Shows::Description);
    }
}
