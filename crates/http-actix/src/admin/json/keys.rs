//! API keys, which the command line shows; the API does not have them.

use serde::Serialize;
use wallex_ports::{ApiKey, IssuedKey};

use crate::wallet::rfc3339;

/// A key, without its secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiKeyJson {
    id: String,
    tenant: String,
    name: String,
    scopes: Vec<&'static str>,
    state: &'static str,
    created_by: String,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
    replaced_by: Option<String>,
}

impl From<&ApiKey> for ApiKeyJson {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            tenant: key.tenant.to_string(),
            name: key.name.to_string(),
            scopes: key.scopes.iter().map(|scope| scope.as_str()).collect(),
            state: key.state.as_str(),
            created_by: key.created_by.clone(),
            created_at: rfc3339(key.created_at),
            expires_at: key.expires_at.map(rfc3339),
            revoked_at: key.revoked_at.map(rfc3339),
            replaced_by: key.replaced_by.as_ref().map(ToString::to_string),
        }
    }
}

/// Every key.
#[derive(Debug, Serialize)]
pub struct ApiKeyListJson {
    items: Vec<ApiKeyJson>,
}

impl From<&[ApiKey]> for ApiKeyListJson {
    fn from(keys: &[ApiKey]) -> Self {
        Self { items: keys.iter().map(ApiKeyJson::from).collect() }
    }
}

/// A key that was just made, with what its holder sends. It is not printed by `Debug`.
#[derive(Serialize)]
pub struct IssuedKeyJson {
    key: ApiKeyJson,
    secret: String,
}

impl From<&IssuedKey> for IssuedKeyJson {
    fn from(issued: &IssuedKey) -> Self {
        Self { key: (&issued.key).into(), secret: issued.secret.reveal().to_owned() }
    }
}
