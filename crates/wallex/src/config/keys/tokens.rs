//! Tokens of an issuer.

use wallex_domain::TenantId;

use super::expected;
use crate::config::key::TimeUnit::Seconds;
use crate::config::key::{Key, Kind, key};

const SECTION: &str = "Tokens of an issuer";

pub(super) const KEYS: &[Key] = &[
    key(
        SECTION,
        "WALLEX_JWT_ISSUER",
        "jwt_issuer",
        "The OpenID Connect issuer whose tokens (JWT) are accepted beside API keys, exactly as their \
         `iss` says. `https://`, or `http://` on a loopback address. Not set: no tokens are.",
        Kind::MaybeText {
            set: |config, text| {
                wallex_jwt::checked_url(text).map_err(expected)?;
                config.jwt.issuer = Some(text.to_owned());
                Ok(())
            },
            get: |config| config.jwt.issuer.clone(),
        },
    )
    .example("\"https://login.example.com\""),
    key(
        SECTION,
        "WALLEX_JWT_AUDIENCE",
        "jwt_audience",
        "What a token's `aud` must be, or have among others: the name that the issuer has for this \
         service. Needed where there is an issuer.",
        Kind::MaybeText {
            set: |config, text| {
                config.jwt.audience = Some(text.to_owned());
                Ok(())
            },
            get: |config| config.jwt.audience.clone(),
        },
    )
    .example("\"wallex\""),
    key(
        SECTION,
        "WALLEX_JWT_JWKS_URL",
        "jwt_jwks_url",
        "Where the issuer's keys are. Not set: where its `/.well-known/openid-configuration` says.",
        Kind::MaybeText {
            set: |config, text| {
                wallex_jwt::checked_url(text).map_err(expected)?;
                config.jwt.jwks_url = Some(text.to_owned());
                Ok(())
            },
            get: |config| config.jwt.jwks_url.clone(),
        },
    )
    .example("\"https://login.example.com/keys\""),
    key(
        SECTION,
        "WALLEX_JWT_TENANT_CLAIM",
        "jwt_tenant_claim",
        "The claim of a token that names its tenant.",
        Kind::Text {
            set: |config, text| {
                text.clone_into(&mut config.jwt.tenant_claim);
                Ok(())
            },
            get: |config| config.jwt.tenant_claim.clone(),
        },
    ),
    key(
        SECTION,
        "WALLEX_JWT_DEFAULT_TENANT",
        "jwt_default_tenant",
        "The tenant of tokens without that claim. Not set: they are refused. With `default`, such a \
         token that has the scope `admin` operates the whole server.",
        Kind::MaybeText {
            set: |config, text| {
                config.jwt.default_tenant = Some(TenantId::parse(text).map_err(expected)?);
                Ok(())
            },
            get: |config| config.jwt.default_tenant.as_ref().map(ToString::to_string),
        },
    )
    .example("\"default\""),
    key(
        SECTION,
        "WALLEX_JWT_SCOPE_CLAIM",
        "jwt_scope_claim",
        "The claim of a token that lists its scopes, in one text with spaces between them or in an \
         array. Not set: `scope`, or else `scp`.",
        Kind::MaybeText {
            set: |config, text| {
                config.jwt.scope_claim = Some(text.to_owned());
                Ok(())
            },
            get: |config| config.jwt.scope_claim.clone(),
        },
    )
    .example("\"scope\""),
    key(
        SECTION,
        "WALLEX_JWT_REFRESH_SECONDS",
        "jwt_refresh_seconds",
        "How often the issuer's keys are fetched, in seconds: so long may a key that the issuer has \
         taken back still count. A key that is not known is fetched at once, at most every 10 seconds.",
        Kind::Time {
            unit: Seconds,
            min: 10,
            max: 24 * 60 * 60,
            set: |config, time| config.jwt.refresh_interval = time,
            get: |config| config.jwt.refresh_interval,
        },
    ),
    key(
        SECTION,
        "WALLEX_JWT_KEYS_AGE_MAX_SECONDS",
        "jwt_keys_age_max_seconds",
        "For how long the last keys count when the issuer does not answer, in seconds. After that, \
         tokens are answered 503.",
        Kind::Time {
            unit: Seconds,
            min: 10,
            max: 30 * 24 * 60 * 60,
            set: |config, time| config.jwt.keys_age_max = time,
            get: |config| config.jwt.keys_age_max,
        },
    ),
];
