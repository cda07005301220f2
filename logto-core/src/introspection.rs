//! Token introspection ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)): asking the provider whether an
//! opaque token is valid.

use std::{collections::BTreeSet, fmt, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value};

use crate::{
    api_token::{ApiTokenClaims, ApiTokenError},
    claims::protocol,
    client_authentication::ClientEndpoint,
    config::{DEFAULT_CLOCK_SKEW, LogtoConfig, MAX_CLOCK_SKEW},
    error::{Endpoint, Error, TokenError, UsageError},
    exchange::{self, Exchange},
    json::Members,
    metadata::ProviderMetadata,
    secret::Secret,
    time::UnixTime,
};

/// Asks the provider about an opaque token.
///
/// Logto does not introspect JWTs (`unsupported_token_type`); verify those with
/// [`AccessTokenVerification`](crate::api_token::AccessTokenVerification). An error of this exchange does not
/// mean that the token is invalid: the API then responds with 503.
#[derive(Clone, Debug)]
pub struct Introspect {
    endpoint: ClientEndpoint,
    token: Secret,
}

/// The provider's statement about a token. [`OpaqueTokenVerification`] checks it.
///
/// `Debug` shows the names of the members only.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Introspection {
    /// Whether the token is valid.
    pub active: bool,
    /// All other members, as received.
    pub members: Map<String, Value>,
}

/// What an API requires of an opaque token.
///
/// Logto's opaque tokens are meant for its own userinfo endpoint and have no audience. An API that accepts
/// them must name the applications; otherwise it would accept the tokens of every application of the tenant,
/// including third parties.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[must_use = "a verification checks nothing until `check` is called"]
pub struct OpaqueTokenVerification {
    issuer: String,
    recipient: Recipient,
    required_scopes: BTreeSet<String>,
    clock_skew: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Recipient {
    Applications(BTreeSet<String>),
    Audience(String),
}

impl Introspect {
    /// Asks about `token`.
    ///
    /// # Errors
    /// [`UsageError::EndpointNotAdvertised`]
    pub fn new(
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        token: Secret,
    ) -> Result<Self, UsageError> {
        Ok(Self {
            endpoint: ClientEndpoint::new(metadata.endpoint(Endpoint::Introspection)?, config),
            token,
        })
    }
}

impl Exchange for Introspect {
    const ENDPOINT: Endpoint = Endpoint::Introspection;

    type Output = Introspection;

    fn request(&self) -> Request<Bytes> {
        self.endpoint.post(&[("token", self.token.expose())])
    }

    /// # Errors
    /// In addition to the usual errors, [`Error::Response`] if `active` is not a boolean.
    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<Introspection, Error> {
        let mut members = exchange::json_object(Self::ENDPOINT, &response, now)?;
        match members.remove("active") {
            Some(Value::Bool(active)) => Ok(Introspection { active, members }),
            _ => {
                let problem = "`active` is missing or not a boolean";
                Err(exchange::unusable(Self::ENDPOINT, &response, problem).into())
            }
        }
    }
}

impl OpaqueTokenVerification {
    /// Requires a token of `issuer` that was issued to one of these applications, by their ids.
    pub fn of_applications<S: Into<String>>(
        issuer: impl Into<String>,
        client_ids: impl IntoIterator<Item = S>,
    ) -> Self {
        let client_ids = client_ids.into_iter().map(Into::into).collect();
        Self::new(issuer, Recipient::Applications(client_ids))
    }

    /// Requires a token of `issuer` for this audience, for providers that name one.
    pub fn for_audience(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self::new(issuer, Recipient::Audience(audience.into()))
    }

    fn new(issuer: impl Into<String>, recipient: Recipient) -> Self {
        Self {
            issuer: issuer.into(),
            recipient,
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

    /// The tolerated difference between the provider's clock and ours, at most [`MAX_CLOCK_SKEW`].
    pub fn clock_skew(mut self, clock_skew: Duration) -> Self {
        self.clock_skew = clock_skew.min(MAX_CLOCK_SKEW);
        self
    }

    /// The issuer that tokens must come from.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Checks the provider's statement at `now`. Check a cached statement again each time it is used.
    ///
    /// # Errors
    /// The first check that fails. A refresh token is active too, but is not a bearer token:
    pub fn check(
        &self,
        introspection: &Introspection,
        now: UnixTime,
    ) -> Result<ApiTokenClaims, ApiTokenError> {
        if !introspection.active {
            return Err(TokenError::Inactive.into());
        }
        if !introspection.is_bearer_token() {
            return Err(TokenError::WrongType {
                expected: "an access token",
            }
            .into());
        }
        let claims = introspection.claims()?;
        if claims.iss != self.issuer {
            return Err(TokenError::Issuer.into());
        }
        claims.validity().check(now, self.clock_skew)?;
        let is_for_us = match &self.recipient {
            Recipient::Applications(client_ids) => client_ids.contains(&claims.client_id),
            Recipient::Audience(audience) => claims.is_for(audience),
        };
        if !is_for_us {
            return Err(TokenError::Audience.into());
        }
        claims.require(&self.required_scopes)?;
        Ok(claims)
    }
}

impl Introspection {
    fn is_bearer_token(&self) -> bool {
        let token_type = self.members.get("token_type").and_then(Value::as_str);
        token_type.is_some_and(|token_type| token_type.eq_ignore_ascii_case("bearer"))
    }

    /// A token without `sub` belongs to the application itself
    /// ([RFC 7662 section 2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2)).
    fn claims(&self) -> Result<ApiTokenClaims, TokenError> {
        // The claims of a signed token are intended, so they are read strictly. This is a plain response, in
        // which many serializers write `null` for "absent".
        let given = self.members.clone().into_iter();
        let given = given.filter(|(_, value)| !value.is_null());
        let members = Members::from(given.collect::<Map<_, _>>());
        let sub = match members.get("sub") {
            Some(_) => Some(protocol::subject(&members)?),
            None => protocol::name(&members, "client_id")?,
        };
        let aud = match members.get("aud") {
            Some(_) => protocol::audience(&members)?,
            None => Vec::new(),
        };
        let jti = protocol::name(&members, "jti")?;
        ApiTokenClaims::read(members, sub.unwrap_or_default(), aud, jti)
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("active", &self.active)
            .field("members", &self.members.keys().collect::<Vec<_>>())
            .finish()
    }
}
