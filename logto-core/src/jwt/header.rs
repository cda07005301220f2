//! The compact serialization and the header of a signed token.

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Algorithm;
use crate::error::TokenError;
use crate::json::{self, JsonError, Members};

/// The header parameters that this library uses. Keys that a header contains or refers to (`jwk`, `jku`,
/// `x5c`, `x5u`) are ignored: otherwise an attacker could choose the key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Header {
    /// `alg`
    pub algorithm: Algorithm,
    /// `kid`
    pub kid: Option<String>,
    /// `typ`
    pub typ: Option<String>,
}

/// The three encoded parts of a token, and the text that is signed.
pub(super) struct Compact<'a> {
    pub(super) header: &'a str,
    pub(super) payload: &'a str,
    pub(super) signature: &'a str,
    pub(super) signed: &'a str,
}

impl<'a> Compact<'a> {
    /// Splits a token in time that does not depend on the number of dots in it.
    pub(super) fn split(token: &'a str, max_len: usize) -> Result<Self, TokenError> {
        if token.len() > max_len {
            return Err(TokenError::TooLong { limit: max_len });
        }
        let parts = token.rsplit_once('.').and_then(|(signed, signature)| {
            signed
                .split_once('.')
                .map(|(header, payload)| (header, payload, signature, signed))
        });
        match parts {
            Some((header, payload, signature, signed)) if !payload.contains('.') => Ok(Self {
                header,
                payload,
                signature,
                signed,
            }),
            _ => Err(TokenError::Malformed {
                part: "token",
                what: "does not have the three parts of a signed JWT",
            }),
        }
    }
}

/// Decodes base64url as in RFC 7515 section 2: no padding, no white space, no stray bits. Tolerance would
/// give one token several spellings.
pub(super) fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode_to_vec(text)
        .map_err(|_| TokenError::Malformed {
            part,
            what: "is not base64url without padding",
        })
}

/// The members of the JSON object in a part.
pub(super) fn members<'a>(part: &'static str, json: &'a [u8]) -> Result<Members<'a>, TokenError> {
    json::parse_members(json).map_err(|error| malformed(part, error))
}

pub(super) fn malformed(part: &'static str, error: JsonError) -> TokenError {
    TokenError::Malformed {
        part,
        what: error.what(),
    }
}

impl Header {
    pub(super) fn parse(text: &str) -> Result<Self, TokenError> {
        let text = decode("header", text)?;
        let members = members("header", &text)?;
        for extension in ["crit", "b64", "zip"] {
            if members.get(extension).is_some() {
                return Err(TokenError::Extension(extension));
            }
        }
        let name =
            string(&members, "alg", "has an `alg` that is not a string")?.unwrap_or_default();
        let algorithm =
            Algorithm::from_name(name).ok_or_else(|| TokenError::unsupported_algorithm(name))?;
        let kid = string(&members, "kid", "has a `kid` that is not a string")?;
        let typ = string(&members, "typ", "has a `typ` that is not a string")?;
        Ok(Self {
            algorithm,
            kid: kid.map(str::to_owned),
            typ: typ.map(str::to_owned),
        })
    }
}

fn string<'m>(
    members: &'m Members<'_>,
    name: &str,
    otherwise: &'static str,
) -> Result<Option<&'m str>, TokenError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(TokenError::Malformed {
            part: "header",
            what: otherwise,
        }),
    }
}
