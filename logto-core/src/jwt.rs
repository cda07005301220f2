//! Signed tokens: the part of JOSE that Logto's tokens need.
//!
//! [`KeySet`] reads a provider's keys with a [`JwsVerifier`]; [`verify`] checks a token against them. The
//! claims are checked for each type of token:
//! [`IdTokenVerification`](crate::id_token::IdTokenVerification),
//! [`AccessTokenVerification`](crate::api_token::AccessTokenVerification),
//! [`LogoutTokenVerification`](crate::logout_token::LogoutTokenVerification).
//!
//! Encryption, compression, the JSON serializations, symmetric algorithms and keys from a token's own header
//! are not supported ([RFC 8725](https://www.rfc-editor.org/rfc/rfc8725)).

mod algorithm;
#[cfg(feature = "aws-lc")]
mod aws_lc;
mod decoded;
mod header;
mod jwk;
mod keys;
#[cfg(feature = "rust-crypto")]
mod rust_crypto;
mod validity;
mod verifier;

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::error::TokenError;

#[cfg(feature = "aws-lc")]
pub use self::aws_lc::AwsLcVerifier;
#[cfg(feature = "rust-crypto")]
pub use self::rust_crypto::RustCryptoVerifier;
pub use self::{
    algorithm::Algorithm,
    header::Header,
    keys::{KeySet, KeySetError},
    verifier::{Curve, JwsVerifier, PublicKey, VerifyingKey},
};
pub(crate) use self::{
    decoded::{Decoded, unverified_claims, unverified_payload},
    validity::Validity,
};

/// The longest accepted access token or logout token, in bytes. Such tokens are sent in an HTTP header or
/// form, and servers have lower limits.
pub const MAX_TOKEN_LEN: usize = 16 * 1024;

/// The longest accepted ID token, in bytes. The ID token of a user in 1,000 organizations has about 40 KiB.
pub const MAX_ID_TOKEN_LEN: usize = 64 * 1024;

/// The types of tokens, none of which is accepted as another
/// ([RFC 8725 section 3.11](https://www.rfc-editor.org/rfc/rfc8725#section-3.11)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenType {
    /// An ID token: no `typ` (as Logto does) or `JWT`.
    IdToken,
    /// An access token of [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068): `at+jwt`.
    AccessToken,
    /// A back-channel logout token: `logout+jwt`.
    LogoutToken,
}

impl TokenType {
    fn name(self) -> &'static str {
        match self {
            Self::IdToken => "an ID token",
            Self::AccessToken => "an access token",
            Self::LogoutToken => "a logout token",
        }
    }

    fn admits(self, typ: Option<&str>) -> bool {
        let one_of = |names: &[&str]| {
            typ.is_some_and(|typ| names.iter().any(|name| typ.eq_ignore_ascii_case(name)))
        };
        match self {
            Self::IdToken => typ.is_none() || one_of(&["JWT"]),
            Self::AccessToken => one_of(&["at+jwt", "application/at+jwt"]),
            Self::LogoutToken => one_of(&["logout+jwt", "application/logout+jwt"]),
        }
    }
}

/// A token that a key of the provider signed.
#[derive(Clone)]
#[non_exhaustive]
pub struct VerifiedJwt {
    /// The header.
    pub header: Header,
    /// The claims. They are signed but not checked: issuer, audience and expiry remain to be compared.
    pub claims: Map<String, Value>,
}

impl fmt::Debug for VerifiedJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedJwt")
            .field("header", &self.header)
            .finish_non_exhaustive()
    }
}

/// Checks that `token` is a JWT of the `expected` type, at most `max_len` bytes long, and signed by one of
/// `keys`.
///
/// # Errors
/// The first check that fails.
pub fn verify(
    token: &str,
    keys: &KeySet,
    expected: TokenType,
    max_len: usize,
) -> Result<VerifiedJwt, TokenError> {
    UnverifiedJwt::parse(token, expected, max_len)?.verify(keys)
}

/// A well-formed token of the right type whose signature is **not verified**: anyone may have written it. Use
/// it to choose the issuer's keys, and for nothing else before [`UnverifiedJwt::verify`].
pub struct UnverifiedJwt<'a> {
    decoded: Decoded<'a>,
    claims: Map<String, Value>,
}

impl<'a> UnverifiedJwt<'a> {
    /// Reads a token without verifying its signature.
    ///
    /// # Errors
    /// [`TokenError::TooLong`], [`TokenError::Malformed`], [`TokenError::UnsupportedAlgorithm`],
    /// [`TokenError::Extension`] or [`TokenError::WrongType`].
    pub fn parse(token: &'a str, expected: TokenType, max_len: usize) -> Result<Self, TokenError> {
        let decoded = Decoded::parse(token, expected, max_len)?;
        let claims = decoded.payload.object()?;
        Ok(Self { decoded, claims })
    }

    /// The algorithm of the signature.
    pub fn unverified_algorithm(&self) -> Algorithm {
        self.decoded.header.algorithm
    }

    /// The `kid` of the key that the token claims to be signed with.
    pub fn unverified_kid(&self) -> Option<&str> {
        self.decoded.header.kid.as_deref()
    }

    /// The issuer that the token claims to be from, if it is a string.
    pub fn unverified_issuer(&self) -> Option<&str> {
        self.claims.get("iss")?.as_str()
    }

    /// Verifies the signature.
    ///
    /// # Errors
    /// [`TokenError::KeyNotFound`], [`TokenError::AmbiguousKey`], [`TokenError::KeyMismatch`] or
    /// [`TokenError::BadSignature`].
    pub fn verify(self, keys: &KeySet) -> Result<VerifiedJwt, TokenError> {
        self.decoded.check_signature(keys)?;
        Ok(VerifiedJwt {
            header: self.decoded.header,
            claims: self.claims,
        })
    }
}

impl fmt::Debug for UnverifiedJwt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedJwt")
            .field("header", &self.decoded.header)
            .finish_non_exhaustive()
    }
}

/// Whether a token has a signature, valid or not.
pub(crate) fn is_signed(token: &str) -> bool {
    !token.ends_with('.')
}

/// A token with these claims and the header of `token`. It has no signature, so that it is never mistaken for
/// an issued one.
pub(crate) fn without_signature(token: &str, claims: &Map<String, Value>) -> String {
    let header = token.split('.').next().unwrap_or_default();
    let payload = URL_SAFE_NO_PAD.encode_to_string(Value::from(claims.clone()).to_string());
    format!("{header}.{payload}.")
}
