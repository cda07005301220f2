//! Private keys in this process, for aws-lc-rs.

use std::fmt;

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
        ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
        RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
        RSA_PSS_SHA512, RsaEncoding,
    },
};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};

use super::ClientAssertionSigner;
use crate::{error::SigningError, jwt::Algorithm};

/// A private key for `private_key_jwt`, in this process.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use logto_core::{client_assertion::AwsLcSigner, config::*, jwt::Algorithm};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pem = std::fs::read_to_string("client-key.pem")?;
/// let key = AwsLcSigner::from_pkcs8_pem(&pem, Algorithm::Es256)?.with_key_id("2026-11");
/// let config = LogtoConfig::builder("https://tenant.logto.app", "app-id")
///     .client_authentication(ClientAuthentication::PrivateKeyJwt(Arc::new(key)))
///     .build()?;
/// # Ok(()) }
/// ```
pub struct AwsLcSigner {
    algorithm: Algorithm,
    key_id: Option<String>,
    key: Key,
}

enum Key {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
}

/// Why a private key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PrivateKeyError {
    /// There is no PEM block with a PKCS#8 private key.
    #[error("the text has no `BEGIN PRIVATE KEY` block; convert the key to PKCS#8")]
    Pem,
    /// The key is not PKCS#8, is for another algorithm or curve, or is too weak.
    #[error("the key is not a PKCS#8 private key for {0}")]
    Key(Algorithm),
}

impl AwsLcSigner {
    /// Reads a PKCS#8 private key in PEM ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)).
    ///
    /// # Errors
    /// [`PrivateKeyError`]
    pub fn from_pkcs8_pem(pem: &str, algorithm: Algorithm) -> Result<Self, PrivateKeyError> {
        let der =
            PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| PrivateKeyError::Pem)?;
        Self::from_pkcs8_der(der.secret_pkcs8_der(), algorithm)
    }

    /// Reads a PKCS#8 private key in DER ([RFC 5958](https://www.rfc-editor.org/rfc/rfc5958)).
    ///
    /// # Errors
    /// [`PrivateKeyError::Key`]
    pub fn from_pkcs8_der(der: &[u8], algorithm: Algorithm) -> Result<Self, PrivateKeyError> {
        let ecdsa = |curve: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::from_pkcs8(curve, der).map(Key::Ecdsa)
        };
        let rsa = |encoding: &'static dyn RsaEncoding| {
            RsaKeyPair::from_pkcs8(der).map(|key| Key::Rsa(key, encoding))
        };
        let key = match algorithm {
            Algorithm::Es256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Es512 => ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::Rs256 => rsa(&RSA_PKCS1_SHA256),
            Algorithm::Rs384 => rsa(&RSA_PKCS1_SHA384),
            Algorithm::Rs512 => rsa(&RSA_PKCS1_SHA512),
            Algorithm::Ps256 => rsa(&RSA_PSS_SHA256),
            Algorithm::Ps384 => rsa(&RSA_PSS_SHA384),
            Algorithm::Ps512 => rsa(&RSA_PSS_SHA512),
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(der).map(Key::Ed25519),
        };
        Ok(Self {
            algorithm,
            key_id: None,
            key: key.map_err(|_| PrivateKeyError::Key(algorithm))?,
        })
    }

    /// The id by which the provider knows the public key (`kid`).
    #[must_use]
    pub fn with_key_id(mut self, key_id: impl Into<String>) -> Self {
        self.key_id = Some(key_id.into());
        self
    }
}

impl ClientAssertionSigner for AwsLcSigner {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// ECDSA and RSA-PSS use the library's own random generator.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Ecdsa(key) => key.sign(&random, message).map(|it| it.as_ref().to_vec()),
            Key::Ed25519(key) => key.try_sign(message).map(|it| it.as_ref().to_vec()),
            Key::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &random, message, &mut signature)
                    .map(|()| signature)
            }
        };
        signature.map_err(|_| SigningError("signing with the private key failed".to_owned()))
    }
}

impl fmt::Debug for AwsLcSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsLcSigner")
            .field("algorithm", &self.algorithm)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
