//! What a request brings along, beside its command.

use thiserror::Error;

/// Why a header's value is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be {min_chars} to {max_chars} visible ASCII characters")]
pub struct NotVisibleAscii {
    min_chars: usize,
    max_chars: usize,
}

fn visible_ascii(text: &str, max_chars: usize) -> Result<(), NotVisibleAscii> {
    let fits = (1..=max_chars).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    if fits { Ok(()) } else { Err(NotVisibleAscii { min_chars: 1, max_chars }) }
}

macro_rules! visible_text {
    ($(#[$doc:meta])* $name:ident, $max_chars:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks `text` and takes it over.
            ///
            /// # Errors
            /// When it is empty, too long, or holds anything but visible ASCII.
            pub fn parse(text: &str) -> Result<Self, NotVisibleAscii> {
                visible_ascii(text, $max_chars)?;
                Ok(Self(text.into()))
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

visible_text!(
    /// The client's `Idempotency-Key`, unquoted: 1 to 255 visible ASCII characters.
    IdempotencyKey,
    255
);
visible_text!(
    /// What ties a request to everything it causes: 1 to 128 visible ASCII characters.
    CorrelationId,
    128
);
visible_text!(
    /// A W3C `traceparent`, at most 128 visible ASCII characters.
    Traceparent,
    128
);

/// The route that an idempotency key is scoped to: the method and the decoded concrete path without
/// `/v1`, `POST /wallets/w-1/credit` for one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route(std::sync::Arc<str>);

impl Route {
    /// The route of a creation.
    #[must_use]
    pub fn create_wallet() -> Self {
        Self("POST /wallets".into())
    }

    /// The route of `action` (`credit`, `debit`, `transfer`) on one wallet.
    #[must_use]
    pub fn wallet_action(wallet_id: &wallex_domain::WalletId, action: &str) -> Self {
        Self(format!("POST /wallets/{wallet_id}/{action}").into())
    }

    /// The method and path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
