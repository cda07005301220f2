//! Why a token is refused.

use super::sanitized;
use crate::time::UnixTime;

/// Why a token is refused: the first check that failed.
///
/// Contains no part of the token except the name of the algorithm and the `kid`, which are cut to 64
/// characters and have their control characters replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The token exceeds the length limit and was not read.
    #[error("the token is longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The token is not a signed JWT in the compact serialization ([RFC 7515 section
    /// 7.1](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)). Opaque and encrypted tokens get this error.
    #[error("the {part} {what}")]
    Malformed {
        /// The part of the token: `token`, `header`, `payload` or `signature`.
        part: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The algorithm is missing, `none`, symmetric or unknown.
    #[error("the algorithm {algorithm:?} is not supported")]
    UnsupportedAlgorithm {
        /// The `alg` header; empty if there is none.
        algorithm: String,
    },
    /// The header requires an extension (`crit`, `b64` or `zip`). None is supported.
    #[error("the header asks for an extension with `{0}`, which is not supported")]
    Extension(&'static str),
    /// The `typ` header belongs to another kind of token.
    #[error("the `typ` header is not that of {expected}")]
    WrongType {
        /// The kind of token that was expected.
        expected: &'static str,
    },
    /// The key set has no such key. After a rotation, fetching the key set again helps.
    #[error("the key set has no key for the token (kid: {})", .kid.as_deref().unwrap_or("none"))]
    KeyNotFound {
        /// The `kid` header.
        kid: Option<String>,
    },
    /// Several keys of the set match the token, and nothing tells which one signed it.
    #[error("several keys fit the token")]
    AmbiguousKey,
    /// The key with the token's `kid` is not for the token's algorithm.
    #[error("the key that the token names is not for its algorithm {0}")]
    KeyMismatch(&'static str),
    /// The signature does not match the key.
    #[error("the signature is wrong")]
    BadSignature,
    /// The provider reports that the token is not active: unknown, expired or revoked.
    #[error("the token is not active")]
    Inactive,
    /// A required claim is missing.
    #[error("the claim `{0}` is missing")]
    MissingClaim(&'static str),
    /// A claim has the wrong type or an invalid value.
    #[error("the claim `{claim}` is not {expected}")]
    BadClaim {
        /// The name of the claim.
        claim: &'static str,
        /// What its value must be.
        expected: &'static str,
    },
    /// The token is valid once, and was used before (`jti`).
    #[error("the token was used before")]
    AlreadyUsed,
    /// `iss` is not the configured issuer.
    #[error("the token is from another issuer")]
    Issuer,
    /// `aud` does not contain this application, or contains an audience that is not trusted.
    #[error("the token is for another audience")]
    Audience,
    /// `azp` is not this application.
    #[error("the token was issued to another client")]
    AuthorizedParty,
    /// The token has expired.
    #[error("the token expired at {exp}, now is {now}")]
    Expired {
        /// The `exp` claim.
        exp: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// `nbf` is in the future, beyond the tolerated clock skew.
    #[error("the token is not valid yet; clock skew: nbf {nbf}, now {now}")]
    NotYetValid {
        /// The `nbf` claim.
        nbf: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// `iat` is in the future, beyond the tolerated clock skew: one of the two clocks is wrong.
    #[error("the token was issued in the future; clock skew: iat {iat}, now {now}")]
    IssuedInFuture {
        /// The `iat` claim.
        iat: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// `nonce` is not the one that was sent with the authorization request.
    #[error("the token answers another authorization request (nonce)")]
    Nonce,
    /// The user signed in longer ago than the requested `max_age`.
    #[error("the user signed in at {auth_time}, longer ago than `max_age` allows; now is {now}")]
    AuthTime {
        /// The `auth_time` claim.
        auth_time: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// `acr` is not one of the requested `acr_values`.
    #[error("the user was not authenticated in one of the requested ways (acr)")]
    Acr,
    /// `at_hash` belongs to another access token.
    #[error("the access token is not the one that the ID token was issued with (at_hash)")]
    AtHash,
    /// The ID token of a refresh contradicts the previous one
    /// ([OpenID Connect Core 12.2](https://openid.net/specs/openid-connect-core-1_0.html#RefreshTokenResponse)).
    #[error("the refreshed ID token does not continue the previous one (`{0}`)")]
    Continuity(&'static str),
}

impl TokenError {
    /// Whether a newer key set may change the result.
    pub fn is_key_not_found(&self) -> bool {
        matches!(self, Self::KeyNotFound { .. })
    }

    pub(crate) fn key_not_found(kid: Option<&str>) -> Self {
        Self::KeyNotFound {
            kid: kid.map(shown),
        }
    }

    pub(crate) fn unsupported_algorithm(name: &str) -> Self {
        Self::UnsupportedAlgorithm {
            algorithm: shown(name),
        }
    }
}

fn shown(text: &str) -> String {
    sanitized(text, 64)
}
