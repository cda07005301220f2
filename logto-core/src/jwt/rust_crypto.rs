//! Verifying signatures with the RustCrypto crates.

use std::{fmt, sync::Arc};

use rsa::{
    BigUint, RsaPublicKey, pkcs1v15, pss,
    sha2::{Sha256, Sha384, Sha512},
    signature::Verifier,
};

use super::{
    Algorithm,
    verifier::{Curve, JwsVerifier, PublicKey, VerifyingKey, uncompressed_point},
};

/// Verifies signatures with the pure Rust crates of [RustCrypto](https://github.com/RustCrypto), for
/// WebAssembly and for builds without a C compiler. EdDSA is not supported: Ed25519 keys are left out of the
/// set.
///
/// It only handles public keys, so the timing of the `rsa` crate's private-key operations
/// ([RUSTSEC-2023-0071](https://rustsec.org/advisories/RUSTSEC-2023-0071)) does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct RustCryptoVerifier;

impl JwsVerifier for RustCryptoVerifier {
    fn prepare(&self, algorithm: Algorithm, key: &PublicKey) -> Option<Arc<dyn VerifyingKey>> {
        match (algorithm, key) {
            (
                Algorithm::Es256,
                PublicKey::Ec {
                    curve: Curve::P256,
                    x,
                    y,
                },
            ) => {
                let point = uncompressed_point(x, y);
                ready::<_, p256::ecdsa::Signature>(
                    algorithm,
                    p256::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?,
                )
            }
            (
                Algorithm::Es384,
                PublicKey::Ec {
                    curve: Curve::P384,
                    x,
                    y,
                },
            ) => {
                let point = uncompressed_point(x, y);
                ready::<_, p384::ecdsa::Signature>(
                    algorithm,
                    p384::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?,
                )
            }
            (
                Algorithm::Es512,
                PublicKey::Ec {
                    curve: Curve::P521,
                    x,
                    y,
                },
            ) => {
                let point = uncompressed_point(x, y);
                ready::<_, p521::ecdsa::Signature>(
                    algorithm,
                    p521::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok()?,
                )
            }
            (algorithm, PublicKey::Rsa { n, e }) => prepare_rsa(algorithm, n, e),
            _ => None,
        }
    }
}

fn prepare_rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Option<Arc<dyn VerifyingKey>> {
    let n = BigUint::from_bytes_be(n);
    let e = BigUint::from_bytes_be(e);
    let key = RsaPublicKey::new_with_max_size(n, e, 8192).ok()?;
    match algorithm {
        Algorithm::Rs256 => {
            ready::<_, pkcs1v15::Signature>(algorithm, pkcs1v15::VerifyingKey::<Sha256>::new(key))
        }
        Algorithm::Rs384 => {
            ready::<_, pkcs1v15::Signature>(algorithm, pkcs1v15::VerifyingKey::<Sha384>::new(key))
        }
        Algorithm::Rs512 => {
            ready::<_, pkcs1v15::Signature>(algorithm, pkcs1v15::VerifyingKey::<Sha512>::new(key))
        }
        Algorithm::Ps256 => {
            ready::<_, pss::Signature>(algorithm, pss::VerifyingKey::<Sha256>::new(key))
        }
        Algorithm::Ps384 => {
            ready::<_, pss::Signature>(algorithm, pss::VerifyingKey::<Sha384>::new(key))
        }
        Algorithm::Ps512 => {
            ready::<_, pss::Signature>(algorithm, pss::VerifyingKey::<Sha512>::new(key))
        }
        _ => None,
    }
}

fn ready<K, S>(algorithm: Algorithm, key: K) -> Option<Arc<dyn VerifyingKey>>
where
    K: Verifier<S> + Send + Sync + 'static,
    S: for<'a> TryFrom<&'a [u8]> + 'static,
{
    let verify = move |message: &[u8], signature: &[u8]| {
        S::try_from(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
    };
    Some(Arc::new(Key { algorithm, verify }))
}

struct Key<F> {
    algorithm: Algorithm,
    verify: F,
}

impl<F> VerifyingKey for Key<F>
where
    F: Fn(&[u8], &[u8]) -> bool + Send + Sync,
{
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        (self.verify)(message, signature)
    }
}

impl<F> fmt::Debug for Key<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RustCrypto({})", self.algorithm)
    }
}
