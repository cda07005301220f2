//! Where randomness comes from.

use std::fmt;

use rand::{RngCore, rngs::OsRng};

/// A source of random bytes that nobody can guess.
///
/// States, nonces, PKCE verifiers, session names and the nonces of sealed cookies are made from it.
/// Tests give a seeded one to see the same bytes twice; a program never should.
pub trait Entropy: fmt::Debug + Send + Sync {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// When the source fails; nothing is then made from what it left in `bytes`.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError>;
}

/// The source failed.
#[derive(Debug, thiserror::Error)]
#[error("no randomness to be had: {0}")]
pub struct EntropyError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// The operating system's random source.
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
