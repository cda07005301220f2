//! Checking the access token that an API is called with
//! ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068)).

mod claims;
mod error;

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;

pub(crate) use self::error::scope;
pub use self::{
    claims::{Actor, ApiTokenClaims, Caller},
    error::ApiTokenError,
};
use crate::{
    config::{DEFAULT_CLOCK_SKEW, MAX_CLOCK_SKEW},
    error::TokenError,
    jwt::{Decoded, KeySet, MAX_TOKEN_LEN, TokenType},
    time::UnixTime,
    vocabulary::organization_urn,
};

/// What an API requires of an access token. The audience is always among it.
///
/// Logto has [three permission models](https://docs.logto.io/authorization):
///
/// | who defines the permissions | verification |
/// |---|---|
/// | an API resource, for all users | [`api`](Self::api) |
/// | the organization template | [`organization`](Self::organization) |
/// | an API resource, within an organization | [`organization_api`](Self::organization_api) |
///
/// The request names the organization, usually in its path. If it does not, use
/// [`any_organization`](Self::any_organization) or [`any_organization_api`](Self::any_organization_api): the
/// token names the organization, and the handler must read and write nothing outside of
/// [`ApiTokenClaims::organization_id`].
///
/// A verification is for one issuer. An API that accepts several issuers, or one issuer under several
/// domains, has a verification and a key set for each, and picks one by
/// [`UnverifiedJwt::unverified_issuer`](crate::jwt::UnverifiedJwt::unverified_issuer).
///
/// ```
/// # use logto_core::{api_token::*, bearer, jwt::KeySet, UnixTime};
/// # fn handle(request: &http::request::Parts, keys: &KeySet, now: UnixTime) -> Result<(), bearer::Challenge> {
/// let verification =
///     AccessTokenVerification::api("https://tenant.logto.app/oidc", "https://shop.example.com/api")
///         .require_scopes(["read:products"]);
/// let token = bearer::token(&request.headers)?;
/// let claims = verification.verify(token, keys, now)?;
/// match claims.caller() {
///     Caller::User(id) => println!("user {id}"),
///     Caller::Application(id) => println!("application {id}"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use = "a verification checks nothing until `verify` is called"]
pub struct AccessTokenVerification {
    issuer: String,
    audience: Audience,
    required_scopes: BTreeSet<String>,
    clock_skew: Duration,
}

/// The audience a token must have. `None` accepts any organization.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Audience {
    Api(String),
    Organization(Option<String>),
    OrganizationApi(String, Option<String>),
}

impl AccessTokenVerification {
    /// Requires a token of `issuer` for the API resource with this indicator, compared byte for byte. Refuses
    /// a token that is limited to an organization: its scopes are valid only there.
    pub fn api(issuer: impl Into<String>, indicator: impl Into<String>) -> Self {
        Self::new(issuer, Audience::Api(indicator.into()))
    }

    /// Requires a token for this organization.
    pub fn organization(issuer: impl Into<String>, organization_id: impl Into<String>) -> Self {
        Self::new(issuer, Audience::Organization(Some(organization_id.into())))
    }

    /// Requires a token for any organization.
    pub fn any_organization(issuer: impl Into<String>) -> Self {
        Self::new(issuer, Audience::Organization(None))
    }

    /// Requires a token for the API resource that is limited to this organization.
    pub fn organization_api(
        issuer: impl Into<String>,
        indicator: impl Into<String>,
        organization_id: impl Into<String>,
    ) -> Self {
        let organization_id = Some(organization_id.into());
        Self::new(
            issuer,
            Audience::OrganizationApi(indicator.into(), organization_id),
        )
    }

    /// Requires a token for the API resource that is limited to any organization.
    pub fn any_organization_api(issuer: impl Into<String>, indicator: impl Into<String>) -> Self {
        Self::new(issuer, Audience::OrganizationApi(indicator.into(), None))
    }

    fn new(issuer: impl Into<String>, audience: Audience) -> Self {
        Self {
            issuer: issuer.into(),
            audience,
            required_scopes: BTreeSet::new(),
            clock_skew: DEFAULT_CLOCK_SKEW,
        }
    }

    /// Adds scopes that the token must have, all of them.
    pub fn require_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.required_scopes
            .extend(scopes.into_iter().map(Into::into));
        self
    }

    /// The tolerated difference between the provider's clock and ours. Default: [`DEFAULT_CLOCK_SKEW`].
    /// Longer values are cut to [`MAX_CLOCK_SKEW`].
    pub fn clock_skew(mut self, clock_skew: Duration) -> Self {
        self.clock_skew = clock_skew.min(MAX_CLOCK_SKEW);
        self
    }

    /// The issuer that tokens must come from.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Checks the signature and the claims of `token` at `now`.
    ///
    /// Compares the issuer before it looks up a key, so that a token of another issuer never makes the
    /// application fetch keys.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn verify(
        &self,
        token: &str,
        keys: &KeySet,
        now: UnixTime,
    ) -> Result<ApiTokenClaims, ApiTokenError> {
        let token = Decoded::parse(token, TokenType::AccessToken, MAX_TOKEN_LEN)?;
        let claims = token.payload.members()?;
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(TokenError::Issuer.into());
        }
        token.check_signature(keys)?;
        let claims = ApiTokenClaims::from_jwt(claims)?;
        self.check(&claims, now)?;
        Ok(claims)
    }

    /// Checks the claims of a token whose signature was verified before: everything that
    /// [`verify`](Self::verify) checks, except the signature.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(&self, claims: &ApiTokenClaims, now: UnixTime) -> Result<(), ApiTokenError> {
        if claims.iss != self.issuer {
            return Err(TokenError::Issuer.into());
        }
        claims.validity().check(now, self.clock_skew)?;
        self.check_audience(claims)?;
        claims.require(&self.required_scopes)
    }

    fn check_audience(&self, claims: &ApiTokenClaims) -> Result<(), ApiTokenError> {
        let organization_id = claims.organization_id.as_deref();
        let (is_for_us, organization_fits) = match &self.audience {
            Audience::Api(indicator) => (claims.is_for(indicator), organization_id.is_none()),
            Audience::OrganizationApi(indicator, expected) => (
                claims.is_for(indicator),
                is_expected(organization_id, expected.as_deref()),
            ),
            Audience::Organization(expected) => (
                claims.is_for_an_organization(),
                match expected {
                    Some(id) => claims.is_for(&organization_urn(id)),
                    None => true,
                },
            ),
        };
        if !is_for_us {
            Err(TokenError::Audience.into())
        } else if !organization_fits {
            Err(ApiTokenError::Organization)
        } else {
            Ok(())
        }
    }
}

fn is_expected(organization_id: Option<&str>, expected: Option<&str>) -> bool {
    match expected {
        Some(_) => organization_id == expected,
        None => organization_id.is_some(),
    }
}
