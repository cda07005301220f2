//! With the instructions of the processor for AES and carry-less products, where it has them; in constant time
//! everywhere.

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};

use super::{Aead, NONCE_LEN, TAG_LEN};

pub(in crate::seal) struct Implementation(LessSafeKey);

impl Aead for Implementation {
    fn new(key: &[u8; 32]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM_SIV, key).ok()?;
        Some(Self(LessSafeKey::new(key)))
    }

    fn seal(&self, nonce: [u8; NONCE_LEN], aad: &[u8], body: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, Aad::from(aad), body);
        tag.ok()?.as_ref().try_into().ok()
    }

    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        body: &[u8],
        tag: &[u8; TAG_LEN],
        opened: &mut [u8],
    ) -> Option<()> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0
            .open_separate_gather(nonce, Aad::from(aad), body, tag, opened)
            .ok()
    }
}
