#![doc = include_str!("../README.md")]

mod algorithm;
mod authenticator;
mod claims;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod issuer;
mod jwks;
mod keyring;
mod settings;
mod token;

pub use authenticator::{JwtAuthenticator, StartError};
pub use issuer::FetchError;
pub use settings::{JwtSettings, UrlError, checked_url};

/// Fetches of the issuer's keys, by `outcome`: `ok` or `failed`.
pub const KEY_FETCHES: &str = "wallex_jwt_key_fetches_total";
