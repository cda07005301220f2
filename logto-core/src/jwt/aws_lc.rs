//! Verifying signatures with aws-lc-rs.

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
        ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
        RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
        RSA_PSS_2048_8192_SHA512, RsaParameters,
    },
};

use super::{
    Algorithm,
    verifier::{Curve, JwsVerifier, PublicKey, VerifyingKey, uncompressed_point},
};

/// Verifies signatures with [aws-lc-rs](https://docs.rs/aws-lc-rs): all algorithms, and the fastest verifier
/// on native targets. Requires a C compiler at build time.
#[derive(Clone, Copy, Debug, Default)]
pub struct AwsLcVerifier;

impl JwsVerifier for AwsLcVerifier {
    fn prepare(&self, algorithm: Algorithm, key: &PublicKey) -> Option<Arc<dyn VerifyingKey>> {
        let key = parse(algorithm, key)?;
        Some(Arc::new(Key { algorithm, key }))
    }
}

fn parse(algorithm: Algorithm, key: &PublicKey) -> Option<ParsedPublicKey> {
    match (algorithm, key) {
        (
            Algorithm::Es256,
            PublicKey::Ec {
                curve: Curve::P256,
                x,
                y,
            },
        ) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, uncompressed_point(x, y)).ok(),
        (
            Algorithm::Es384,
            PublicKey::Ec {
                curve: Curve::P384,
                x,
                y,
            },
        ) => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, uncompressed_point(x, y)).ok(),
        (
            Algorithm::Es512,
            PublicKey::Ec {
                curve: Curve::P521,
                x,
                y,
            },
        ) => ParsedPublicKey::new(&ECDSA_P521_SHA512_FIXED, uncompressed_point(x, y)).ok(),
        (Algorithm::EdDsa, PublicKey::Ed25519 { x }) => ParsedPublicKey::new(&ED25519, x).ok(),
        (algorithm, PublicKey::Rsa { n, e }) => PublicKeyComponents { n, e }
            .to_parsed_public_key(rsa_parameters(algorithm)?)
            .ok(),
        _ => None,
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

struct Key {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl VerifyingKey for Key {
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.key.verify_sig(message, signature).is_ok()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsLc({})", self.algorithm)
    }
}
