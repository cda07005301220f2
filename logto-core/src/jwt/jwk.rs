//! One JSON Web Key.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::{Algorithm, Curve, PublicKey};
use crate::json::Given as _;

/// A key for verifying signatures, as its owner describes it.
pub(super) struct Jwk {
    pub(super) kid: Option<String>,
    pub(super) key: PublicKey,
    /// The only algorithm of the key, if its owner restricts it.
    pub(super) algorithm: Option<Algorithm>,
}

impl Jwk {
    /// Reads a key ([RFC 7517 section 4](https://www.rfc-editor.org/rfc/rfc7517#section-4)). `None` if the
    /// key is not for verifying signatures with a known algorithm, is malformed, or contains its private
    /// part.
    pub(super) fn parse(jwk: &Value) -> Option<Self> {
        let jwk = jwk.as_object()?;
        if is_private(jwk) || !is_for_verification(jwk) {
            return None;
        }
        let key = public_key(jwk)?;
        let algorithm = match jwk.given("alg") {
            None => None,
            Some(name) => Some(fitting_algorithm(name, &key)?),
        };
        let kid = match jwk.given("kid") {
            None => None,
            Some(kid) => Some(kid.as_str()?.to_owned()),
        };
        Some(Self {
            kid,
            key,
            algorithm,
        })
    }
}

fn is_private(jwk: &Map<String, Value>) -> bool {
    ["d", "p", "q", "dp", "dq", "qi", "oth", "k"]
        .iter()
        .any(|member| jwk.given(member).is_some())
}

fn is_for_verification(jwk: &Map<String, Value>) -> bool {
    let use_ok = match jwk.given("use") {
        None => true,
        Some(usage) => usage == "sig",
    };
    let key_ops_ok = match jwk.given("key_ops") {
        None => true,
        Some(operations) => operations
            .as_array()
            .is_some_and(|operations| operations.iter().any(|operation| operation == "verify")),
    };
    use_ok && key_ops_ok
}

fn fitting_algorithm(name: &Value, key: &PublicKey) -> Option<Algorithm> {
    let algorithm = Algorithm::from_name(name.as_str()?)?;
    key.algorithms().contains(&algorithm).then_some(algorithm)
}

fn public_key(jwk: &Map<String, Value>) -> Option<PublicKey> {
    match text(jwk, "kty")? {
        "EC" => {
            let curve = match text(jwk, "crv")? {
                "P-256" => Curve::P256,
                "P-384" => Curve::P384,
                "P-521" => Curve::P521,
                _ => return None,
            };
            let x = bytes(jwk, "x")?;
            let y = bytes(jwk, "y")?;
            let length = curve.coordinate_len();
            (x.len() == length && y.len() == length).then_some(PublicKey::Ec { curve, x, y })
        }
        "RSA" => {
            let n = bytes(jwk, "n")?;
            let e = bytes(jwk, "e")?;
            (is_acceptable_modulus(&n) && is_acceptable_exponent(&e))
                .then_some(PublicKey::Rsa { n, e })
        }
        "OKP" if text(jwk, "crv")? == "Ed25519" => {
            let x = bytes(jwk, "x")?.try_into().ok()?;
            Some(PublicKey::Ed25519 { x })
        }
        _ => None,
    }
}

/// Odd, and long enough to be safe but short enough to be fast: verifying with a huge modulus takes seconds.
fn is_acceptable_modulus(n: &[u8]) -> bool {
    match n {
        [first, .., last] if *first != 0 && last % 2 == 1 => {
            let bits = n.len() * 8 - first.leading_zeros() as usize;
            (2048..=8192).contains(&bits)
        }
        _ => false,
    }
}

/// Odd, from 3 to 2^32.
fn is_acceptable_exponent(e: &[u8]) -> bool {
    let value = e
        .iter()
        .fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
    e.len() <= 4 && e.first() != Some(&0) && value >= 3 && value % 2 == 1
}

fn text<'a>(jwk: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    jwk.given(member)?.as_str()
}

fn bytes(jwk: &Map<String, Value>, member: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text(jwk, member)?).ok()
}
