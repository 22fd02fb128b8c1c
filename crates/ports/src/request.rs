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

impl Traceparent {
    /// Whether the trace is recorded: the last bit of its flags (W3C Trace Context, 3.2.2.5).
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        let flags = self.as_str().split('-').nth(3);
        let flags = flags.and_then(|flags| u8::from_str_radix(flags, 16).ok());
        flags.is_some_and(|flags| flags & 1 == 1)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_recorded_when_its_flags_say_so() {
        const PLACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
        let is_sampled =
            |flags: &str| Traceparent::parse(&format!("{PLACE}{flags}")).map(|t| t.is_sampled());
        for (flags, sampled) in [("-01", true), ("-03", true), ("-00", false), ("-02", false)] {
            assert_eq!(is_sampled(flags), Ok(sampled), "{flags}");
        }
        for nonsense in ["", "-", "-x", "-999"] {
            assert_eq!(is_sampled(nonsense), Ok(false), "{nonsense}");
        }
    }
}
