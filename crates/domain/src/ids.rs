//! Identities: newtypes, parsed once at the edge.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::text::{TextRule, checked_text};

checked_text!(
    /// A wallet's id, chosen by the client or made by the server: 1 to 128 of
    /// `A-Z a-z 0-9 . _ : -`.
    WalletId,
    TextRule {
        max_chars: 128,
        may_be_empty: false,
        allowed: "only A-Z a-z 0-9 . _ : - are allowed",
        is_allowed: |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-'),
    }
);

checked_text!(
    /// Whose wallet it is, in the client's terms: 1 to 128 characters without control characters.
    OwnerId,
    TextRule {
        max_chars: 128,
        may_be_empty: false,
        allowed: "no control characters",
        is_allowed: |c| !c.is_control(),
    }
);

checked_text!(
    /// The tenant that a wallet belongs to: 1 to 64 of `A-Z a-z 0-9 . _ -`.
    TenantId,
    TextRule {
        max_chars: 64,
        may_be_empty: false,
        allowed: "only A-Z a-z 0-9 . _ - are allowed",
        is_allowed: |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'),
    }
);

impl Default for TenantId {
    /// The one tenant of a server without API keys: `default`.
    fn default() -> Self {
        Self::parse("default").expect("invariant: the constant is a valid tenant")
    }
}

impl From<Uuid> for WalletId {
    /// A wallet id made from a UUID, as the server does when the client names none.
    fn from(uuid: Uuid) -> Self {
        Self::parse(uuid.to_string()).expect("invariant: a UUID's text is a valid wallet id")
    }
}

/// Declares a newtype over a UUID.
macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The UUID itself.
            #[must_use]
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id!(
    /// The identity of one event (UUIDv7 by custom).
    EventId
);
uuid_id!(
    /// The identity of one transfer, carried by both of its legs.
    TransferId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wallet_id_allows_exactly_its_alphabet() {
        for good in ["w", "wallet-001", "acme:eu.west_1", "A9.-_:z", &"x".repeat(128)] {
            assert!(WalletId::parse(good).is_ok(), "{good}");
        }
        for bad in ["", " ", "a b", "a/b", "ä", "a\0", "a%20", &"x".repeat(129)] {
            assert!(WalletId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn owner_id_is_any_printable_text() {
        assert!(OwnerId::parse("Zoë & Søn 株式会社").is_ok());
        assert!(OwnerId::parse("").is_err());
        assert!(OwnerId::parse("a\nb").is_err());
        assert!(OwnerId::parse("é".repeat(129)).is_err());
    }
}
