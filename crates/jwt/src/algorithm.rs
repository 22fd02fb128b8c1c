//! The algorithms that signatures are accepted of. There are no others: what a token names and is
//! not here is refused before any key is looked at.

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};

/// How a token is signed, RFC 7518 section 3 and RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA with P-256 and SHA-256.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    const ALL: [Self; 4] = [Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// The algorithm that `name` is, to the letter.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// As `alg` writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A public key of one of the kinds that the algorithms have.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    /// Modulus and exponent, big-endian, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// The point, uncompressed: 4, x, y.
    P256(Vec<u8>),
    /// 32 bytes.
    Ed25519(Vec<u8>),
}

impl PublicKey {
    /// Whether it is of the kind that `algorithm` signs with.
    pub(crate) const fn fits(&self, algorithm: Algorithm) -> bool {
        matches!(
            (self, algorithm),
            (Self::Rsa { .. }, Algorithm::Rs256 | Algorithm::Ps256)
                | (Self::P256(_), Algorithm::Es256)
                | (Self::Ed25519(_), Algorithm::EdDsa)
        )
    }

    /// Whether `signature` is its owner's of `message`, made with `algorithm`.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let parameters = match algorithm {
            Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
            _ => &RSA_PKCS1_2048_8192_SHA256,
        };
        let verified = match self {
            _ if !self.fits(algorithm) => return false,
            Self::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
            Self::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
        };
        verified.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, PublicKey};

    #[test]
    fn algorithms_are_a_closed_list_to_the_letter() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
        }
        for other in [
            "none", "None", "", "HS256", "HS384", "HS512", "RS1", "RS384", "RS512", "ES384",
            "ES256K", "rs256", "RS256 ", "Ed25519", "eddsa",
        ] {
            assert_eq!(Algorithm::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_key_of_another_kind_verifies_nothing() {
        let keys = [
            (PublicKey::Rsa { n: vec![1; 256], e: vec![1, 0, 1] }, [true, true, false, false]),
            (PublicKey::P256(vec![4; 65]), [false, false, true, false]),
            (PublicKey::Ed25519(vec![1; 32]), [false, false, false, true]),
        ];
        for (key, fits) in keys {
            assert_eq!(Algorithm::ALL.map(|algorithm| key.fits(algorithm)), fits);
            for algorithm in Algorithm::ALL {
                assert!(!key.verifies(algorithm, b"message", &[0; 64]));
            }
        }
    }
}
