//! What keeps a web page of somebody else from using an open server through the browser of one who
//! may. Where a credential is needed there is nothing to keep out: a page has none.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderName, ORIGIN};
use actix_web::http::uri::Authority;

use crate::code::Code;
use crate::headers;
use crate::problem::Problem;

/// What browsers say of where a request comes from, on addresses that nobody can listen to.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a request of a page that is not this server's. With `local_names_only`, one that reached it
/// by a name of the internet as well, which anybody can let point here.
pub(crate) fn refuse(req: &HttpRequest, local_names_only: bool) -> Result<(), Problem> {
    let host = headers::host(req);
    if let (true, Some(host)) = (local_names_only, host)
        && !is_local(host)
    {
        return Err(Problem::new(
            Code::ForeignOrigin,
            "This server is open to its own machine alone: ask for it as 127.0.0.1 or localhost. For \
             other names make an API key with `wallex keys create`, or set WALLEX_AUTH=off.",
        ));
    }
    if req.method().is_safe() || !is_of_another_site(req.headers(), host) {
        return Ok(());
    }
    let detail = "A page of another site may not change anything on a server that is open. Nothing \
                  was done.";
    Err(Problem::new(Code::ForeignOrigin, detail))
}

/// Whether nobody outside can make the name lead here: it is an address, or none that the internet's
/// name servers are asked for.
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok() || !name.contains('.') || name.ends_with(".localhost")
}

fn is_of_another_site(headers: &HeaderMap, host: Option<&str>) -> bool {
    if let Some(site) = headers.get(SEC_FETCH_SITE) {
        return ![&b"same-origin"[..], b"none"].contains(&site.as_bytes());
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let of = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, of)| of);
    of.is_none_or(|of| !host.is_some_and(|host| host.eq_ignore_ascii_case(of)))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HOST;
    use actix_web::test::TestRequest;

    use super::*;

    fn is_refused(request: TestRequest, local_names_only: bool) -> bool {
        refuse(&request.to_http_request(), local_names_only).is_err()
    }

    #[test]
    fn names_that_anybody_can_register_are_told_from_local_ones() {
        for local in [
            "localhost",
            "localhost:8080",
            "LOCALHOST.",
            "127.0.0.1:8080",
            "[::1]:8080",
            "10.0.0.7",
            "wallex",
            "wallex.localhost:80",
        ] {
            let asked = || TestRequest::get().insert_header((HOST, local));
            assert!(!is_refused(asked(), true), "{local}");
        }
        for far in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "a b", "x@y.z"] {
            let asked = || TestRequest::get().insert_header((HOST, far));
            assert!(is_refused(asked(), true), "{far}");
            assert!(!is_refused(asked(), false), "{far}");
        }
        assert!(!is_refused(TestRequest::get(), true), "no browser leaves the name out");
    }

    #[test]
    fn pages_of_other_sites_change_nothing() {
        let own = "127.0.0.1:8080";
        let post = || TestRequest::post().insert_header((HOST, own));
        for (name, value, refused) in [
            ("sec-fetch-site", "cross-site", true),
            ("sec-fetch-site", "same-site", true),
            ("sec-fetch-site", "same-origin", false),
            ("sec-fetch-site", "none", false),
            ("origin", "http://evil.example", true),
            ("origin", "http://127.0.0.1:9090", true),
            ("origin", "null", true),
            ("origin", "http://127.0.0.1:8080", false),
            ("x-other", "", false),
        ] {
            assert_eq!(is_refused(post().insert_header((name, value)), false), refused, "{value}");
            let read = TestRequest::get().insert_header((HOST, own)).insert_header((name, value));
            assert!(
                !is_refused(read, true),
                "what is answered, the browser does not show the page"
            );
        }
        // Behind a proxy that changes the name, the browser's word counts.
        let page = post().insert_header((ORIGIN, "https://wallex.example"));
        assert!(!is_refused(page.insert_header(("sec-fetch-site", "same-origin")), false));
    }
}
