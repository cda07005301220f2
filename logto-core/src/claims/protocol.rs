//! Reading the claims that the protocol defines, strictly by their type.

use serde_json::Value;

use crate::{error::TokenError, json::Members, time::UnixTime};

/// The issuer: a non-empty string.
pub(crate) fn issuer(claims: &Members<'_>) -> Result<String, TokenError> {
    match claims.get("iss") {
        None => Err(TokenError::MissingClaim("iss")),
        Some(Value::String(issuer)) if !issuer.is_empty() => Ok(issuer.clone()),
        Some(_) => Err(TokenError::BadClaim {
            claim: "iss",
            expected: "a URL",
        }),
    }
}

/// The subject: a string of 1 to 255 bytes (OpenID Connect Core 2).
pub(crate) fn subject(claims: &Members<'_>) -> Result<String, TokenError> {
    name(claims, "sub")?.ok_or(TokenError::MissingClaim("sub"))
}

/// An identifier: a string of 1 to 255 bytes.
pub(crate) fn name(
    claims: &Members<'_>,
    claim: &'static str,
) -> Result<Option<String>, TokenError> {
    const MAX_LENGTH: usize = 255;
    match claims.get(claim) {
        None => Ok(None),
        Some(Value::String(name)) if (1..=MAX_LENGTH).contains(&name.len()) => {
            Ok(Some(name.clone()))
        }
        Some(_) => Err(TokenError::BadClaim {
            claim,
            expected: "a string of 1 to 255 characters",
        }),
    }
}

/// The audiences: a string or an array of strings.
pub(crate) fn audience(claims: &Members<'_>) -> Result<Vec<String>, TokenError> {
    let audience = claims.get("aud").ok_or(TokenError::MissingClaim("aud"))?;
    let strings = match audience {
        Value::String(audience) => Some(vec![audience.clone()]),
        Value::Array(audiences) => audiences
            .iter()
            .map(|audience| audience.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    };
    strings.ok_or(TokenError::BadClaim {
        claim: "aud",
        expected: "a string or an array of strings",
    })
}

pub(crate) fn required_date(
    claims: &Members<'_>,
    claim: &'static str,
) -> Result<UnixTime, TokenError> {
    date(claims, claim)?.ok_or(TokenError::MissingClaim(claim))
}

pub(crate) fn date(
    claims: &Members<'_>,
    claim: &'static str,
) -> Result<Option<UnixTime>, TokenError> {
    let expected = "a number of seconds since 1970";
    claims
        .get(claim)
        .map(|value| numeric_date(value).ok_or(TokenError::BadClaim { claim, expected }))
        .transpose()
}

/// A `NumericDate`: a finite, non-negative number that fits. A fraction of a second is dropped.
fn numeric_date(value: &Value) -> Option<UnixTime> {
    const END_OF_TIME: f64 = i64::MAX as f64;
    let number = value.as_number()?;
    let seconds = match number.as_u64() {
        Some(seconds) => i64::try_from(seconds).ok()?,
        None => number
            .as_f64()
            .filter(|seconds| (0.0..END_OF_TIME).contains(seconds))? as i64,
    };
    Some(UnixTime::from_secs(seconds))
}

pub(crate) fn text(
    claims: &Members<'_>,
    claim: &'static str,
) -> Result<Option<String>, TokenError> {
    match claims.get(claim) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(TokenError::BadClaim {
            claim,
            expected: "a string",
        }),
    }
}

pub(crate) fn text_or_null(
    claims: &Members<'_>,
    claim: &'static str,
) -> Result<Option<String>, TokenError> {
    match claims.get(claim) {
        Some(Value::Null) => Ok(None),
        _ => text(claims, claim),
    }
}
