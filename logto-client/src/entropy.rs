//! The source of random bytes.

use std::fmt;

use rand::{RngCore, rngs::OsRng};

use crate::runtime::{MaybeSend, MaybeSync};

/// A source of unpredictable random bytes.
///
/// States, nonces, PKCE verifiers, session ids and the nonces of sealed cookies are made from it. Use a seeded
/// source, which returns the same bytes again, in tests only.
pub trait Entropy: fmt::Debug + MaybeSend + MaybeSync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// If the source fails. The content of `bytes` is not used then.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The random source failed.
#[derive(Debug, thiserror::Error)]
#[error("the random source failed: {0}")]
pub struct EntropyError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The operating system's random source; on WebAssembly, the JavaScript runtime's Web Crypto.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        OsRng
            .try_fill_bytes(bytes)
            .map_err(|error| EntropyError(Box::new(error)))
    }
}

/// An array of random bytes.
pub(crate) fn random<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], EntropyError> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}
