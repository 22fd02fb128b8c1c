//! Text that people choose, checked once where it enters.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TextError {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// Fewer characters than needed.
    #[error("must be at least {min_chars} characters")]
    TooShort {
        /// The limit, in characters.
        min_chars: usize,
    },
    /// More characters (Unicode scalar values) than allowed.
    #[error("must be at most {max_chars} characters, not {chars}")]
    TooLong {
        /// The limit, in characters.
        max_chars: usize,
        /// What was given, in characters.
        chars: usize,
    },
    /// A character that is not allowed here.
    #[error("must not contain {character:?}: {allowed}")]
    Forbidden {
        /// The first offending character.
        character: char,
        /// What is allowed, in words.
        allowed: &'static str,
    },
}

/// What a kind of text allows.
pub(crate) struct TextRule {
    pub(crate) max_chars: usize,
    pub(crate) may_be_empty: bool,
    pub(crate) allowed: &'static str,
    pub(crate) is_allowed: fn(char) -> bool,
}

impl TextRule {
    pub(crate) fn check(&self, text: &str) -> Result<(), TextError> {
        if text.is_empty() && !self.may_be_empty {
            return Err(TextError::Empty);
        }
        // A character takes at least one byte, so short texts need no count.
        if text.len() > self.max_chars {
            let chars = text.chars().count();
            if chars > self.max_chars {
                return Err(TextError::TooLong { max_chars: self.max_chars, chars });
            }
        }
        match text.chars().find(|c| !(self.is_allowed)(*c)) {
            Some(character) => Err(TextError::Forbidden { character, allowed: self.allowed }),
            None => Ok(()),
        }
    }
}

/// Declares a newtype over a checked string: `parse`, `as_str`, `Display`, serde through `parse`.
/// Shared, not copied, when cloned: ids travel with every event, key and answer.
macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $rule:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Checks `text` and takes it over.
            ///
            /// # Errors
            /// When it is too long, empty where it must not be, or holds a forbidden character.
            pub fn parse(text: impl Into<String>) -> Result<Self, $crate::text::TextError> {
                const RULE: $crate::text::TextRule = $rule;
                let text = text.into();
                RULE.check(&text)?;
                Ok(Self(text.into()))
            }

            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::text::TextError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::TextError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use checked_text;

checked_text!(
    /// What a movement was for, in the client's words: at most 500 characters; line breaks and
    /// tabs are allowed, other control characters are not.
    Description,
    TextRule {
        max_chars: 500,
        may_be_empty: true,
        allowed: "no control characters but tab and line breaks",
        is_allowed: |c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'),
    }
);

checked_text!(
    /// The client's own reference of a movement, an invoice number for one: at most 128
    /// characters without control characters.
    Reference,
    TextRule {
        max_chars: 128,
        may_be_empty: true,
        allowed: "no control characters",
        is_allowed: |c| !c.is_control(),
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_not_bytes() {
        assert!(Reference::parse("é".repeat(128)).is_ok());
        assert_eq!(
            Reference::parse("é".repeat(129)),
            Err(TextError::TooLong { max_chars: 128, chars: 129 })
        );
        assert!(Description::parse("x".repeat(500)).is_ok());
        assert!(Description::parse("x".repeat(501)).is_err());
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(Description::parse("two\nlines\tand a tab").is_ok());
        for bad in ["\0", "\u{7f}", "\u{1b}[31m", "\u{85}"] {
            assert!(Description::parse(bad).is_err(), "{bad:?}");
            assert!(Reference::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Reference::parse("two\nlines").is_err());
    }
}
