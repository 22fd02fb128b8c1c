//! The settings about tokens, which make sense together or not at all.

use std::time::Duration;

use wallex_domain::TenantId;
use wallex_jwt::JwtSettings;

/// What is set of them.
#[derive(Debug, Clone)]
pub(crate) struct JwtConfig {
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) jwks_url: Option<String>,
    pub(crate) tenant_claim: String,
    pub(crate) default_tenant: Option<TenantId>,
    pub(crate) scope_claim: Option<String>,
    pub(crate) refresh_interval: Duration,
    pub(crate) keys_age_max: Duration,
}

impl Default for JwtConfig {
    fn default() -> Self {
        Self {
            issuer: None,
            audience: None,
            jwks_url: None,
            tenant_claim: "tenant".to_owned(),
            default_tenant: None,
            scope_claim: None,
            refresh_interval: Duration::from_secs(5 * 60),
            keys_age_max: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl JwtConfig {
    /// What tokens are accepted; `None` when none are.
    ///
    /// # Errors
    /// When half of it is missing: what, in a sentence.
    pub(crate) fn settings(&self) -> Result<Option<JwtSettings>, String> {
        let (issuer, audience) = match (&self.issuer, &self.audience) {
            (Some(issuer), Some(audience)) => (issuer.clone(), audience.clone()),
            (Some(_), None) => {
                return Err("WALLEX_JWT_AUDIENCE must be set where WALLEX_JWT_ISSUER is: a token \
                            that was made for another service must not open this one"
                    .to_owned());
            }
            (None, _) => return self.without_issuer(),
        };
        if self.keys_age_max < self.refresh_interval {
            return Err("WALLEX_JWT_KEYS_AGE_MAX_SECONDS must not be less than \
                        WALLEX_JWT_REFRESH_SECONDS, or keys run out before they are fetched again"
                .to_owned());
        }
        Ok(Some(JwtSettings {
            issuer,
            audience,
            jwks_url: self.jwks_url.clone(),
            tenant_claim: self.tenant_claim.clone(),
            default_tenant: self.default_tenant.clone(),
            scope_claim: self.scope_claim.clone(),
            refresh_interval: self.refresh_interval,
            keys_age_max: self.keys_age_max,
        }))
    }

    fn without_issuer(&self) -> Result<Option<JwtSettings>, String> {
        let set = [
            ("WALLEX_JWT_AUDIENCE", self.audience.is_some()),
            ("WALLEX_JWT_JWKS_URL", self.jwks_url.is_some()),
            ("WALLEX_JWT_DEFAULT_TENANT", self.default_tenant.is_some()),
            ("WALLEX_JWT_SCOPE_CLAIM", self.scope_claim.is_some()),
        ];
        match set.into_iter().find(|(_, is_set)| *is_set) {
            None => Ok(None),
            Some((name, _)) => Err(format!(
                "WALLEX_JWT_ISSUER must be set where {name} is: no token is accepted \
                             without it"
            )),
        }
    }
}
