//! What must stand in a token, and what is read from it: RFC 7519 section 4.1.

use serde_json::{Map, Value};
use thiserror::Error;
use wallex_domain::TenantId;
use wallex_ports::{AccessScopes, Caller, Timestamp};

use crate::JwtSettings;

/// How far the issuer's clock and ours may be apart.
pub(crate) const LEEWAY_MS: i64 = 30_000;
/// The longest subject, as OpenID Connect Core section 2 has it.
const SUBJECT_CHARS_MAX: usize = 255;

/// What is wrong with the claims of a token whose signature is good.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum BadClaims {
    #[error("its payload is not a JSON object")]
    NotAnObject,
    #[error("its iss is not the configured issuer")]
    Issuer,
    #[error("its aud does not name the configured audience")]
    Audience,
    #[error("it has no exp that is a number")]
    NoExpiry,
    #[error("it has expired")]
    Expired,
    #[error("its nbf is ahead, or not a number")]
    NotYet,
    #[error("it has no sub of 1 to {SUBJECT_CHARS_MAX} characters without control characters")]
    Subject,
    #[error("it has no claim for the tenant, and WALLEX_JWT_DEFAULT_TENANT is not set")]
    NoTenant,
    #[error("its claim for the tenant is no tenant")]
    Tenant,
}

/// Whom the token with `payload` lets in at `now`, and until when, in Unix milliseconds.
pub(crate) fn caller(
    payload: &[u8],
    settings: &JwtSettings,
    now: Timestamp,
) -> Result<(Caller, i64), BadClaims> {
    let claims: Map<String, Value> =
        serde_json::from_slice(payload).map_err(|_| BadClaims::NotAnObject)?;
    if text(&claims, "iss") != Some(&settings.issuer) {
        return Err(BadClaims::Issuer);
    }
    if !names(claims.get("aud"), &settings.audience) {
        return Err(BadClaims::Audience);
    }
    let until_ms = validity(&claims, now)?;
    let subject = subject(&claims)?;
    let caller = Caller {
        tenant: tenant(&claims, settings)?,
        id: format!("jwt:{}#{subject}", settings.issuer),
        name: None,
        scopes: scopes(&claims, settings.scope_claim.as_deref()),
    };
    Ok((caller, until_ms))
}

fn text<'c>(claims: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    claims.get(name)?.as_str()
}

/// Whether `aud` is `audience`, or a list that has it.
fn names(aud: Option<&Value>, audience: &str) -> bool {
    match aud {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(many)) => many.iter().any(|one| one == audience),
        _ => false,
    }
}

/// Until when the token is good, if it is.
fn validity(claims: &Map<String, Value>, now: Timestamp) -> Result<i64, BadClaims> {
    let until_ms = time_ms(claims.get("exp")).ok_or(BadClaims::NoExpiry)?.saturating_add(LEEWAY_MS);
    if now.unix_ms() >= until_ms {
        return Err(BadClaims::Expired);
    }
    match claims.get("nbf") {
        None => Ok(until_ms),
        nbf => match time_ms(nbf) {
            Some(from_ms) if from_ms.saturating_sub(LEEWAY_MS) <= now.unix_ms() => Ok(until_ms),
            _ => Err(BadClaims::NotYet),
        },
    }
}

/// A NumericDate in milliseconds: seconds, of which there may be parts.
fn time_ms(claim: Option<&Value>) -> Option<i64> {
    let number = claim?.as_number()?;
    if let Some(seconds) = number.as_i64() {
        return Some(seconds.saturating_mul(1_000));
    }
    let ms = number.as_f64()? * 1_000.0;
    #[expect(clippy::cast_possible_truncation, reason = "`as` ends at the bounds of i64")]
    ms.is_finite().then_some(ms as i64)
}

fn subject(claims: &Map<String, Value>) -> Result<&str, BadClaims> {
    let subject = text(claims, "sub").ok_or(BadClaims::Subject)?;
    let is_printable = !subject.chars().any(char::is_control);
    let is_bounded = (1..=SUBJECT_CHARS_MAX).contains(&subject.chars().count());
    if is_printable && is_bounded { Ok(subject) } else { Err(BadClaims::Subject) }
}

fn tenant(claims: &Map<String, Value>, settings: &JwtSettings) -> Result<TenantId, BadClaims> {
    match claims.get(&settings.tenant_claim) {
        Some(Value::String(tenant)) => TenantId::parse(tenant).map_err(|_| BadClaims::Tenant),
        Some(_) => Err(BadClaims::Tenant),
        None => settings.default_tenant.clone().ok_or(BadClaims::NoTenant),
    }
}

/// The scopes that we know among those that the token lists, in one text with spaces between them
/// (RFC 8693 section 4.2) or in an array.
fn scopes(claims: &Map<String, Value>, claim: Option<&str>) -> AccessScopes {
    let listed = match claim {
        Some(name) => claims.get(name),
        None => claims.get("scope").or_else(|| claims.get("scp")),
    };
    let known = |text: &str| text.parse().ok();
    match listed {
        Some(Value::String(text)) => text.split(' ').filter_map(known).collect(),
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).filter_map(known).collect()
        }
        _ => AccessScopes::default(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use wallex_ports::AccessScope;

    use super::*;

    const ISSUER: &str = "https://login.example.com/";
    const NOW: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);
    const NOW_S: i64 = NOW.unix_ms() / 1_000;

    fn settings() -> JwtSettings {
        JwtSettings {
            issuer: ISSUER.to_owned(),
            audience: "wallex".to_owned(),
            jwks_url: None,
            tenant_claim: "tenant".to_owned(),
            default_tenant: None,
            scope_claim: None,
            refresh_interval: Duration::from_secs(300),
            keys_age_max: Duration::from_secs(3_600),
        }
    }

    fn good() -> Value {
        json!({
            "iss": ISSUER, "aud": "wallex", "sub": "alice", "tenant": "acme", "exp": NOW_S + 60,
            "scope": "openid wallets:read profile transfers:write",
        })
    }

    /// What the good token is worth when `name` is `value` (`null`: not there).
    fn with(name: &str, value: Value) -> Result<(Caller, i64), BadClaims> {
        let mut claims = good();
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        } else {
            claims[name] = value;
        }
        caller(claims.to_string().as_bytes(), &settings(), NOW)
    }

    fn refused(name: &str, value: Value) -> BadClaims {
        with(name, value).expect_err("this lets nobody in")
    }

    #[test]
    fn a_good_token_says_who_calls() {
        let (caller, until_ms) = with("x", json!(1)).expect("good");
        assert_eq!(caller.id, "jwt:https://login.example.com/#alice");
        assert_eq!(caller.tenant.as_str(), "acme");
        let scopes: Vec<_> = caller.scopes.iter().collect();
        assert_eq!(scopes, [AccessScope::WalletsRead, AccessScope::TransfersWrite]);
        assert_eq!(until_ms, NOW.unix_ms() + 60_000 + LEEWAY_MS);
    }

    #[test]
    fn the_issuer_is_exactly_ours() {
        for iss in [
            json!(null),
            json!("https://login.example.com"),
            json!("https://LOGIN.example.com/"),
            json!([ISSUER]),
            json!(1),
        ] {
            assert_eq!(refused("iss", iss.clone()), BadClaims::Issuer, "{iss}");
        }
    }

    #[test]
    fn the_audience_names_us() {
        assert!(with("aud", json!(["other", "wallex"])).is_ok());
        for aud in
            [json!(null), json!("wallex2"), json!("Wallex"), json!([]), json!({ "wallex": 1 })]
        {
            assert_eq!(refused("aud", aud.clone()), BadClaims::Audience, "{aud}");
        }
    }

    #[test]
    fn expiry_is_required_and_held_within_the_leeway() {
        for exp in [json!(null), json!("1900000000"), json!([])] {
            assert_eq!(refused("exp", exp.clone()), BadClaims::NoExpiry, "{exp}");
        }
        assert!(with("exp", json!(NOW_S - 29)).is_ok());
        assert!(with("exp", json!(NOW_S as f64 - 29.5)).is_ok());
        for exp in [json!(NOW_S - 30), json!(0), json!(-1e300), json!(i64::MIN)] {
            assert_eq!(refused("exp", exp.clone()), BadClaims::Expired, "{exp}");
        }
        // No end that anybody lives to see, and no overflow.
        for exp in [json!(1e300), json!(i64::MAX), json!(u64::MAX)] {
            assert!(with("exp", exp.clone()).is_ok(), "{exp}");
        }
    }

    #[test]
    fn what_is_good_later_is_not_good_now() {
        assert!(with("nbf", json!(NOW_S + 30)).is_ok());
        for nbf in [json!(NOW_S + 31), json!("soon"), json!(1e300)] {
            assert_eq!(refused("nbf", nbf.clone()), BadClaims::NotYet, "{nbf}");
        }
    }

    #[test]
    fn somebody_must_be_named() {
        for sub in [json!(null), json!(""), json!(7), json!("a\nb"), json!("x".repeat(256))] {
            assert_eq!(refused("sub", sub.clone()), BadClaims::Subject, "{sub}");
        }
        assert!(with("sub", json!("ü".repeat(255))).is_ok());
    }

    #[test]
    fn the_tenant_is_the_tokens_or_the_default_but_never_a_guess() {
        assert_eq!(refused("tenant", json!(null)), BadClaims::NoTenant);
        for tenant in [json!(""), json!("a/b"), json!(["acme"]), json!(1)] {
            assert_eq!(refused("tenant", tenant.clone()), BadClaims::Tenant, "{tenant}");
        }
        let mut claims = good();
        claims.as_object_mut().expect("an object").remove("tenant");
        let settings = JwtSettings {
            default_tenant: Some(TenantId::default()),
            tenant_claim: "https://wallex.example.com/tenant".to_owned(),
            ..settings()
        };
        let payload = claims.to_string();
        let (by_default, _) = caller(payload.as_bytes(), &settings, NOW).expect("good");
        assert_eq!(by_default.tenant, TenantId::default());
        claims["https://wallex.example.com/tenant"] = json!("acme");
        let payload = claims.to_string();
        let (named, _) = caller(payload.as_bytes(), &settings, NOW).expect("good");
        assert_eq!(named.tenant.as_str(), "acme");
    }

    #[test]
    fn scopes_are_those_that_we_know_wherever_they_stand() {
        let scopes = |name: &str, value: Value| {
            let mut claims = good();
            claims.as_object_mut().expect("an object").remove("scope");
            claims[name] = value;
            let settings = JwtSettings {
                scope_claim: (name == "roles").then(|| "roles".to_owned()),
                ..settings()
            };
            let (caller, _) = caller(claims.to_string().as_bytes(), &settings, NOW).expect("good");
            caller.scopes.iter().map(AccessScope::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(scopes("scp", json!(["admin", "x", 5])), "admin");
        assert_eq!(scopes("scp", json!("admin wallets:read")), "wallets:read admin");
        assert_eq!(scopes("roles", json!(["wallets:write"])), "wallets:write");
        for nothing in [json!(""), json!("Admin ADMIN admin,x wallets:*"), json!({ "admin": true })]
        {
            assert_eq!(scopes("scope", nothing), "");
        }
    }

    #[test]
    fn a_payload_that_is_no_object_lets_nobody_in() {
        for payload in ["", "[]", "null", "\"text\"", "{", "{}{}"] {
            let refused = caller(payload.as_bytes(), &settings(), NOW).expect_err("nobody");
            assert_eq!(refused, BadClaims::NotAnObject, "{payload}");
        }
    }
}
