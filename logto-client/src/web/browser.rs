//! What tells a browser from others: a sealed cookie that binds sign-ins to it, and remembers which of
//! its callbacks were answered.
//!
//! A sign-in itself is sealed into the `state` of its URL (see [`start`](super::start)), so it takes no
//! room in cookies, and any number can be under way in one browser. The cookie is all that the callback
//! needs besides, whatever tab it comes from.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::entropy::{Entropy, EntropyError, random};

/// How many answered callbacks a browser remembers. A code lives for a minute; after that the provider
/// refuses it without ending the grant.
const MAX_ANSWERED: usize = 8;

const ID_LEN: usize = 16;
const FINGERPRINT_LEN: usize = 8;

/// Which browser a sign-in was started in: 128 bits that nobody else knows.
#[derive(Clone, Copy)]
pub(super) struct BrowserId([u8; ID_LEN]);

/// What the cookie holds.
#[derive(Clone)]
pub(super) struct Browser {
    id: BrowserId,
    /// Fingerprints of the states that were answered, the oldest first.
    answered: Vec<[u8; FINGERPRINT_LEN]>,
}

impl BrowserId {
    pub(super) const LEN: usize = ID_LEN;

    pub(super) const fn from_bytes(bytes: [u8; ID_LEN]) -> Self {
        Self(bytes)
    }

    pub(super) const fn as_bytes(&self) -> &[u8; ID_LEN] {
        &self.0
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        bool::from(self.0.ct_eq(&other.0))
    }
}

impl Browser {
    /// A browser that was never here.
    pub(super) fn new(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        random(entropy).map(|id| Self::with_id(BrowserId(id)))
    }

    /// A browser that presents this session cookie, whether or not that still opens.
    ///
    /// Restored tabs start their sign-ins at the same time. A random id for each would leave the browser
    /// with the last one only, and the other tabs with sign-ins of a browser that nobody is. What they
    /// have in common is the session that has ended, and nobody else knows its cookie.
    pub(super) fn of_session(cookie: &str) -> Self {
        let mut hash = Sha256::new_with_prefix(b"logto-rs browser 1");
        hash.update(cookie);
        let mut id = [0; ID_LEN];
        id.copy_from_slice(hash.finalize().get(..ID_LEN).unwrap_or(&[0; ID_LEN]));
        Self::with_id(BrowserId(id))
    }

    const fn with_id(id: BrowserId) -> Self {
        Self {
            id,
            answered: Vec::new(),
        }
    }

    pub(super) const fn id(&self) -> BrowserId {
        self.id
    }

    /// Whether the callback with this `state` was answered.
    pub(super) fn has_answered(&self, state: &str) -> bool {
        self.answered.contains(&fingerprint(state))
    }

    /// Remembers that the callback with this `state` was answered.
    pub(super) fn answer(&mut self, state: &str) {
        if !self.has_answered(state) {
            self.answered.push(fingerprint(state));
            let surplus = self.answered.len().saturating_sub(MAX_ANSWERED);
            self.answered.drain(..surplus);
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.0.to_vec();
        bytes.extend(self.answered.as_flattened());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, answered) = bytes.split_first_chunk()?;
        let answered = answered.chunks_exact(FINGERPRINT_LEN);
        let answered = answered.filter_map(|chunk| chunk.try_into().ok());
        Some(Self {
            id: BrowserId(*id),
            answered: answered.take(MAX_ANSWERED).collect(),
        })
    }
}

fn fingerprint(state: &str) -> [u8; FINGERPRINT_LEN] {
    let digest = Sha256::digest(state);
    let mut fingerprint = [0; FINGERPRINT_LEN];
    fingerprint.copy_from_slice(
        digest
            .get(..FINGERPRINT_LEN)
            .unwrap_or(&[0; FINGERPRINT_LEN]),
    );
    fingerprint
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c8_a_browser_remembers_the_last_callbacks_that_it_answered() {
        let mut browser = Browser::of_session("cookie");
        for n in 0..20 {
            let state = format!("state {n}");
            assert!(!browser.has_answered(&state));
            browser.answer(&state);
            browser.answer(&state);
            browser = Browser::from_bytes(&browser.to_bytes()).unwrap();
            assert!(browser.has_answered(&state));
            assert!(browser.to_bytes().len() <= ID_LEN + MAX_ANSWERED * FINGERPRINT_LEN);
        }
        assert!((12..20).all(|n| browser.has_answered(&format!("state {n}"))));
    }

    #[test]
    fn the_id_follows_from_the_session_cookie_and_from_nothing_else() {
        let id = |cookie: &str| Browser::of_session(cookie).id();
        assert!(id("a").is(&id("a")));
        assert!(!id("a").is(&id("b")));
        assert!(Browser::from_bytes(&[0; ID_LEN - 1]).is_none());
    }
}
