//! The identity of a browser: a sealed cookie that binds sign-ins to it, and remembers the results of its
//! callbacks.
//!
//! A sign-in itself is sealed into the `state` of its URL (see [`start`](super::start)), so it takes no space
//! in cookies, and one browser can have any number of pending sign-ins. The cookie is all that a callback
//! needs in addition, in any tab.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::entropy::{Entropy, EntropyError, random};

/// How many callbacks a browser remembers. A code lives for a minute; after that the provider refuses it
/// without ending the grant, and the sign-in starts again.
const MAX_ENDED: usize = 8;

const ID_LEN: usize = 16;
const FINGERPRINT_LEN: usize = 7;
const ENDED_LEN: usize = 1 + FINGERPRINT_LEN;

/// The browser in which a sign-in was started: 128 secret random bits.
#[derive(Clone, Copy)]
pub(super) struct BrowserId([u8; ID_LEN]);

/// The content of the cookie.
#[derive(Clone)]
pub(super) struct Browser {
    id: BrowserId,
    /// The completed callbacks, the oldest first.
    ended: Vec<Ended>,
}

/// A completed callback.
#[derive(Clone, Copy)]
struct Ended {
    /// The fingerprint of its state.
    fingerprint: [u8; FINGERPRINT_LEN],
    end: End,
}

/// How a callback ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The user is signed in.
    SignedIn = 1,
    /// The user cancelled at Logto.
    Cancelled = 2,
    /// Its code may be spent, and no user is signed in.
    Interrupted = 3,
    /// It was refused, or another attempt would end in the same way.
    Refused = 4,
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
    /// A browser without a cookie.
    pub(super) fn new(entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        random(entropy).map(|id| Self::with_id(BrowserId(id)))
    }

    /// A browser that presents this session cookie, whether or not the cookie still opens a session.
    ///
    /// Restored tabs start their sign-ins at the same time. With a random id for each, the browser would keep
    /// only the last one, and the sign-ins of the other tabs would belong to no browser. The id is therefore
    /// derived from what the tabs share and no other browser knows: the cookie of the session that has ended.
    pub(super) fn of_session(cookie: impl AsRef<[u8]>) -> Self {
        let mut hash = Sha256::new_with_prefix(b"logto-rs browser 1");
        hash.update(cookie);
        let mut id = [0; ID_LEN];
        id.copy_from_slice(hash.finalize().get(..ID_LEN).unwrap_or(&[0; ID_LEN]));
        Self::with_id(BrowserId(id))
    }

    const fn with_id(id: BrowserId) -> Self {
        Self {
            id,
            ended: Vec::new(),
        }
    }

    pub(super) const fn id(&self) -> BrowserId {
        self.id
    }

    /// How the callback with this `state` ended, if it did.
    pub(super) fn end_of(&self, state: &str) -> Option<End> {
        let fingerprint = fingerprint(state);
        let mut ended = self.ended.iter();
        ended
            .find(|ended| ended.fingerprint == fingerprint)
            .map(|ended| ended.end)
    }

    /// Records how the callback with this `state` ended.
    pub(super) fn end(&mut self, state: &str, end: End) {
        let fingerprint = fingerprint(state);
        self.ended.retain(|ended| ended.fingerprint != fingerprint);
        self.ended.push(Ended { fingerprint, end });
        let surplus = self.ended.len().saturating_sub(MAX_ENDED);
        self.ended.drain(..surplus);
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.id.0.to_vec();
        for ended in &self.ended {
            bytes.push(ended.end as u8);
            bytes.extend(ended.fingerprint);
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, ended) = bytes.split_first_chunk()?;
        let ended = ended.chunks_exact(ENDED_LEN).filter_map(Ended::from_bytes);
        Some(Self {
            id: BrowserId(*id),
            ended: ended.take(MAX_ENDED).collect(),
        })
    }
}

impl Ended {
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (end, fingerprint) = bytes.split_first()?;
        Some(Self {
            fingerprint: fingerprint.try_into().ok()?,
            end: End::from_byte(*end)?,
        })
    }
}

impl End {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::SignedIn),
            2 => Some(Self::Cancelled),
            3 => Some(Self::Interrupted),
            4 => Some(Self::Refused),
            _ => None,
        }
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
    fn c8_a_browser_remembers_how_its_last_callbacks_ended() {
        let ends = [
            End::SignedIn,
            End::Cancelled,
            End::Interrupted,
            End::Refused,
        ];
        let mut browser = Browser::of_session("cookie");
        for n in 0..20 {
            let (state, end) = (format!("state {n}"), ends[n % 4]);
            assert_eq!(browser.end_of(&state), None);
            browser.end(&state, End::Refused);
            browser.end(&state, end);
            browser = Browser::from_bytes(&browser.to_bytes()).unwrap();
            assert_eq!(browser.end_of(&state), Some(end));
            assert!(browser.to_bytes().len() <= ID_LEN + MAX_ENDED * ENDED_LEN);
        }
        for n in 12..20 {
            assert_eq!(browser.end_of(&format!("state {n}")), Some(ends[n % 4]));
        }
    }

    #[test]
    fn the_id_follows_from_the_session_cookie_and_from_nothing_else() {
        let id = |cookie: &str| Browser::of_session(cookie).id();
        assert!(id("a").is(&id("a")));
        assert!(!id("a").is(&id("b")));
        assert!(Browser::from_bytes(&[0; ID_LEN - 1]).is_none());
    }
}
