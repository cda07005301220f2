//! The interface to the cryptography.

use std::{fmt::Debug, sync::Arc};

use super::Algorithm;

/// A library that verifies signatures.
///
/// Two are built in: `AwsLcVerifier` (feature `aws-lc`) and `RustCryptoVerifier` (feature `rust-crypto`). For
/// another one, implement this method. It is called when a key set is read, not for every token.
pub trait JwsVerifier: Debug + Send + Sync {
    /// Prepares `key` for verifying signatures made with `algorithm`.
    ///
    /// `None` if the algorithm or curve is not supported, if the key is not for the algorithm, or if it is
    /// invalid, for example a point that is not on its curve. The caller has checked the lengths that
    /// [`PublicKey`] promises.
    fn prepare(&self, algorithm: Algorithm, key: &PublicKey) -> Option<Arc<dyn VerifyingKey>>;
}

/// A public key, prepared to verify signatures of one algorithm.
pub trait VerifyingKey: Debug + Send + Sync {
    /// Whether `signature` is a signature of `message`, in the form of [RFC 7518 section
    /// 3](https://www.rfc-editor.org/rfc/rfc7518#section-3): for ECDSA the two numbers concatenated, not
    /// ASN.1.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;
}

/// The numbers of a public key, all big-endian.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey {
    /// A point on an elliptic curve. It is not yet checked to be on the curve.
    Ec {
        /// The curve.
        curve: Curve,
        /// The first coordinate, as long as [the curve](Curve) says.
        x: Vec<u8>,
        /// The second coordinate, as long as the first.
        y: Vec<u8>,
    },
    /// An RSA key.
    Rsa {
        /// The modulus: odd, 2,048 to 8,192 bits, no leading zeros.
        n: Vec<u8>,
        /// The exponent: odd, at least 3, at most 2^32, no leading zeros.
        e: Vec<u8>,
    },
    /// An Ed25519 key.
    Ed25519 {
        /// The key as in RFC 8032.
        x: [u8; 32],
    },
}

/// The curves of the ECDSA algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// P-256, for ES256. A coordinate has 32 bytes.
    P256,
    /// P-384, for ES384. A coordinate has 48 bytes.
    P384,
    /// P-521, for ES512. A coordinate has 66 bytes.
    P521,
}

impl Curve {
    /// The length of a coordinate, in bytes.
    pub(super) const fn coordinate_len(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

impl PublicKey {
    /// The algorithms of keys of this type.
    pub(super) const fn algorithms(&self) -> &'static [Algorithm] {
        use Algorithm::{EdDsa, Es256, Es384, Es512, Ps256, Ps384, Ps512, Rs256, Rs384, Rs512};
        match self {
            Self::Ec {
                curve: Curve::P256, ..
            } => &[Es256],
            Self::Ec {
                curve: Curve::P384, ..
            } => &[Es384],
            Self::Ec {
                curve: Curve::P521, ..
            } => &[Es512],
            Self::Rsa { .. } => &[Rs256, Rs384, Rs512, Ps256, Ps384, Ps512],
            Self::Ed25519 { .. } => &[EdDsa],
        }
    }
}

/// The uncompressed point of SEC 1 section 2.3.3, the form that both libraries expect.
#[cfg(any(feature = "aws-lc", feature = "rust-crypto"))]
pub(super) fn uncompressed_point(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[0x04], x, y].concat()
}
