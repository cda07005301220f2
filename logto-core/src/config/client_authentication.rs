//! How an application proves who it is.

use std::sync::Arc;

use super::{LogtoConfig, Settings, rules};
use crate::{
    client_assertion::ClientAssertionSigner,
    error::{ConfigError, ConfigProblem},
    secret::Secret,
};

/// HS256 needs a key as long as its hash, in bytes
/// ([RFC 7518 section 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
const SHORTEST_HS256_SECRET: usize = 32;

/// How the application proves who it is at the token, revocation, introspection, device and pushed
/// authorization endpoints
/// ([OpenID Connect Core 9](https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication)).
///
/// Logto advertises all five methods and gives its own applications the first three. The last two are
/// made anew for every request, right before it is sent:
/// [`authenticate`](crate::client_authentication::authenticate).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// Not at all: a public client, identified by its id and protected by PKCE.
    None,
    /// `client_secret_basic`: id and secret in the `Authorization` header. What Logto recommends.
    Basic(Secret),
    /// `client_secret_post`: id and secret in the request body.
    Post(Secret),
    /// `client_secret_jwt`: an assertion made with the secret and HS256. The secret stays here, and
    /// needs at least 32 bytes.
    SecretJwt(Secret),
    /// `private_key_jwt`: an assertion signed with a private key, of which the provider knows the
    /// public half.
    PrivateKeyJwt(Arc<dyn ClientAssertionSigner>),
}

impl ClientAuthentication {
    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        match self {
            Self::None | Self::PrivateKeyJwt(_) => Ok(()),
            Self::Basic(secret) | Self::Post(secret) => rules::secret(secret.expose()),
            Self::SecretJwt(secret) if secret.expose().len() < SHORTEST_HS256_SECRET => {
                Err(ConfigProblem::TooShort {
                    minimum: SHORTEST_HS256_SECRET,
                })
            }
            Self::SecretJwt(secret) => rules::secret(secret.expose()),
        }
    }
}

/// Equal are the same method with the same secret or the very same signer.
impl PartialEq for ClientAuthentication {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Basic(one), Self::Basic(other))
            | (Self::Post(one), Self::Post(other))
            | (Self::SecretJwt(one), Self::SecretJwt(other)) => one == other,
            (Self::PrivateKeyJwt(one), Self::PrivateKeyJwt(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl Eq for ClientAuthentication {}

impl LogtoConfig {
    /// The same configuration with another proof: how a secret or key is replaced while the
    /// application runs. Sessions are not affected.
    ///
    /// Logto accepts every secret of an application until it expires or is deleted, so add the new
    /// one there first, hand it over here, and delete the old one last. Both are only needed when
    /// the order cannot be kept: then send a request that was answered with `invalid_client` once
    /// more, [authenticated](crate::client_authentication::authenticate) with the other configuration.
    ///
    /// # Errors
    /// [`ConfigError`] when the secret cannot be used.
    pub fn with_client_authentication(
        &self,
        authentication: ClientAuthentication,
    ) -> Result<Self, ConfigError> {
        authentication
            .check()
            .map_err(|problem| ConfigError::new("client_authentication", problem))?;
        Ok(Self {
            settings: Arc::new(Settings {
                client_authentication: authentication,
                ..Settings::clone(&self.settings)
            }),
        })
    }
}
