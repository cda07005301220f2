//! The registered public keys of applications, for what they sign.

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
        RsaParameters, UnparsedPublicKey, VerificationAlgorithm,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// A public key of a type that Logto's discovery document lists an algorithm for.
pub(crate) struct PublicKey {
    kid: Option<String>,
    alg: Option<String>,
    material: Material,
}

enum Material {
    /// An uncompressed point on P-256.
    Ec(Vec<u8>),
    Ed25519(Vec<u8>),
    Rsa(PublicKeyComponents<Vec<u8>>),
}

impl PublicKey {
    /// Reads a JWK (RFC 7517); `None` for another type or curve, or when a member is missing.
    pub(crate) fn from_jwk(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name)?.as_str();
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let fixed = |name: &str, length| bytes(name).filter(|bytes| bytes.len() == length);
        let material = match (text("kty")?, text("crv")) {
            ("EC", Some("P-256")) => {
                Material::Ec([vec![4], fixed("x", 32)?, fixed("y", 32)?].concat())
            }
            ("OKP", Some("Ed25519")) => Material::Ed25519(fixed("x", 32)?),
            ("RSA", _) => Material::Rsa(PublicKeyComponents {
                n: bytes("n")?,
                e: bytes("e")?,
            }),
            _ => return None,
        };
        Some(Self {
            kid: text("kid").map(str::to_owned),
            alg: text("alg").map(str::to_owned),
            material,
        })
    }

    /// Whether this key made the signature of a JWS with these header members.
    pub(crate) fn verifies(
        &self,
        alg: &str,
        kid: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        let is_meant = self.alg.as_deref().is_none_or(|own| own == alg)
            && kid.is_none_or(|kid| self.kid.as_deref() == Some(kid));
        is_meant
            && match (&self.material, alg) {
                (Material::Ec(point), "ES256") => {
                    signed(&ECDSA_P256_SHA256_FIXED, point, message, signature)
                }
                (Material::Ed25519(point), "EdDSA" | "Ed25519") => {
                    signed(&ED25519, point, message, signature)
                }
                (Material::Rsa(key), "RS256") => {
                    signed_with_rsa(&RSA_PKCS1_2048_8192_SHA256, key, message, signature)
                }
                (Material::Rsa(key), "PS256") => {
                    signed_with_rsa(&RSA_PSS_2048_8192_SHA256, key, message, signature)
                }
                _ => false,
            }
    }
}

fn signed(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    message: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, key)
        .verify(message, signature)
        .is_ok()
}

fn signed_with_rsa(
    parameters: &RsaParameters,
    key: &PublicKeyComponents<Vec<u8>>,
    message: &[u8],
    signature: &[u8],
) -> bool {
    key.verify(parameters, message, signature).is_ok()
}
