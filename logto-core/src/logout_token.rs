//! Back-channel logout: the token with which the provider reports that a session has ended
//! ([OpenID Connect Back-Channel Logout 1.0](https://openid.net/specs/openid-connect-backchannel-1_0.html)).

use std::time::Duration;

use serde_json::Value;
use url::form_urlencoded;

use crate::{
    claims::protocol,
    config::{DEFAULT_CLOCK_SKEW, MAX_CLOCK_SKEW},
    error::TokenError,
    json::Members,
    jwt::{KeySet, MAX_TOKEN_LEN, TokenType, UnverifiedJwt, Validity},
    secret::Secret,
    time::UnixTime,
};

/// The member of `events` that makes a token a logout token.
const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How long after it was issued a logout token is accepted, whatever its `exp` says. Logto's live for two
/// minutes.
const MAX_LIFETIME: Duration = Duration::from_secs(300);

/// The `logout_token` in the form body of a back-channel logout request.
///
/// # Errors
/// [`TokenError::TooLong`]; [`TokenError::Malformed`] unless there is exactly one.
pub fn from_form(body: &[u8]) -> Result<Secret, TokenError> {
    if body.len() > MAX_TOKEN_LEN {
        return Err(TokenError::TooLong {
            limit: MAX_TOKEN_LEN,
        });
    }
    let mut tokens = form_urlencoded::parse(body).filter(|(name, _)| name == "logout_token");
    match (tokens.next(), tokens.next()) {
        (Some((_, token)), None) => Ok(Secret::new(token)),
        _ => Err(TokenError::Malformed {
            part: "form",
            what: "does not have exactly one `logout_token`",
        }),
    }
}

/// What an application requires of a logout token (section 2.6).
///
/// Respond with 200, or with 400 if the token is refused, both with `Cache-Control: no-store`. If the
/// provider's keys cannot be fetched, respond with 503.
#[derive(Clone, Copy, Debug)]
#[must_use = "a verification checks nothing until `verify` is called"]
pub struct LogoutTokenVerification<'a> {
    issuer: &'a str,
    client_id: &'a str,
    clock_skew: Duration,
}

/// A verified logout token: which sessions must end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogoutToken {
    /// The session at the provider that ended, as in [`IdTokenClaims::sid`](crate::claims::IdTokenClaims::sid):
    /// the sessions that began with it end. Without it, all sessions of [`sub`](Self::sub) end. One of the two
    /// is always present.
    pub sid: Option<String>,
    /// The user.
    pub sub: Option<String>,
    /// The token's id. A token is valid once: refuse one whose id was seen before.
    pub jti: String,
    /// When it was issued, by the provider's clock. A session of [`sub`](Self::sub) that
    /// [began](crate::Session::began_at) later does not end.
    pub iat: UnixTime,
    /// Until when to remember `jti`. After that, the token is refused for its age.
    pub remember_until: UnixTime,
}

impl<'a> LogoutTokenVerification<'a> {
    /// Requires a token from exactly this `issuer` for exactly this client.
    pub fn new(issuer: &'a str, client_id: &'a str) -> Self {
        Self {
            issuer,
            client_id,
            clock_skew: DEFAULT_CLOCK_SKEW,
        }
    }

    /// The tolerated difference between the provider's clock and ours, at most [`MAX_CLOCK_SKEW`].
    pub fn clock_skew(mut self, clock_skew: Duration) -> Self {
        self.clock_skew = clock_skew.min(MAX_CLOCK_SKEW);
        self
    }

    /// Checks the signature and the claims of `token` at `now`. The caller checks that the token was not seen
    /// before: see [`LogoutToken::jti`].
    ///
    /// # Errors
    /// The first check that fails. With [`TokenError::KeyNotFound`], fetch the provider's keys and verify
    /// again.
    pub fn verify(
        &self,
        token: &str,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<LogoutToken, TokenError> {
        let token = UnverifiedJwt::parse(token, TokenType::LogoutToken, MAX_TOKEN_LEN)?;
        if token.unverified_issuer() != Some(self.issuer) {
            return Err(TokenError::Issuer);
        }
        let claims = Members::from(token.verify(keys)?.claims);
        if protocol::audience(&claims)? != [self.client_id] {
            return Err(TokenError::Audience);
        }
        let validity = validity(&claims)?;
        validity.check(now, self.clock_skew)?;
        check_event(&claims)?;
        if claims.get("nonce").is_some() {
            return Err(TokenError::BadClaim {
                claim: "nonce",
                expected: "absent",
            });
        }
        let (sub, sid) = (
            protocol::name(&claims, "sub")?,
            protocol::name(&claims, "sid")?,
        );
        if sub.is_none() && sid.is_none() {
            return Err(TokenError::MissingClaim("sub"));
        }
        Ok(LogoutToken {
            sid,
            sub,
            jti: protocol::name(&claims, "jti")?.ok_or(TokenError::MissingClaim("jti"))?,
            iat: validity.iat,
            remember_until: validity.exp.plus(self.clock_skew),
        })
    }
}

/// `exp`, or an earlier limit counted from `iat`. A token without `exp` is refused.
fn validity(claims: &Members<'_>) -> Result<Validity, TokenError> {
    let iat = protocol::required_date(claims, "iat")?;
    let latest = iat.plus(MAX_LIFETIME);
    let exp = protocol::required_date(claims, "exp")?;
    Ok(Validity {
        exp: exp.min(latest),
        iat,
        nbf: protocol::date(claims, "nbf")?,
    })
}

fn check_event(claims: &Members<'_>) -> Result<(), TokenError> {
    let events = claims
        .get("events")
        .ok_or(TokenError::MissingClaim("events"))?;
    match events.get(LOGOUT_EVENT) {
        Some(Value::Object(_)) => Ok(()),
        _ => Err(TokenError::BadClaim {
            claim: "events",
            expected: "an object with the logout event",
        }),
    }
}
