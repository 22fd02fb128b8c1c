//! Currencies by their code.

use serde::{Deserialize, Serialize};

use crate::text::TextError;

/// The currency of a wallet; amounts are in its minor unit.
///
/// Its code is 3 to 12 of `A-Z 0-9` and begins with a letter: the codes of ISO 4217 (`USD`, `JPY`)
/// fit, and so do tokens and points that have none (`USDC`, `POINTS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency {
    code: [u8; Self::MAX_CHARS],
    len: u8,
}

impl Currency {
    /// The longest code, in characters.
    pub const MAX_CHARS: usize = 12;
    /// The shortest code, in characters.
    pub const MIN_CHARS: usize = 3;
    const ALLOWED: &'static str = "a currency code is 3 to 12 of A-Z 0-9 and begins with a letter";

    /// Checks `code`.
    ///
    /// # Errors
    /// When it is not 3 to 12 of `A-Z 0-9` beginning with a letter.
    pub fn parse(code: &str) -> Result<Self, TextError> {
        let wrong = code
            .chars()
            .enumerate()
            .find(|(i, c)| !(c.is_ascii_uppercase() || (*i > 0 && c.is_ascii_digit())));
        if let Some((_, character)) = wrong {
            return Err(TextError::Forbidden { character, allowed: Self::ALLOWED });
        }
        if code.len() < Self::MIN_CHARS {
            return Err(TextError::TooShort { min_chars: Self::MIN_CHARS });
        }
        let too_long = TextError::TooLong { max_chars: Self::MAX_CHARS, chars: code.len() };
        let len = u8::try_from(code.len()).map_err(|_| too_long.clone())?;
        let mut bytes = [0; Self::MAX_CHARS];
        bytes.get_mut(..code.len()).ok_or(too_long)?.copy_from_slice(code.as_bytes());
        Ok(Self { code: bytes, len })
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.code[..usize::from(self.len)])
            .expect("invariant: only ASCII gets in")
    }
}

impl TryFrom<String> for Currency {
    type Error = TextError;
    fn try_from(code: String) -> Result<Self, TextError> {
        Self::parse(&code)
    }
}

impl std::str::FromStr for Currency {
    type Err = TextError;
    fn from_str(code: &str) -> Result<Self, TextError> {
        Self::parse(code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl std::fmt::Display for Currency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_checked() {
        for good in ["USD", "JPY", "USDC", "POINTS", "A1B2C3D4E5F6"] {
            assert_eq!(Currency::parse(good).expect("valid").as_str(), good);
            assert_eq!(Currency::parse(good).expect("valid").to_string(), good);
        }
        for bad in ["", "US", "usd", "1US", "US D", "US\0", "ÄÖÜ", "A1B2C3D4E5F6G"] {
            assert!(Currency::parse(bad).is_err(), "{bad:?}");
        }
    }
}
