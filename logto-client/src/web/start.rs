//! A started sign-in, sealed into the `state` that Logto returns.
//!
//! Neither this process nor the browser stores it, so nothing can be lost between the start and the callback,
//! however many tabs start one at once. `state` keeps its purpose: it cannot be forged without the key, each
//! one is unique, and it is valid only in the browser that it was created for, because it contains the
//! [`BrowserId`] of the browser's cookie.
//!
//! It is as short as possible. The secrets of the sign-in (verifier, nonce, session id) are derived from one
//! seed, and settings that equal the configuration are left out; a fingerprint tells whether the
//! configuration is still the same at the callback. The [`SignIn`] in it counts how often the same sign-in
//! was started again by itself.

use hkdf::Hkdf;
use logto_core::{LogtoConfig, SignIn, UnixTime, sign_in::SIGN_IN_RANDOM_BYTES};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::browser::BrowserId;

const FORMAT: u8 = 2;
const SEED_LEN: usize = 32;
const TIME_LEN: usize = 8;
const FINGERPRINT_LEN: usize = 8;

/// A started sign-in, and its browser.
#[derive(Clone)]
pub(super) struct Start {
    pub(super) browser: BrowserId,
    pub(super) seed: [u8; SEED_LEN],
    pub(super) at: UnixTime,
    /// Whether the configuration still requests the same, for the host of the request. A code is bound to the
    /// redirect URI, and the session to the scopes and resources, so that otherwise the sign-in cannot be
    /// completed.
    pub(super) is_current: bool,
    pub(super) sign_in: SignIn,
}

impl Start {
    /// The random bytes of the sign-in.
    pub(super) fn random(&self) -> Zeroizing<[u8; SIGN_IN_RANDOM_BYTES]> {
        let mut random = Zeroizing::new([0; SIGN_IN_RANDOM_BYTES]);
        let hkdf = Hkdf::<Sha256>::new(None, &self.seed);
        let expanded = hkdf.expand(b"logto-rs sign-in 1", random.as_mut_slice());
        debug_assert!(expanded.is_ok(), "HKDF-SHA256 expands to up to 8,160 bytes");
        random
    }

    pub(super) fn encode(
        &self,
        config: &LogtoConfig,
    ) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        let mut bytes = Zeroizing::new(vec![FORMAT]);
        bytes.extend_from_slice(self.browser.as_bytes());
        bytes.extend_from_slice(&self.seed);
        bytes.extend_from_slice(&self.at.as_secs().to_be_bytes());
        bytes.extend_from_slice(&fingerprint(config));
        serde_json::to_writer(&mut *bytes, &self.sign_in)?;
        Ok(bytes)
    }

    /// Reads what [`encode`](Self::encode) wrote.
    pub(super) fn decode(bytes: &[u8], config: &LogtoConfig) -> Option<Self> {
        let ([FORMAT], rest) = bytes.split_first_chunk()? else {
            return None;
        };
        let (browser, rest) = rest.split_first_chunk::<{ BrowserId::LEN }>()?;
        let (seed, rest) = rest.split_first_chunk::<SEED_LEN>()?;
        let (at, rest) = rest.split_first_chunk::<TIME_LEN>()?;
        let (asked, sign_in) = rest.split_first_chunk::<FINGERPRINT_LEN>()?;
        Some(Self {
            browser: BrowserId::from_bytes(*browser),
            seed: *seed,
            at: UnixTime::from_secs(i64::from_be_bytes(*at)),
            is_current: *asked == fingerprint(config),
            sign_in: serde_json::from_slice(sign_in).ok()?,
        })
    }
}

/// A fingerprint of the settings that a sign-in takes from the configuration.
fn fingerprint(config: &LogtoConfig) -> [u8; FINGERPRINT_LEN] {
    let redirect_uri = config.redirect_uri().map_or("", url::Url::as_str);
    let mut hash = Sha256::new_with_prefix(redirect_uri);
    for list in [config.scopes(), config.resources()] {
        for item in list {
            // Neither may contain it.
            hash.update(b" ");
            hash.update(item);
        }
        hash.update(b"\n");
    }
    let mut fingerprint = [0; FINGERPRINT_LEN];
    let digest = hash.finalize();
    fingerprint.copy_from_slice(
        digest
            .get(..FINGERPRINT_LEN)
            .unwrap_or(&[0; FINGERPRINT_LEN]),
    );
    fingerprint
}
