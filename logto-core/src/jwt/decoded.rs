//! A decoded token.

use serde_json::{Map, Value};

use super::{
    KeySet, MAX_ID_TOKEN_LEN, TokenType,
    header::{Compact, Header, decode, malformed, members},
};
use crate::error::TokenError;
use crate::json::{self, Members};

/// A decoded token of the right type. Its signature is not verified.
pub(crate) struct Decoded<'a> {
    pub(crate) header: Header,
    pub(crate) payload: Payload,
    signed: &'a str,
    signature: Vec<u8>,
}

/// The text of the claims.
pub(crate) struct Payload(Vec<u8>);

impl<'a> Decoded<'a> {
    pub(crate) fn parse(
        token: &'a str,
        expected: TokenType,
        max_len: usize,
    ) -> Result<Self, TokenError> {
        let parts = Compact::split(token, max_len)?;
        let header = Header::parse(parts.header)?;
        if !expected.admits(header.typ.as_deref()) {
            return Err(TokenError::WrongType {
                expected: expected.name(),
            });
        }
        Ok(Self {
            header,
            payload: Payload(decode("payload", parts.payload)?),
            signed: parts.signed,
            signature: decode("signature", parts.signature)?,
        })
    }

    pub(crate) fn check_signature(&self, keys: &KeySet) -> Result<(), TokenError> {
        let key = keys.find(self.header.algorithm, self.header.kid.as_deref())?;
        if key.verify(self.signed.as_bytes(), &self.signature) {
            Ok(())
        } else {
            Err(TokenError::BadSignature)
        }
    }
}

impl Payload {
    /// The claims, to be read and dropped.
    pub(crate) fn members(&self) -> Result<Members<'_>, TokenError> {
        members("payload", &self.0)
    }

    /// The claims, to be kept.
    pub(crate) fn object(&self) -> Result<Map<String, Value>, TokenError> {
        json::parse_object(&self.0).map_err(|error| malformed("payload", error))
    }
}

/// The payload of a token that is not verified here: it was verified before it was stored, or its claims are
/// only compared with the request.
pub(crate) fn unverified_payload(token: &str) -> Result<Payload, TokenError> {
    let parts = Compact::split(token, MAX_ID_TOKEN_LEN)?;
    decode("payload", parts.payload).map(Payload)
}

/// The claims of such a token.
pub(crate) fn unverified_claims(token: &str) -> Result<Map<String, Value>, TokenError> {
    unverified_payload(token)?.object()
}
