//! Protecting an API: who calls, and what may they do?

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use logto_core::{
    LogtoConfig, Secret,
    api_token::{AccessTokenVerification, ApiTokenClaims, ApiTokenError},
    bearer::{self, Challenge},
    error::OAuthErrorCode,
    introspection::{Introspection, OpaqueTokenVerification},
    jwt::{KeySet, MAX_TOKEN_LEN, TokenError, TokenType, UnverifiedJwt},
};
use sha2::{Digest, Sha256};

use crate::{
    context::{BuildError, Context},
    error::Error,
    provider::Provider,
    single_flight::SingleFlight,
    ttl_map::TtlMap,
};

/// How many verified tokens, and how many answers about opaque ones, are remembered for each issuer.
const MOST_TOKENS: usize = 10_000;
/// How long the provider's word that an opaque token is good is believed, at most until it expires.
const ACTIVE_FOR: Duration = Duration::from_secs(30);
/// How long its word that one is not good is believed.
const INACTIVE_FOR: Duration = Duration::from_secs(5);

/// An API that accepts Logto's access tokens.
///
/// Make one and clone it: clones share the cached keys and the verified tokens. What a route demands
/// is an [`AccessTokenVerification`], which cannot be made without an audience.
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
/// Signature and key are checked once for a token; the same token again is found by its SHA-256, and
/// what is demanded here and now, the expiry included, is compared every time. A token is forgotten
/// when the key set that verified it is replaced.
///
/// A token with an unknown key causes a fetch of the keys at once, so that a rotation is noticed; no
/// more than four in a row and two in a minute, so that a flood of made-up tokens is not passed on.
/// Through an outage the last keys are used, for up to a day. A fetched set replaces the one before it
/// whatever it holds, also if it is empty: that is how an issuer withdraws its keys. The
/// [observer](Context::observer) is told of both.
#[derive(Clone)]
pub struct ResourceServer {
    inner: Arc<Inner>,
}

struct Inner {
    issuer: String,
    issuers: HashMap<String, Trusted>,
}

/// One issuer whose tokens are accepted, with what is remembered of them. Nothing is shared between
/// issuers.
struct Trusted {
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

/// Why a request is not served.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The caller's fault: 400, 401 or 403 with a `WWW-Authenticate` header.
    Challenge(Challenge),
    /// Ours or the provider's: 503. It says nothing about the token, which the caller should keep.
    Unavailable(Error),
}

impl Refusal {
    /// The whole response.
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
    /// An API that accepts tokens of `config`'s issuer. The application of `config` is the API's own,
    /// for introspection; an API that introspects nothing may give any name.
    ///
    /// # Errors
    /// What the context lacks.
    pub fn new(config: LogtoConfig, context: impl Into<Context>) -> Result<Self, BuildError> {
        Self::of_issuers([config], context)
    }

    /// An API that accepts tokens of several issuers: of several tenants, or of one under several
    /// domains. [`issuer`](Self::issuer) is the first one.
    ///
    /// # Errors
    /// What the context lacks; [`BuildError::NoIssuer`] without any issuer.
    pub fn of_issuers(
        configs: impl IntoIterator<Item = LogtoConfig>,
        context: impl Into<Context>,
    ) -> Result<Self, BuildError> {
        let context = context.into();
        let mut first = None;
        let mut issuers = HashMap::new();
        for config in configs {
            let issuer = config.issuer().to_owned();
            first.get_or_insert_with(|| issuer.clone());
            let provider = Arc::new(Provider::new(config, context.clone(), Arc::default())?);
            let trusted = Trusted {
                verified: TtlMap::new(MOST_TOKENS),
                introspected: Arc::new(TtlMap::new(MOST_TOKENS)),
                introspections: SingleFlight::default(),
                provider,
            };
            issuers.insert(issuer, trusted);
        }
        let issuer = first.ok_or(BuildError::NoIssuer)?;
        Ok(Self {
            inner: Arc::new(Inner { issuer, issuers }),
        })
    }

    /// The issuer, to make an [`AccessTokenVerification`] with.
    pub fn issuer(&self) -> &str {
        &self.inner.issuer
    }

    /// Checks the bearer token of a request.
    ///
    /// # Errors
    /// What to answer instead.
    pub async fn authorize(
        &self,
        headers: &HeaderMap,
        demands: &AccessTokenVerification,
    ) -> Result<Arc<ApiTokenClaims>, Refusal> {
        let token = bearer::token(headers).map_err(|error| Refusal::Challenge(error.into()))?;
        self.verify(token, demands).await
    }

    /// As [`authorize`](Self::authorize), for tokens of several issuers: the demands of the issuer that
    /// the token names are the ones that count.
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

    /// Checks a token.
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
            // Nobody fetches keys for a token that no key could make good.
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
            .verify(|keys, now| match demands.verify(token, keys, now) {
                Err(ApiTokenError::Token(error)) if error.is_key_not_found() => None,
                outcome => Some(outcome.map(|claims| (Arc::new(claims), Arc::clone(keys)))),
            })
            .await
            .map_err(Refusal::Unavailable)?;
        let (claims, keys) = verified.ok_or(TokenError::KeyNotFound { kid: None })??;
        let remembered = Verified {
            claims: Arc::clone(&claims),
            keys,
        };
        trusted
            .verified
            .insert(fingerprint, remembered, claims.exp, provider.now());
        Ok(claims)
    }

    /// Asks the provider about an opaque token, or answers from memory: half a minute for a good one,
    /// never past its expiry, five seconds for a bad one. Many who ask about the same token at once
    /// are one question.
    ///
    /// # Errors
    /// As [`authorize`](Self::authorize). A provider that does not answer is no reason to let anybody
    /// in.
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

    fn trusted(&self, issuer: &str) -> Result<&Trusted, Refusal> {
        self.inner
            .issuers
            .get(issuer)
            .ok_or_else(|| TokenError::Issuer.into())
    }
}

impl Trusted {
    async fn introspection(&self, token: &str) -> Result<Arc<Introspection>, Error> {
        let fingerprint = fingerprint(token);
        if let Some(known) = self.introspected.get(&fingerprint, self.provider.now()) {
            return Ok(known);
        }
        let runtime = &*self.provider.runtime;
        let flight = self.introspections.join(runtime, fingerprint, || {
            let (provider, remembered) =
                (Arc::clone(&self.provider), Arc::clone(&self.introspected));
            let token = Secret::from(token);
            async move {
                let answer = Arc::new(provider.introspect(token).await?);
                let believed_for = if answer.active {
                    ACTIVE_FOR
                } else {
                    INACTIVE_FOR
                };
                let now = provider.now();
                let until = now.plus(believed_for);
                remembered.insert(fingerprint, Arc::clone(&answer), until, now);
                Ok(answer)
            }
            .boxed()
        });
        flight.await
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

/// A token's name in a cache: nothing shorter than the whole token decides.
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
