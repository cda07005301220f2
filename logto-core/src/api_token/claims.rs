//! The claims of an access token.

use std::{collections::BTreeSet, fmt};

use serde_json::{Map, Value};

use super::ApiTokenError;
use crate::{
    claims::protocol, error::TokenError, json::Members, jwt::Validity, time::UnixTime,
    vocabulary::organization_id_from_urn,
};

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

/// The claims of a verified access token.
///
/// `Debug` shows issuer, subject and the names of the other claims.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct ApiTokenClaims {
    /// The issuer.
    pub iss: String,
    /// The user's id, or the application's own; see [`caller`](Self::caller).
    pub sub: String,
    /// The application that the token was issued to.
    pub client_id: String,
    /// The audience. Empty for an opaque token of Logto.
    pub aud: Vec<String>,
    /// When it expires.
    pub exp: UnixTime,
    /// When it was issued.
    pub iat: UnixTime,
    /// The token must not be used before this time.
    pub nbf: Option<UnixTime>,
    /// The token's id. Every JWT has one.
    pub jti: Option<String>,
    /// The granted scopes.
    pub scopes: BTreeSet<String>,
    /// The organization that the token is limited to: from the audience of an organization token, otherwise
    /// from the claim `organization_id`. A custom claims script of the tenant can set that claim too.
    pub organization_id: Option<String>,
    /// The user who acts for the subject, after an impersonation with an actor token.
    pub act: Option<Actor>,
    /// All other claims.
    pub extra: Map<String, Value>,
}

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

impl ApiTokenClaims {
    /// Reads the payload of a JWT, in which RFC 9068 section 2.2 requires every protocol claim.
    pub(super) fn from_jwt(claims: Members<'_>) -> Result<Self, TokenError> {
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

    /// The caller. Logto makes the application itself the subject of a machine-to-machine token.
    pub fn caller(&self) -> Caller<'_> {
        if self.sub == self.client_id {
            Caller::Application(&self.client_id)
        } else {
            Caller::User(&self.sub)
        }
    }

    /// Requires further scopes, all of them, for example those of one route.
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

    pub(super) fn is_for_an_organization(&self) -> bool {
        self.aud
            .iter()
            .any(|audience| organization_id_from_urn(audience).is_some())
    }
}

/// The organization among the audiences, if there is one. Several would leave open whose data the token
/// opens.
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

/// A string of scopes separated by spaces; absent means none. An array is refused.
fn scopes(claims: &Members<'_>) -> Result<BTreeSet<String>, TokenError> {
    let scopes = protocol::text(claims, "scope")?.unwrap_or_default();
    let scopes = scopes.split(' ').filter(|scope| !scope.is_empty());
    Ok(scopes.map(str::to_owned).collect())
}

fn actor(claims: &Members<'_>) -> Result<Option<Actor>, TokenError> {
    let expected = "an object with a `sub`";
    let invalid = TokenError::BadClaim {
        claim: "act",
        expected,
    };
    match claims.get("act") {
        None => Ok(None),
        Some(Value::Object(act)) => match protocol::subject(&Members::from(act.clone())) {
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
