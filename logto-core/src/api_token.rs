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

/// What an access token has to say to be accepted by an API. There is none without an audience.
///
/// Logto has [three permission models](https://docs.logto.io/authorization):
///
/// | the API's permissions are | verification |
/// |---|---|
/// | of an API resource, for everybody | [`api`](Self::api) |
/// | of the organization template | [`organization`](Self::organization) |
/// | of an API resource, within an organization | [`organization_api`](Self::organization_api) |
///
/// The organization comes from the request, usually from its path. Where the request names none,
/// [`any_organization`](Self::any_organization) and
/// [`any_organization_api`](Self::any_organization_api) leave it to the token, and everything that the
/// handler reads or writes has to be within [`ApiTokenClaims::organization_id`].
///
/// A verification is for one issuer. An API that accepts several, or one issuer under several domains,
/// has a verification and a key set for each, and chooses by
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
#[must_use = "nothing is checked before `verify`"]
pub struct AccessTokenVerification {
    issuer: String,
    audience: Audience,
    required_scopes: BTreeSet<String>,
    clock_skew: Duration,
}

/// Whom a token has to be for. The organization is the expected one, or `None` for any.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Audience {
    Api(String),
    Organization(Option<String>),
    OrganizationApi(String, Option<String>),
}

impl AccessTokenVerification {
    /// Demands a token of `issuer` for the API resource with this indicator, compared byte for byte.
    /// A token that is limited to an organization is refused: its scopes are good there only.
    pub fn api(issuer: impl Into<String>, indicator: impl Into<String>) -> Self {
        Self::new(issuer, Audience::Api(indicator.into()))
    }

    /// Demands a token for this organization.
    pub fn organization(issuer: impl Into<String>, organization_id: impl Into<String>) -> Self {
        Self::new(issuer, Audience::Organization(Some(organization_id.into())))
    }

    /// Demands a token for some organization.
    pub fn any_organization(issuer: impl Into<String>) -> Self {
        Self::new(issuer, Audience::Organization(None))
    }

    /// Demands a token for the API resource that is limited to this organization.
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

    /// Demands a token for the API resource that is limited to some organization.
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

    /// Scopes that the token must have, all of them, in addition to those already required.
    pub fn require_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.required_scopes
            .extend(scopes.into_iter().map(Into::into));
        self
    }

    /// How far the provider's clock and ours may be apart: [`DEFAULT_CLOCK_SKEW`] unless said
    /// otherwise, and at most [`MAX_CLOCK_SKEW`], to which longer times are cut.
    pub fn clock_skew(mut self, clock_skew: Duration) -> Self {
        self.clock_skew = clock_skew.min(MAX_CLOCK_SKEW);
        self
    }

    /// The issuer whose tokens and keys this is about.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Checks signature and claims of `token`, at `now`.
    ///
    /// The issuer is compared before a key is looked up, so that nobody can make us search for the
    /// keys of somebody else's tokens.
    ///
    /// # Errors
    /// The first thing that is wrong.
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

    /// Compares the claims of a token whose signature was checked before with what is demanded here
    /// and now: everything that [`verify`](Self::verify) checks, except the signature.
    ///
    /// # Errors
    /// The first thing that is wrong.
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
