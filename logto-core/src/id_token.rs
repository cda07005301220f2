//! Verifying an ID token.

use std::{fmt, time::Duration};

use subtle::ConstantTimeEq;

use crate::{
    claims::{IdTokenClaims, protocol},
    config::{DEFAULT_CLOCK_SKEW, MAX_CLOCK_SKEW},
    error::TokenError,
    jwt::{Algorithm, Decoded, KeySet, MAX_ID_TOKEN_LEN, TokenType, Validity},
    time::UnixTime,
};

/// What an application requires of an ID token
/// ([OpenID Connect Core 3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation)).
///
/// ```
/// # use logto_core::{UnixTime, id_token::IdTokenVerification, error::TokenError, jwt::KeySet};
/// # fn accept(id_token: &str, keys: &KeySet, nonce: &str, now: UnixTime) -> Result<(), TokenError> {
/// let claims = IdTokenVerification::new("https://tenant.logto.app/oidc", "client id")
///     .nonce(nonce)
///     .verify(id_token, keys, now)?;
/// println!("{} signed in", claims.sub);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use = "a verification checks nothing until `verify` is called"]
pub struct IdTokenVerification<'a> {
    issuer: &'a str,
    client_id: &'a str,
    clock_skew: Duration,
    trusted_audiences: &'a [String],
    nonce: Option<Undisclosed<'a>>,
    max_age: Option<Duration>,
    acr_values: &'a [String],
    access_token: Option<Undisclosed<'a>>,
    previous: Option<&'a IdTokenClaims>,
}

impl<'a> IdTokenVerification<'a> {
    /// Requires a token from exactly this `issuer` for exactly this client.
    pub fn new(issuer: &'a str, client_id: &'a str) -> Self {
        Self {
            issuer,
            client_id,
            clock_skew: DEFAULT_CLOCK_SKEW,
            trusted_audiences: &[],
            nonce: None,
            max_age: None,
            acr_values: &[],
            access_token: None,
            previous: None,
        }
    }

    /// The tolerated difference between the provider's clock and ours. Default: [`DEFAULT_CLOCK_SKEW`].
    /// Longer values are cut to [`MAX_CLOCK_SKEW`].
    pub fn clock_skew(mut self, clock_skew: Duration) -> Self {
        self.clock_skew = clock_skew.min(MAX_CLOCK_SKEW);
        self
    }

    /// Audiences that a token may have besides the client, if its `azp` is the client. By default, a token
    /// with a second audience is refused.
    pub fn trusted_audiences(mut self, trusted_audiences: &'a [String]) -> Self {
        self.trusted_audiences = trusted_audiences;
        self
    }

    /// The `nonce` of the authorization request, which the token must repeat.
    pub fn nonce(mut self, nonce: impl Into<Option<&'a str>>) -> Self {
        self.nonce = nonce.into().map(Undisclosed);
        self
    }

    /// The `max_age` of the authorization request: `auth_time` must be present and not be older.
    pub fn max_age(mut self, max_age: impl Into<Option<Duration>>) -> Self {
        self.max_age = max_age.into();
        self
    }

    /// The `acr_values` of the authorization request. Unless empty, `acr` must be one of them.
    pub fn acr_values(mut self, acr_values: &'a [String]) -> Self {
        self.acr_values = acr_values;
        self
    }

    /// The access token of the same response, which `at_hash` must match. Logto sends no `at_hash`, which is
    /// allowed.
    pub fn access_token(mut self, access_token: impl Into<Option<&'a str>>) -> Self {
        self.access_token = access_token.into().map(Undisclosed);
        self
    }

    /// The claims before a refresh, which the new token must continue
    /// ([OpenID Connect Core 12.2](https://openid.net/specs/openid-connect-core-1_0.html#RefreshTokenResponse)):
    /// the same `iss`, `sub` and `azp`, an `iat` and `auth_time` that are not earlier, and the same `nonce`
    /// if it has one.
    pub fn previous(mut self, previous: impl Into<Option<&'a IdTokenClaims>>) -> Self {
        self.previous = previous.into();
        self
    }

    /// Checks the signature and the claims of `id_token` at `now`.
    ///
    /// # Errors
    /// The first check that fails. With [`TokenError::KeyNotFound`], fetch the provider's keys and verify
    /// again.
    pub fn verify(
        &self,
        id_token: &str,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<IdTokenClaims, TokenError> {
        let token = Decoded::parse(id_token, TokenType::IdToken, MAX_ID_TOKEN_LEN)?;
        let claims = token.payload.members()?;
        token.check_signature(keys)?;
        let nbf = protocol::date(&claims, "nbf")?;
        let claims = IdTokenClaims::from_members(claims)?;
        self.check_parties(&claims)?;
        Validity {
            exp: claims.exp,
            iat: claims.iat,
            nbf,
        }
        .check(now, self.clock_skew)?;
        self.check_request(&claims, now)?;
        self.check_access_token(&claims, token.header.algorithm)?;
        self.check_continuity(&claims)?;
        Ok(claims)
    }

    fn check_parties(&self, claims: &IdTokenClaims) -> Result<(), TokenError> {
        if claims.iss != self.issuer {
            return Err(TokenError::Issuer);
        }
        let is_us = |audience: &String| audience == self.client_id;
        if !claims.aud.iter().any(is_us) {
            return Err(TokenError::Audience);
        }
        if claims
            .azp
            .as_deref()
            .is_some_and(|azp| azp != self.client_id)
        {
            return Err(TokenError::AuthorizedParty);
        }
        let mut others = claims
            .aud
            .iter()
            .filter(|audience| !is_us(audience))
            .peekable();
        if others.peek().is_some() && claims.azp.is_none() {
            return Err(TokenError::AuthorizedParty);
        }
        if others.all(|audience| self.trusted_audiences.contains(audience)) {
            Ok(())
        } else {
            Err(TokenError::Audience)
        }
    }

    /// Compares the claims with the authorization request.
    fn check_request(&self, claims: &IdTokenClaims, now: UnixTime) -> Result<(), TokenError> {
        if let Some(Undisclosed(sent)) = self.nonce {
            let nonce = claims
                .nonce
                .as_deref()
                .ok_or(TokenError::MissingClaim("nonce"))?;
            if !same(nonce, sent) {
                return Err(TokenError::Nonce);
            }
        }
        if let Some(max_age) = self.max_age {
            let auth_time = claims
                .auth_time
                .ok_or(TokenError::MissingClaim("auth_time"))?;
            if now > auth_time.plus(max_age).plus(self.clock_skew) {
                return Err(TokenError::AuthTime { auth_time, now });
            }
        }
        if !self.acr_values.is_empty() {
            let acr = claims.acr.as_ref().ok_or(TokenError::MissingClaim("acr"))?;
            if !self.acr_values.contains(acr) {
                return Err(TokenError::Acr);
            }
        }
        Ok(())
    }

    fn check_access_token(
        &self,
        claims: &IdTokenClaims,
        algorithm: Algorithm,
    ) -> Result<(), TokenError> {
        match (&claims.at_hash, self.access_token) {
            (Some(at_hash), Some(Undisclosed(access_token)))
                if !same(at_hash, &algorithm.half_hash(access_token)) =>
            {
                Err(TokenError::AtHash)
            }
            _ => Ok(()),
        }
    }

    fn check_continuity(&self, claims: &IdTokenClaims) -> Result<(), TokenError> {
        let Some(previous) = self.previous else {
            return Ok(());
        };
        let auth_time_is_earlier = match (claims.auth_time, previous.auth_time) {
            (Some(new), Some(old)) => new < old,
            _ => false,
        };
        let nonce_differs = claims
            .nonce
            .as_deref()
            .is_some_and(|new| previous.nonce.as_deref().is_none_or(|old| !same(new, old)));
        for (differs, claim) in [
            (claims.iss != previous.iss, "iss"),
            (claims.sub != previous.sub, "sub"),
            (claims.azp != previous.azp, "azp"),
            (claims.iat < previous.iat.minus(self.clock_skew), "iat"),
            (auth_time_is_earlier, "auth_time"),
            (nonce_differs, "nonce"),
        ] {
            if differs {
                return Err(TokenError::Continuity(claim));
            }
        }
        Ok(())
    }
}

fn same(a: &str, b: &str) -> bool {
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

/// A borrowed secret that `Debug` does not show.
#[derive(Clone, Copy)]
struct Undisclosed<'a>(&'a str);

impl fmt::Debug for Undisclosed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
