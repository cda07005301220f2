//! How an application authenticates.

use std::sync::Arc;

use super::{LogtoConfig, Settings, rules};
use crate::{
    client_assertion::ClientAssertionSigner,
    error::{ConfigError, ConfigProblem},
    secret::Secret,
};

/// The minimum length of an HS256 key in bytes: the length of the hash
/// ([RFC 7518 section 3.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.2)).
const MIN_HS256_SECRET: usize = 32;

/// How the application authenticates at the token, revocation, introspection, device and pushed authorization
/// endpoints ([OpenID Connect Core
/// 9](https://openid.net/specs/openid-connect-core-1_0.html#ClientAuthentication)).
///
/// Logto advertises all five methods and offers the first three to its own applications. For the last two,
/// [`authenticate`](crate::client_authentication::authenticate) signs a new assertion right before each
/// request is sent.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// None: a public client, identified by its id and protected by PKCE.
    None,
    /// `client_secret_basic`: id and secret in the `Authorization` header. Logto recommends it.
    Basic(Secret),
    /// `client_secret_post`: id and secret in the request body.
    Post(Secret),
    /// `client_secret_jwt`: an assertion signed with the secret and HS256. The secret is never sent, and has
    /// at least 32 bytes.
    SecretJwt(Secret),
    /// `private_key_jwt`: an assertion signed with a private key. The provider knows the public key.
    PrivateKeyJwt(Arc<dyn ClientAssertionSigner>),
}

impl ClientAuthentication {
    pub(super) fn check(&self) -> Result<(), ConfigProblem> {
        match self {
            Self::None | Self::PrivateKeyJwt(_) => Ok(()),
            Self::Basic(secret) | Self::Post(secret) => rules::secret(secret.expose()),
            Self::SecretJwt(secret) if secret.expose().len() < MIN_HS256_SECRET => {
                Err(ConfigProblem::TooShort {
                    minimum: MIN_HS256_SECRET,
                })
            }
            Self::SecretJwt(secret) => rules::secret(secret.expose()),
        }
    }
}

/// Equal if the method is the same, with the same secret or the identical signer.
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
    /// The same configuration with another secret or key, to replace it while the application runs. Sessions
    /// are not affected.
    ///
    /// Logto accepts every secret of an application until it expires or is deleted: add the new one there
    /// first, set it here, and delete the old one last. If that order is impossible, keep both
    /// configurations: when a response says `invalid_client`, send the request again,
    /// [authenticated](crate::client_authentication::authenticate) with the other one.
    ///
    /// # Errors
    /// [`ConfigError`] if the secret cannot be used.
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
