//! When a token is valid.

use std::time::Duration;

use crate::error::TokenError;
use crate::time::UnixTime;

/// The dates of a token ([RFC 7519 section 4.1](https://www.rfc-editor.org/rfc/rfc7519#section-4.1)).
pub(crate) struct Validity {
    pub(crate) exp: UnixTime,
    pub(crate) iat: UnixTime,
    pub(crate) nbf: Option<UnixTime>,
}

impl Validity {
    /// Checks that the token is valid at `now`, with clocks that may differ by `clock_skew`.
    pub(crate) fn check(&self, now: UnixTime, clock_skew: Duration) -> Result<(), TokenError> {
        let Self { exp, iat, nbf } = *self;
        let soon = now.plus(clock_skew);
        if now >= exp.plus(clock_skew) {
            return Err(TokenError::Expired { exp, now });
        }
        if iat > soon {
            return Err(TokenError::IssuedInFuture { iat, now });
        }
        match nbf {
            Some(nbf) if nbf > soon => Err(TokenError::NotYetValid { nbf, now }),
            _ => Ok(()),
        }
    }
}
