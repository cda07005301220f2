//! Checking the access token that an API is called with
//! ([RFC 9068](https://www.rfc-editor.org/rfc/rfc9068)).

use std::{collections::BTreeSet, fmt, time::Duration};

use http::StatusCode;
use serde_json::{Map, Value};

use crate::{
    claims::protocol,
    config::{DEFAULT_CLOCK_SKEW, MAX_CLOCK_SKEW},
    json::{Lookup, Members},
    jwt::{Decoded, KeySet, MAX_TOKEN_LEN, TokenError, TokenType, Validity},
    time::UnixTime,
    vocabulary::{organization_id_from_urn, organization_urn},
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

/// What a checked access token says.
///
/// `Debug` shows issuer, subject and the names of the other claims.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct ApiTokenClaims {
    /// Who issued it.
    pub iss: String,
    /// The user's id, or the application's own; see [`caller`](Self::caller).
    pub sub: String,
    /// The application it was issued to.
    pub client_id: String,
    /// Whom it is for. Empty for an opaque token of Logto.
    pub aud: Vec<String>,
    /// When it expires.
    pub exp: UnixTime,
    /// When it was issued.
    pub iat: UnixTime,
    /// Before when it must not be used.
    pub nbf: Option<UnixTime>,
    /// Its name; every JWT has one.
    pub jti: Option<String>,
    /// What it permits.
    pub scopes: BTreeSet<String>,
    /// The organization that it is limited to: from the audience of an organization token, else from
    /// the claim of this name. A custom claims script of the tenant can write that claim too.
    pub organization_id: Option<String>,
    /// Who acts for the user, after an impersonation with an actor token.
    pub act: Option<Actor>,
    /// All other claims.
    pub extra: Map<String, Value>,
}

/// The claims that have a field.
const KNOWN: [&str; 11] = [
    "iss",
    "sub",
    "client_id",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "scope",
    "organization_id",
    "act",
];

/// Who acts for a user ([RFC 8693 section 4.1](https://www.rfc-editor.org/rfc/rfc8693#section-4.1)).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Actor {
    /// The actor's user id.
    pub sub: String,
}

/// Who calls the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Caller<'a> {
    /// A user, by id.
    User(&'a str),
    /// An application on its own behalf (machine-to-machine), by id.
    Application(&'a str),
}

/// Why an API refuses a token.
///
/// [`Challenge`](crate::bearer::Challenge) makes the response of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApiTokenError {
    /// The token is not good: 401. When [`TokenError::is_key_not_found`], it is worth fetching the
    /// provider's keys before that is believed.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token is for another organization, for none where one is needed, or for one where none
    /// may be: 403.
    #[error("the token is not for this organization")]
    Organization,
    /// The token lacks a scope: 403.
    #[error("the token lacks scopes; needed are: {}", scope(.required))]
    InsufficientScope {
        /// All that are needed.
        required: BTreeSet<String>,
    },
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

impl ApiTokenClaims {
    /// Reads the payload of a JWT, in which RFC 9068 section 2.2 demands every protocol claim.
    fn from_jwt(claims: Members<'_>) -> Result<Self, TokenError> {
        let aud = protocol::audience(&claims)?;
        let jti = protocol::name(&claims, "jti")?.ok_or(TokenError::MissingClaim("jti"))?;
        let sub = protocol::subject(&claims)?;
        Self::read(claims, sub, aud, Some(jti))
    }

    /// Reads the claims that JWTs and introspected tokens have in common.
    pub(crate) fn read(
        claims: Members<'_>,
        sub: String,
        aud: Vec<String>,
        jti: Option<String>,
    ) -> Result<Self, TokenError> {
        let in_audience = organization_in(&aud)?.map(str::to_owned);
        let in_claim = protocol::name(&claims, "organization_id")?;
        Ok(Self {
            iss: protocol::issuer(&claims)?,
            client_id: protocol::name(&claims, "client_id")?
                .ok_or(TokenError::MissingClaim("client_id"))?,
            exp: protocol::required_date(&claims, "exp")?,
            iat: protocol::required_date(&claims, "iat")?,
            nbf: protocol::date(&claims, "nbf")?,
            scopes: scopes(&claims)?,
            organization_id: in_audience.or(in_claim),
            act: actor(&claims)?,
            sub,
            aud,
            jti,
            extra: claims
                .without(&KNOWN)
                .map(|(name, value)| (name.into_owned(), value))
                .collect(),
        })
    }

    /// Who calls: Logto gives a machine-to-machine token the application itself as subject.
    pub fn caller(&self) -> Caller<'_> {
        if self.sub == self.client_id {
            Caller::Application(&self.client_id)
        } else {
            Caller::User(&self.sub)
        }
    }

    /// Demands further scopes, all of them, for example those of one route.
    ///
    /// # Errors
    /// [`ApiTokenError::InsufficientScope`]
    pub fn require_scopes<S: Into<String>>(
        &self,
        scopes: impl IntoIterator<Item = S>,
    ) -> Result<(), ApiTokenError> {
        self.require(&scopes.into_iter().map(Into::into).collect())
    }

    pub(crate) fn require(&self, scopes: &BTreeSet<String>) -> Result<(), ApiTokenError> {
        if scopes.is_subset(&self.scopes) {
            Ok(())
        } else {
            Err(ApiTokenError::InsufficientScope {
                required: scopes.clone(),
            })
        }
    }

    pub(crate) fn validity(&self) -> Validity {
        Validity {
            exp: self.exp,
            iat: self.iat,
            nbf: self.nbf,
        }
    }

    pub(crate) fn is_for(&self, audience: &str) -> bool {
        !audience.is_empty() && self.aud.iter().any(|one| one == audience)
    }

    fn is_for_an_organization(&self) -> bool {
        self.aud
            .iter()
            .any(|audience| organization_id_from_urn(audience).is_some())
    }
}

/// The one organization among the audiences, if there is one.
fn organization_in(aud: &[String]) -> Result<Option<&str>, TokenError> {
    let mut organizations = aud
        .iter()
        .filter_map(|audience| organization_id_from_urn(audience));
    let organization = organizations.next();
    match organizations.next() {
        None => Ok(organization),
        Some(_) => Err(TokenError::BadClaim {
            claim: "aud",
            expected: "for one organization at most",
        }),
    }
}

/// One string, scopes separated by spaces; absent means none. An array is refused.
fn scopes(claims: &impl Lookup) -> Result<BTreeSet<String>, TokenError> {
    let scopes = protocol::text(claims, "scope")?.unwrap_or_default();
    let scopes = scopes.split(' ').filter(|scope| !scope.is_empty());
    Ok(scopes.map(str::to_owned).collect())
}

fn actor(claims: &impl Lookup) -> Result<Option<Actor>, TokenError> {
    let expected = "an object with a `sub`";
    let invalid = TokenError::BadClaim {
        claim: "act",
        expected,
    };
    match claims.get("act") {
        None => Ok(None),
        Some(Value::Object(act)) => match protocol::subject(act) {
            Ok(sub) => Ok(Some(Actor { sub })),
            Err(_) => Err(invalid),
        },
        Some(_) => Err(invalid),
    }
}

impl fmt::Debug for ApiTokenClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiTokenClaims")
            .field("iss", &self.iss)
            .field("sub", &self.sub)
            .field("client_id", &self.client_id)
            .field("scopes", &self.scopes)
            .field("organization_id", &self.organization_id)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl ApiTokenError {
    /// Whether a newer key set could change the outcome.
    pub fn is_key_not_found(&self) -> bool {
        matches!(self, Self::Token(error) if error.is_key_not_found())
    }

    /// 401 or 403.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Organization | Self::InsufficientScope { .. } => StatusCode::FORBIDDEN,
        }
    }
}

pub(crate) fn scope(scopes: &BTreeSet<String>) -> String {
    scopes
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}
