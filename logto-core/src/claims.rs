//! Who the user is: the claims of an ID token and of the userinfo endpoint.
//!
//! The protocol's own claims (`iss`, `sub`, `aud`, `exp`, ...) are read strictly: a missing or malformed one
//! is a [`TokenError`]. The user's claims never fail: a claim that does not have the type Logto documents is
//! [`Claim::Absent`] in its typed field and kept unchanged in [`UserClaims::extra`], together with all claims
//! this version does not know.
//!
//! These types verify nothing. Claims are as trustworthy as the check that preceded them.

mod claim;
mod details;
mod id_token;
pub(crate) mod protocol;
mod user;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value};

pub use self::{
    claim::{Claim, UnixMillis},
    details::{Address, Identity, OrganizationData, SsoIdentity},
    id_token::IdTokenClaims,
    user::UserClaims,
};

use crate::{error::TokenError, json::Members};

/// The response of the userinfo endpoint
/// ([OpenID Connect Core 5.3.2](https://openid.net/specs/openid-connect-core-1_0.html#UserInfoResponse)).
///
/// It holds every claim of the granted scopes, including those the tenant excludes from the ID token.
/// `Debug` shows the subject and the names of the claims, never their values.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserInfo {
    /// The user's id at Logto.
    pub sub: String,
    /// Everything else.
    pub user: UserClaims,
}

impl UserInfo {
    /// Reads a userinfo response.
    pub(crate) fn from_members(claims: Members<'_>) -> Result<Self, TokenError> {
        Ok(Self {
            sub: protocol::subject(&claims)?,
            user: UserClaims::from_members(claims.without(&["sub"])),
        })
    }

    /// All claims as JSON, as received.
    pub fn to_map(&self) -> Map<String, Value> {
        let mut claims = self.user.to_map();
        claims.insert("sub".to_owned(), Value::from(self.sub.as_str()));
        claims
    }

    /// The claims as a type of your own, which can select standard and custom claims alike.
    ///
    /// # Errors
    ///
    /// The claims do not fit `T`. The message may quote a value, which may be personal data.
    pub fn custom<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        T::deserialize(Value::Object(self.to_map()))
    }
}

impl fmt::Debug for UserInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserInfo")
            .field("sub", &self.sub)
            .field("user", &self.user)
            .finish()
    }
}

impl Serialize for UserInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_map().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for UserInfo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let claims = Members::from(Map::deserialize(deserializer)?);
        Self::from_members(claims).map_err(serde::de::Error::custom)
    }
}
