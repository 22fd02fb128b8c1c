//! Who comes in, and what a route needs from them. Decided before a body is read, and before
//! anything is looked up but the credential.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};
use metrics::Counter;
use tracing::Span;
use wallex_ports::{API_KEY_PREFIX, AccessScope, Caller, Recalled, Refused};

use crate::foreign;
use crate::metric_names::AUTHENTICATIONS;
use crate::problem::Problem;
use crate::read;
use crate::state::Operations;

thread_local! {
    /// Counters that were looked up before, by credential and outcome.
    static OUTCOMES: RefCell<HashMap<(&'static str, &'static str), Counter>> = RefCell::default();
}

/// What a route needs from its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: it tells nothing that is anybody's.
    Nothing,
    /// A caller, whatever it may do.
    Caller,
    /// A scope.
    Scope(AccessScope),
    /// The scope for metrics, or an operator.
    Metrics,
    /// An operator of the server.
    Operator,
}

impl Needs {
    /// The scope that is asked for.
    pub(crate) const fn scope(self) -> Option<AccessScope> {
        match self {
            Self::Nothing | Self::Caller => None,
            Self::Scope(scope) => Some(scope),
            Self::Metrics => Some(AccessScope::MetricsRead),
            Self::Operator => Some(AccessScope::Admin),
        }
    }

    fn check(self, caller: &Caller) -> Result<(), Problem> {
        match self {
            Self::Metrics if caller.is_operator() => return Ok(()),
            _ => {}
        }
        match self.scope() {
            Some(scope) if !caller.scopes.has(scope) => Err(Problem::insufficient_scope(scope)),
            _ if self == Self::Operator => require_operator(caller),
            _ => Ok(()),
        }
    }
}

/// Refuses who operates no more than what belongs to their tenant.
pub(crate) fn require_operator(caller: &Caller) -> Result<(), Problem> {
    if caller.is_operator() { Ok(()) } else { Err(Problem::operator_only()) }
}

/// The caller of a request to a route that needs one.
pub(crate) fn caller(req: &HttpRequest) -> Arc<Caller> {
    req.extensions().get().cloned().expect("invariant: whoever asks was admitted")
}

/// Lets in whom a route that `needs` it may let in, and has the handler know who that is.
pub(crate) async fn admit(needs: Needs, req: &HttpRequest) -> Result<(), Problem> {
    if needs == Needs::Nothing {
        return Ok(());
    }
    let entered = enter(needs, req).await;
    count_outcome(bearer(req.headers()), entered.as_ref().err());
    req.extensions_mut().insert(entered?);
    Ok(())
}

async fn enter(needs: Needs, req: &HttpRequest) -> Result<Arc<Caller>, Problem> {
    let operations =
        req.app_data::<Data<Operations>>().expect("invariant: the app holds its state");
    let bearer = bearer(req.headers());
    let caller = match (operations.state.admission.recall(bearer), bearer) {
        (Some(Ok(caller)), _) => caller,
        (recalled, Some(credential)) => {
            try_credential(operations, req, credential, recalled).await?
        }
        (recalled, None) => known(operations, None, recalled, |_| ()).await?,
    };
    Span::current().record("caller.id", caller.id.as_str());
    if caller.is_open() {
        foreign::refuse(req, operations.state.settings.local_names_only)?;
    }
    count(operations, req, &caller)?;
    needs.check(&caller)?;
    Ok(caller)
}

/// Counts who came in, and who did not. What was sent is told by its kind alone.
fn count_outcome(bearer: Option<&str>, refused: Option<&Problem>) {
    let credential = match bearer {
        None => "none",
        Some("") => "malformed",
        Some(credential) if credential.starts_with(API_KEY_PREFIX) => "api-key",
        Some(_) => "token",
    };
    let outcome = refused.map_or("accepted", |problem| problem.code().slug());
    let look_up =
        || metrics::counter!(AUTHENTICATIONS, "credential" => credential, "outcome" => outcome);
    OUTCOMES.with_borrow_mut(|known| {
        known.entry((credential, outcome)).or_insert_with(look_up).increment(1);
    });
}

/// Whose credential it is, unless too many that are nobody's came from the same address.
async fn try_credential(
    operations: &Operations,
    req: &HttpRequest,
    credential: &str,
    recalled: Recalled,
) -> Result<Arc<Caller>, Problem> {
    let peer = req.peer_addr();
    operations.rate_limiter.may_try(credential, peer).map_err(Problem::too_many_failures)?;
    let limiter = Arc::clone(&operations.rate_limiter);
    let tried = credential.to_owned();
    known(operations, Some(credential), recalled, move |found| limiter.tried(&tried, peer, found))
        .await
}

/// Whether who came with `bearer` would be let in now.
pub(crate) async fn ask_again(
    operations: &Operations,
    bearer: Option<&str>,
    needs: Needs,
) -> Result<(), Problem> {
    let recalled = operations.state.admission.recall(bearer);
    let caller = known(operations, bearer, recalled, |_| ()).await?;
    needs.check(&caller)
}

/// Who came with `bearer`: as `recalled`, or as it is found out. `found` is told where that is, so that
/// it learns of those who go away before as well.
async fn known(
    operations: &Operations,
    bearer: Option<&str>,
    recalled: Recalled,
    found: impl FnOnce(&Result<Arc<Caller>, Refused>) + Send + 'static,
) -> Result<Arc<Caller>, Problem> {
    if let Some(recalled) = recalled {
        found(&recalled);
        return Ok(recalled?);
    }
    let admission = Arc::clone(&operations.state.admission);
    let bearer = bearer.map(ToOwned::to_owned);
    let asking = async move {
        let asked = admission.admit(bearer.as_deref()).await;
        found(&asked);
        asked
    };
    read::within(operations, operations.state.settings.read_timeout, asking).await
}

/// Counts the request as one of `caller`, and refuses it when there were too many.
fn count(operations: &Operations, req: &HttpRequest, caller: &Caller) -> Result<(), Problem> {
    let Some(allowance) = operations.rate_limiter.count(caller, req.peer_addr()) else {
        return Ok(());
    };
    req.extensions_mut().insert(allowance);
    allowance.refused_for_s().map_or(Ok(()), |seconds| Err(Problem::rate_limited(seconds)))
}

/// What a request brings to identify itself; an empty text when that is no bearer credential, or more
/// than one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut sent = headers.get_all(AUTHORIZATION);
    let first = sent.next()?;
    let only = if sent.next().is_none() { first.to_str().ok() } else { None };
    let credential = only.and_then(|text| text.split_once(' ')).and_then(|(scheme, credential)| {
        // RFC 9110, section 11.1: schemes have no case.
        scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
    });
    Some(credential.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn sent(values: &[&'static [u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).expect("a value"));
        }
        bearer(&headers).map(ToOwned::to_owned)
    }

    #[test]
    fn bearers_are_told_from_other_credentials() {
        assert_eq!(sent(&[]), None);
        for good in [&b"Bearer abc"[..], b"bearer abc", b"BEARER  abc "] {
            assert_eq!(sent(&[good]).as_deref(), Some("abc"));
        }
        for none in [&b""[..], b"Bearer", b"Bearer ", b"Basic abc", b"abc", b"Bearer \xff"] {
            assert_eq!(sent(&[none]).as_deref(), Some(""), "{none:?}");
        }
        assert_eq!(sent(&[b"Bearer abc", b"Bearer abc"]).as_deref(), Some(""));
    }

    #[test]
    fn needs_are_met_by_scope_and_tenant() {
        let of = |tenant: &str, scopes: &[AccessScope]| Caller {
            tenant: tenant.parse().expect("valid"),
            id: "key:1".to_owned(),
            name: None,
            scopes: scopes.iter().copied().collect(),
        };
        let reader = of("default", &[AccessScope::WalletsRead]);
        let (scraper, admin) =
            (of("acme", &[AccessScope::MetricsRead]), of("acme", &[AccessScope::Admin]));
        let operator = of("default", &[AccessScope::Admin]);
        let met = |needs: Needs| {
            [&reader, &scraper, &admin, &operator].map(|caller| needs.check(caller).is_ok())
        };
        assert_eq!(met(Needs::Nothing), [true; 4]);
        assert_eq!(met(Needs::Caller), [true; 4]);
        assert_eq!(met(Needs::Scope(AccessScope::WalletsRead)), [true, false, false, false]);
        assert_eq!(met(Needs::Scope(AccessScope::Admin)), [false, false, true, true]);
        assert_eq!(met(Needs::Metrics), [false, true, false, true]);
        assert_eq!(met(Needs::Operator), [false, false, false, true]);
    }
}
