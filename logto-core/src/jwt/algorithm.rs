//! Signature algorithms.

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// A signature algorithm of tokens: the asymmetric ones of [RFC 7518 section
/// 3.1](https://www.rfc-editor.org/rfc/rfc7518#section-3.1), and Ed25519 ([RFC
/// 8037](https://www.rfc-editor.org/rfc/rfc8037)). Logto signs with ES384 by default.
///
/// `none` and the HMAC algorithms are not among them, so that no configuration and no header can select them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384: Logto's default.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// EdDSA on Ed25519. Its other name `Ed25519`
    /// ([RFC 9864](https://www.rfc-editor.org/rfc/rfc9864)) is read as well.
    EdDsa,
}

impl Algorithm {
    /// The name in the `alg` header, for example `ES384`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm with this name. Names are case-sensitive. `EdDSA` and `Ed25519` are one algorithm.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "ES512" => Self::Es512,
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            // RFC 9864 names the curve as well. The key says it in any case.
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }

    /// The base64url of the left half of the hash of `text`, with this algorithm's hash function: the content
    /// of `at_hash`
    /// ([OpenID Connect Core 3.1.3.6](https://openid.net/specs/openid-connect-core-1_0.html#CodeIDToken)).
    pub(crate) fn half_hash(self, text: &str) -> String {
        match self {
            Self::Es256 | Self::Rs256 | Self::Ps256 => half_hash::<Sha256>(text),
            Self::Es384 | Self::Rs384 | Self::Ps384 => half_hash::<Sha384>(text),
            Self::Es512 | Self::Rs512 | Self::Ps512 | Self::EdDsa => half_hash::<Sha512>(text),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn half_hash<D: Digest>(text: &str) -> String {
    let hash = D::digest(text);
    let (left, _) = hash.split_at(hash.len() / 2);
    URL_SAFE_NO_PAD.encode_to_string(left)
}
