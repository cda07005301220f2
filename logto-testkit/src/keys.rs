//! Signing keys and their rotation, as Logto does it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{
    digest,
    error::Unspecified,
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::json::{Json, Members};

/// The type of a signing key, which determines the algorithm of tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyType {
    /// P-384, `ES384`: Logto's default.
    Ec,
    /// RSA, `RS256`. 2048 bits, where Logto uses 4096, to keep tests fast.
    Rsa,
}

/// RSA keys that providers share, for tests that set up many and rotate their keys: to make one takes longer
/// than everything else.
///
/// The first RSA key of each provider is the same, and so is the second. A provider never has a key twice, and
/// verifies what another one signed.
#[derive(Clone, Default)]
pub struct RsaKeys(Arc<Mutex<Vec<Arc<SigningKey>>>>);

impl RsaKeys {
    fn get(&self, index: usize) -> Result<Arc<SigningKey>, KeyError> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while keys.len() <= index {
            keys.push(Arc::new(SigningKey::generate(KeyType::Rsa)?));
        }
        keys.get(index).cloned().ok_or(KeyError::Cryptography)
    }
}

impl fmt::Debug for RsaKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RsaKeys").finish_non_exhaustive()
    }
}

/// The current signing key, and those that the JWKS lists besides it: the one that comes next and the one
/// before.
pub(crate) struct KeyRing {
    current: Arc<SigningKey>,
    next: Option<Arc<SigningKey>>,
    previous: Option<Arc<SigningKey>>,
    source: KeySource,
}

impl KeyRing {
    pub(crate) fn generate(key_type: KeyType, rsa_keys: RsaKeys) -> Result<Self, KeyError> {
        let mut source = KeySource { rsa_keys, taken: 0 };
        Ok(Self {
            current: source.take(key_type)?,
            next: None,
            previous: None,
            source,
        })
    }

    /// A new key signs from now on, the current one becomes the previous one, and the previous one is
    /// gone: tokens that it signed can no longer be verified.
    pub(crate) fn rotate(&mut self, key_type: KeyType) -> Result<(), KeyError> {
        if self.next.is_some() {
            return Err(KeyError::Staged);
        }
        let fresh = self.source.take(key_type)?;
        self.previous = Some(std::mem::replace(&mut self.current, fresh));
        Ok(())
    }

    /// A new key is listed and signs nothing yet; one that was staged before is gone.
    pub(crate) fn stage(&mut self, key_type: KeyType) -> Result<(), KeyError> {
        self.next = Some(self.source.take(key_type)?);
        Ok(())
    }

    /// The staged key signs from now on; `false` when there is none.
    pub(crate) fn activate(&mut self) -> bool {
        let Some(next) = self.next.take() else {
            return false;
        };
        self.previous = Some(std::mem::replace(&mut self.current, next));
        true
    }

    pub(crate) fn remove_previous(&mut self) {
        self.previous = None;
    }

    pub(crate) fn jwks(&self) -> Members {
        let keys = self.listed().map(|key| key.jwk.clone()).collect();
        Members::new().with("keys", Json::Array(keys))
    }

    /// The algorithms that the listed keys can sign with, in the order of discovery.
    pub(crate) fn algorithms(&self) -> Vec<&'static str> {
        let mut algorithms = Vec::new();
        for key in self.listed() {
            let of_key: &[&'static str] = match key.pair {
                Pair::Ec(_) => &["ES384"],
                Pair::Rsa(_) => &["PS256", "RS256"],
            };
            for algorithm in of_key {
                if !algorithms.contains(algorithm) {
                    algorithms.push(*algorithm);
                }
            }
        }
        algorithms
    }

    /// A compact JWS over `claims` by the current key. The header is `{alg, typ?, kid}`: ID tokens have
    /// no `typ`.
    pub(crate) fn sign(
        &self,
        typ: Option<&'static str>,
        claims: &Members,
    ) -> Result<String, KeyError> {
        let header = Members::new()
            .with("alg", self.current.algorithm())
            .with_some("typ", typ)
            .with("kid", self.current.kid.as_str());
        self.sign_text(&header.to_json(), &claims.to_json())
    }

    /// A compact JWS over any header and payload by the current key.
    pub(crate) fn sign_text(&self, header: &str, payload: &str) -> Result<String, KeyError> {
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(payload));
        let signature = self.current.sign(token.as_bytes())?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }

    /// The claims of a token that one of the listed keys signed; expiry is not looked at.
    pub(crate) fn verify(&self, token: &str) -> Option<serde_json::Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let (_, claims) = signed.split_once('.')?;
        if !self
            .listed()
            .any(|key| key.verify(signed.as_bytes(), &signature))
        {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// `alg` and `kid` of the tokens that the current key signs.
    pub(crate) fn current(&self) -> (&'static str, &str) {
        (self.current.algorithm(), &self.current.kid)
    }

    fn listed(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.current)
            .chain(&self.next)
            .chain(&self.previous)
            .map(|key| &**key)
    }
}

/// Keys that a provider did not have before.
struct KeySource {
    rsa_keys: RsaKeys,
    taken: usize,
}

impl KeySource {
    fn take(&mut self, key_type: KeyType) -> Result<Arc<SigningKey>, KeyError> {
        match key_type {
            KeyType::Ec => SigningKey::generate(key_type).map(Arc::new),
            KeyType::Rsa => {
                let key = self.rsa_keys.get(self.taken)?;
                self.taken += 1;
                Ok(key)
            }
        }
    }
}

/// Why a signing key could not be made, used or rotated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The cryptography library failed.
    #[error("the signing key could not be generated or used")]
    Cryptography,
    /// The keys cannot be rotated at once while another key is staged.
    #[error("another signing key is staged and has to be activated first")]
    Staged,
}

/// Not a `From`, which would be part of the public API.
fn failed(_: Unspecified) -> KeyError {
    KeyError::Cryptography
}

struct SigningKey {
    pair: Pair,
    kid: String,
    jwk: Members,
}

enum Pair {
    Ec(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    fn generate(key_type: KeyType) -> Result<Self, KeyError> {
        match key_type {
            KeyType::Ec => {
                let pair =
                    EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map_err(failed)?;
                let (x, y) =
                    coordinates(pair.public_key().as_ref()).ok_or(KeyError::Cryptography)?;
                let kid = thumbprint(&format!(
                    r#"{{"crv":"P-384","kty":"EC","x":"{x}","y":"{y}"}}"#
                ));
                let jwk = listed("EC", &kid)
                    .with("alg", "ES384")
                    .with("crv", "P-384")
                    .with("x", x)
                    .with("y", y);
                Ok(Self {
                    pair: Pair::Ec(pair),
                    kid,
                    jwk,
                })
            }
            KeyType::Rsa => {
                let pair = RsaKeyPair::generate(rsa::KeySize::Rsa2048).map_err(failed)?;
                let n = modulus(pair.public_key().as_ref()).ok_or(KeyError::Cryptography)?;
                let kid = thumbprint(&format!(r#"{{"e":"AQAB","kty":"RSA","n":"{n}"}}"#));
                let jwk = listed("RSA", &kid).with("e", "AQAB").with("n", n);
                Ok(Self {
                    pair: Pair::Rsa(pair),
                    kid,
                    jwk,
                })
            }
        }
    }

    fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Ec(_) => "ES384",
            Pair::Rsa(_) => "RS256",
        }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        use aws_lc_rs::signature::{
            ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
        };
        match &self.pair {
            Pair::Ec(pair) => UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, pair.public_key())
                .verify(message, signature),
            Pair::Rsa(pair) => {
                UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key())
                    .verify(message, signature)
            }
        }
        .is_ok()
    }
}

fn listed(kty: &'static str, kid: &str) -> Members {
    Members::new()
        .with("kty", kty)
        .with("use", "sig")
        .with("kid", kid)
}

/// The key id: RFC 7638, SHA-256 over the members that define the key.
fn thumbprint(canonical: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
}

/// `x` and `y` of an uncompressed P-384 point: `04`, then 48 bytes each.
fn coordinates(point: &[u8]) -> Option<(String, String)> {
    let (x, y) = (point.get(1..49)?, point.get(49..97)?);
    Some((URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y)))
}

/// The modulus in the DER of a 2048-bit `RSAPublicKey` (RFC 8017 appendix A.1.1): the sequence's header takes
/// four bytes, the integer's header and its leading zero five, and the exponent follows the 256 bytes.
fn modulus(der: &[u8]) -> Option<String> {
    der.get(9..265).map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
}
