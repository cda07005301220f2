//! A token as bytes: the parts between its dots, decoded and compressed.

use std::{fmt, marker::PhantomData};

use base64_simd::URL_SAFE_NO_PAD;
use logto_core::Secret;
use miniz_oxide::{deflate::compress_to_vec, inflate::decompress_to_vec_with_limit};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
    ser::SerializeSeq,
};
use serde_bytes::Bytes;
use zeroize::{Zeroize, Zeroizing};

/// The parts of tokens from this length on are compressed.
const COMPRESS_FROM: usize = 1_024;
/// A longer part is not compressed, because readers refuse to decompress beyond this length.
const COMPRESS_UP_TO: usize = 1 << 20;
const COMPRESSION_LEVEL: u8 = 6;
/// The usual ratio of unpacked to compressed length. Text of claims rarely compresses better.
const USUAL_COMPRESSION_RATIO: usize = 32;

/// The longest length of a packed token that is not unpacked, unless it is compressed better than usual.
pub(super) struct Skimmed(pub(super) usize);

/// A list of names that is not kept.
pub(super) struct Names;

impl<'de> Deserialize<'de> for Skimmed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut len = 0_usize;
        let add = |part: Part<'de>| len = len.saturating_add(part.usual_len());
        deserializer.deserialize_seq(Each(add, PhantomData))?;
        Ok(Self(len))
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Each(|_: &'de str| {}, PhantomData))?;
        Ok(Self)
    }
}

/// Visits each element of a sequence and keeps none.
struct Each<T, F>(F, PhantomData<T>);

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            (self.0)(element);
        }
        Ok(())
    }
}

/// A token that is written packed.
pub(super) struct Packed<'a>(pub(super) &'a str);

/// A token that is read packed.
pub(super) struct Unpacked(pub(super) Secret);

/// A part between the dots of a token.
#[derive(Serialize, Deserialize)]
enum Part<'a> {
    /// Unchanged.
    Text(&'a str),
    /// Base64url, decoded.
    Binary(#[serde(borrow)] &'a Bytes),
    /// Base64url, decoded and compressed.
    Compressed(#[serde(borrow)] &'a Bytes),
}

impl Part<'_> {
    /// The approximate length of the part in a token.
    fn usual_len(&self) -> usize {
        match self {
            Self::Compressed(bytes) => bytes.len().saturating_mul(USUAL_COMPRESSION_RATIO),
            Self::Text(_) | Self::Binary(_) => self.unpacked_len(),
        }
    }

    /// The length of the part in the token, in bytes, including the dot after it. Known only if it is not
    /// compressed.
    fn unpacked_len(&self) -> usize {
        1 + match self {
            Self::Text(text) => text.len(),
            Self::Binary(binary) => URL_SAFE_NO_PAD.encoded_length(binary.len()),
            Self::Compressed(_) => 0,
        }
    }
}

impl Serialize for Packed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.0.split('.');
        let mut sequence = serializer.serialize_seq(Some(parts.clone().count()))?;
        for part in parts {
            let binary = URL_SAFE_NO_PAD.decode_to_vec(part).map(Zeroizing::new);
            let compressed = match &binary {
                Ok(binary) if (COMPRESS_FROM..=COMPRESS_UP_TO).contains(&binary.len()) => {
                    let compressed = Zeroizing::new(compress_to_vec(binary, COMPRESSION_LEVEL));
                    Some(compressed).filter(|compressed| compressed.len() < binary.len())
                }
                _ => None,
            };
            sequence.serialize_element(&match (&compressed, &binary) {
                (Some(compressed), _) => Part::Compressed(Bytes::new(compressed)),
                (None, Ok(binary)) => Part::Binary(Bytes::new(binary)),
                (None, Err(_)) => Part::Text(part),
            })?;
        }
        sequence.end()
    }
}

impl<'de> Deserialize<'de> for Unpacked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let parts = Vec::<Part<'de>>::deserialize(deserializer)?;
        let len = parts.iter().map(Part::unpacked_len);
        let mut token = Zeroizing::new(String::with_capacity(len.sum()));
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                token.push('.');
            }
            match part {
                Part::Text(text) => token.push_str(text),
                Part::Binary(binary) => URL_SAFE_NO_PAD.encode_append(binary, &mut *token),
                Part::Compressed(compressed) => {
                    let mut binary = decompress_to_vec_with_limit(compressed, COMPRESS_UP_TO)
                        .map_err(|_| de::Error::custom("a part that cannot be decompressed"))?;
                    URL_SAFE_NO_PAD.encode_append(&binary, &mut *token);
                    binary.zeroize();
                }
            }
        }
        Ok(Self(std::mem::take(&mut *token).into()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn f33_a_part_that_would_fill_the_memory_is_no_session() {
        let bomb = compress_to_vec(&vec![b' '; COMPRESS_UP_TO + 1], COMPRESSION_LEVEL);
        let sequence =
            postcard::to_allocvec(&[Part::Compressed(Bytes::new(&bomb))].as_slice()).unwrap();
        assert!(postcard::from_bytes::<Unpacked>(&sequence).is_err());
    }

    #[test]
    fn tokens_of_any_form_come_back_as_they_were() {
        let payload = |json: &str| URL_SAFE_NO_PAD.encode_to_string(json);
        let long = format!(r#"{{"text":"{}"}}"#, "long ".repeat(1_000));
        for token in [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            "opaque token with spaces".to_owned(),
            "AB".to_owned(),
            "not canonical: AC".to_owned(),
            "AAAA====".to_owned(),
            format!("a.{}.b", payload(&long)),
            "A".repeat(10_000),
            "\u{e4}\u{20ac}".to_owned(),
        ] {
            let packed = postcard::to_allocvec(&Packed(&token)).unwrap();
            let unpacked: Unpacked = postcard::from_bytes(&packed).unwrap();
            assert_eq!(unpacked.0.expose(), token);
        }
    }

    proptest! {
        #[test]
        fn any_token_comes_back_as_it_was(token in "[A-Za-z0-9._~+/=-]{0,300}") {
            let packed = postcard::to_allocvec(&Packed(&token)).unwrap();
            let unpacked: Unpacked = postcard::from_bytes(&packed).unwrap();
            prop_assert_eq!(unpacked.0.expose(), &token);
        }
    }
}
