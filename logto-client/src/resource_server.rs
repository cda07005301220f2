//! Protecting an API with access tokens.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use logto_core::{
    LogtoConfig, Secret,
    api_token::{AccessTokenVerification, ApiTokenClaims, ApiTokenError},
    bearer::{self, Challenge},
    error::{OAuthErrorCode, TokenError},
    introspection::{Introspection, OpaqueTokenVerification},
    jwt::{KeySet, MAX_TOKEN_LEN, TokenType, UnverifiedJwt},
};
use sha2::{Digest, Sha256};

use crate::{
    context::{BuildError, Context},
    error::Error,
    provider::Provider,
    runtime::BoxedFuture,
    single_flight::SingleFlight,
    ttl_map::TtlMap,
};

/// How many verified tokens, and how many introspection responses, are cached for each issuer.
const MAX_TOKENS: usize = 10_000;
/// How long an opaque token that is active stays cached, at most until it expires.
const ACTIVE_LIFETIME: Duration = Duration::from_secs(30);
/// How long an opaque token that is not active stays cached.
const INACTIVE_LIFETIME: Duration = Duration::from_secs(5);

/// An API that accepts Logto's access tokens.
///
/// Create one and clone it: clones share the cached keys and the verified tokens. An
/// [`AccessTokenVerification`] describes what a route requires of a token; it always has an audience.
///
/// ```
/// use http::request::Parts;
/// use logto_client::{
///     core::api_token::AccessTokenVerification,
///     resource_server::{Refusal, ResourceServer},
/// };
///
/// async fn products(server: &ResourceServer, request: &Parts) -> http::Response<bytes::Bytes> {
///     let demands = AccessTokenVerification::api(server.issuer(), "https://shop.example.com/api")
///         .require_scopes(["read:products"]);
///     match server.authorize(&request.headers, &demands).await {
///         Ok(claims) => http::Response::new(format!("hello {}", claims.sub).into()),
///         Err(refusal) => refusal.response(),
///     }
/// }
/// ```
///
/// # Caching
///
/// The signature of a token is verified once; later, the token is found by its SHA-256. The requirements
/// of a route, and the expiry, are checked every time. A token is verified again when the key set that
/// verified it is replaced.
///
/// A token with an unknown key makes the server fetch the keys at once, so that a rotation is noticed: up to
/// four times in a row and twice a minute, so that a flood of forged tokens does not reach the issuer. While
/// no fetch is allowed, it is unknown whether such a token is valid: the response is 503 with `Retry-After`,
/// so that a caller with a valid token tries again. During an outage the cached keys are used, for up to a
/// day. A fetched key set replaces the one before it, even if it is empty: that is how an issuer withdraws
/// its keys. Both are [events](crate::event::Event).
#[derive(Clone)]
pub struct ResourceServer {
    inner: Arc<TrustedIssuers>,
}

struct TrustedIssuers {
    issuer: String,
    issuers: HashMap<String, TrustedIssuer>,
}

/// An issuer whose tokens are accepted, with its caches. Issuers share nothing: a token that one of them
/// issued is never found in the cache of another.
struct TrustedIssuer {
    provider: Arc<Provider>,
    verified: TtlMap<[u8; 32], Verified>,
    introspected: Arc<TtlMap<[u8; 32], Arc<Introspection>>>,
    introspections: SingleFlight<[u8; 32], Result<Arc<Introspection>, Error>>,
}

#[derive(Clone)]
struct Verified {
    claims: Arc<ApiTokenClaims>,
    keys: Arc<KeySet>,
}

/// Why a request is refused.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The caller's fault: 400, 401 or 403 with a `WWW-Authenticate` header.
    Challenge(Challenge),
    /// A failure of this server or of the issuer: 503. The token may be valid, so the caller keeps it.
    Unavailable(Error),
}

impl Refusal {
    /// The response to the caller.
    pub fn response(&self) -> Response<Bytes> {
        match self {
            Self::Challenge(challenge) => challenge.response(),
            Self::Unavailable(error) => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                if let Some(wait) = error.retry_after() {
                    let wait = HeaderValue::from(wait.as_secs());
                    response.headers_mut().insert(header::RETRY_AFTER, wait);
                }
                response
            }
        }
    }
}

impl From<ApiTokenError> for Refusal {
    fn from(error: ApiTokenError) -> Self {
        Self::Challenge(error.into())
    }
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        ApiTokenError::from(error).into()
    }
}

impl ResourceServer {
    /// An API that accepts tokens of the issuer of `config`. The application of `config` is the one that
    /// introspects opaque tokens; an API that has none may use any application id.
    ///
    /// # Errors
    /// When the context cannot be used: see [`BuildError`].
    pub fn new(config: LogtoConfig, context: impl Into<Context>) -> Result<Self, BuildError> {
        Self::of_issuers([config], context)
    }

    /// An API that accepts tokens of several issuers: several tenants, or one tenant with several
    /// domains. [`issuer`](Self::issuer) is the first one.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`BuildError::NoIssuer`] without any issuer.
    pub fn of_issuers(
        configs: impl IntoIterator<Item = LogtoConfig>,
        context: impl Into<Context>,
    ) -> Result<Self, BuildError> {
        let context = context.into();
        let provider = |config| Provider::new(config, context.clone(), Arc::default());
        let providers = configs
            .into_iter()
            .map(|config| provider(config).map(Arc::new));
        let providers: Vec<_> = providers.collect::<Result<_, _>>()?;
        let first = providers.first().ok_or(BuildError::NoIssuer)?;
        let issuer = first.config.issuer().to_owned();
        Ok(Self::of_providers(issuer, providers))
    }

    pub(crate) fn of_providers(
        issuer: String,
        providers: impl IntoIterator<Item = Arc<Provider>>,
    ) -> Self {
        let trusted = |provider: Arc<Provider>| {
            let issuer = provider.config.issuer().to_owned();
            (issuer, TrustedIssuer::new(provider))
        };
        let issuers = providers.into_iter().map(trusted).collect();
        Self {
            inner: Arc::new(TrustedIssuers { issuer, issuers }),
        }
    }

    /// The issuer, for an [`AccessTokenVerification`].
    pub fn issuer(&self) -> &str {
        &self.inner.issuer
    }

    /// Checks the bearer token of a request ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750)) and
    /// returns its claims.
    ///
    /// # Errors
    /// A [`Refusal`], with the response for the caller.
    pub async fn authorize(
        &self,
        headers: &HeaderMap,
        demands: &AccessTokenVerification,
    ) -> Result<Arc<ApiTokenClaims>, Refusal> {
        let token = bearer::token(headers).map_err(|error| Refusal::Challenge(error.into()))?;
        self.verify(token, demands).await
    }

    /// As [`authorize`](Self::authorize), for tokens of several issuers. The token has to meet the
    /// requirements for the issuer that it names.
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize).
    pub async fn authorize_any(
        &self,
        headers: &HeaderMap,
        demands: &[AccessTokenVerification],
    ) -> Result<Arc<ApiTokenClaims>, Refusal> {
        let token = bearer::token(headers).map_err(|error| Refusal::Challenge(error.into()))?;
        let unverified = UnverifiedJwt::parse(token, TokenType::AccessToken, MAX_TOKEN_LEN)?;
        let named = unverified.unverified_issuer().unwrap_or_default();
        let demands = demands.iter().find(|demands| demands.issuer() == named);
        self.verify(token, demands.ok_or(TokenError::Issuer)?).await
    }

    /// Checks a token and returns its claims.
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize).
    pub async fn verify(
        &self,
        token: &str,
        demands: &AccessTokenVerification,
    ) -> Result<Arc<ApiTokenClaims>, Refusal> {
        let trusted = self.trusted(demands.issuer())?;
        let provider = &trusted.provider;
        let fingerprint = fingerprint(token);
        if !provider.has_keys() {
            // Anyone can send tokens: a token that no key could make valid must not cause a request.
            issued_by(token, demands.issuer())?;
        }
        let keys = provider.keys().await.map_err(Refusal::Unavailable)?;
        if let Some(known) = trusted.verified.get(&fingerprint, provider.now()) {
            if Arc::ptr_eq(&keys, &known.keys) {
                demands.check(&known.claims, provider.now())?;
                return Ok(known.claims);
            }
        }
        let verified = provider
            .verify(
                |keys, now| Ok((demands.verify(token, keys, now)?, Arc::clone(keys))),
                ApiTokenError::is_key_not_found,
            )
            .await
            .map_err(Refusal::Unavailable)?;
        let (claims, keys) = verified?;
        let claims = Arc::new(claims);
        let remembered = Verified {
            claims: Arc::clone(&claims),
            keys,
        };
        trusted
            .verified
            .insert(fingerprint, remembered, claims.exp, provider.now());
        Ok(claims)
    }

    /// Introspects an opaque token ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)) and returns its
    /// claims.
    ///
    /// The response is cached: for 30 seconds, but never past the token's expiry, if the token is active;
    /// else for 5 seconds. All callers with the same token share one request.
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize). Without a response, the request is refused.
    pub async fn introspect(
        &self,
        token: &str,
        demands: &OpaqueTokenVerification,
    ) -> Result<ApiTokenClaims, Refusal> {
        let trusted = self.trusted(demands.issuer())?;
        if token.len() > MAX_TOKEN_LEN {
            return Err(TokenError::TooLong {
                limit: MAX_TOKEN_LEN,
            }
            .into());
        }
        match trusted.introspection(token).await {
            Ok(introspection) => Ok(demands.check(&introspection, trusted.provider.now())?),
            Err(error) if error.is_oauth(&OAuthErrorCode::UnsupportedTokenType) => {
                Err(TokenError::WrongType {
                    expected: "an opaque token",
                }
                .into())
            }
            Err(error) => Err(Refusal::Unavailable(error)),
        }
    }

    fn trusted(&self, issuer: &str) -> Result<&TrustedIssuer, Refusal> {
        self.inner
            .issuers
            .get(issuer)
            .ok_or_else(|| TokenError::Issuer.into())
    }
}

impl TrustedIssuer {
    fn new(provider: Arc<Provider>) -> Self {
        Self {
            provider,
            verified: TtlMap::new(MAX_TOKENS),
            introspected: Arc::new(TtlMap::new(MAX_TOKENS)),
            introspections: SingleFlight::default(),
        }
    }

    async fn introspection(&self, token: &str) -> Result<Arc<Introspection>, Error> {
        let fingerprint = fingerprint(token);
        if let Some(known) = self.introspected.get(&fingerprint, self.provider.now()) {
            return Ok(known);
        }
        let runtime = &*self.provider.context.runtime;
        let introspection = self.introspections.join(runtime, fingerprint, || {
            let (provider, remembered) =
                (Arc::clone(&self.provider), Arc::clone(&self.introspected));
            let token = Secret::from(token);
            async move {
                let introspection = Arc::new(provider.introspect(token).await?);
                let lifetime = match introspection.active {
                    true => ACTIVE_LIFETIME,
                    false => INACTIVE_LIFETIME,
                };
                let now = provider.now();
                remembered.insert(
                    fingerprint,
                    Arc::clone(&introspection),
                    now.plus(lifetime),
                    now,
                );
                Ok(introspection)
            }
            .boxed_future()
        });
        introspection.await
    }
}

/// Whether a token is a JWT that claims to be an access token of `issuer`.
fn issued_by(token: &str, issuer: &str) -> Result<(), TokenError> {
    let token = UnverifiedJwt::parse(token, TokenType::AccessToken, MAX_TOKEN_LEN)?;
    if token.unverified_issuer() == Some(issuer) {
        Ok(())
    } else {
        Err(TokenError::Issuer)
    }
}

/// The cache key of a token. It covers the whole token, including the signature.
fn fingerprint(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServer")
            .field("issuer", &self.inner.issuer)
            .finish_non_exhaustive()
    }
}
