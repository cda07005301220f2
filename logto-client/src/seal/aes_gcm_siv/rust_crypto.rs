//! In pure Rust, for WebAssembly and builds without a C compiler. The crate `aes` uses the processor's
//! instructions on x86-64 and, with a recent compiler, on ARM; elsewhere, WebAssembly included, it computes
//! without tables (fixslicing), in constant time and more slowly.

use aes_gcm_siv::{AeadInPlace, Aes256GcmSiv, KeyInit, Nonce, Tag};

use super::{Aead, NONCE_LEN, TAG_LEN};

pub(in crate::seal) struct Implementation(Aes256GcmSiv);

impl Aead for Implementation {
    fn new(key: &[u8; 32]) -> Option<Self> {
        Some(Self(Aes256GcmSiv::new(key.into())))
    }

    fn seal(&self, nonce: [u8; NONCE_LEN], aad: &[u8], body: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        let tag = self
            .0
            .encrypt_in_place_detached(&Nonce::from(nonce), aad, body);
        tag.ok().map(Into::into)
    }

    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        body: &[u8],
        tag: &[u8; TAG_LEN],
        opened: &mut [u8],
    ) -> Option<()> {
        opened.copy_from_slice(body);
        self.0
            .decrypt_in_place_detached(&Nonce::from(nonce), aad, opened, &Tag::from(*tag))
            .ok()
    }
}
