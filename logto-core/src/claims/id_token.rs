//! The claims of an ID token.

use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    UserClaims,
    protocol::{audience, date, issuer, required_date, subject, text, text_or_null},
};
use crate::{error::TokenError, json::Members, secret::Secret, time::UnixTime};

const PROTOCOL_CLAIMS: [&str; 11] = [
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "auth_time",
    "nonce",
    "acr",
    "azp",
    "sid",
    "at_hash",
];

/// The claims of an ID token
/// ([OpenID Connect Core 2](https://openid.net/specs/openid-connect-core-1_0.html#IDToken)).
///
/// Deserializing checks only the form of the claims; to trust them, verify the token. `Debug` shows issuer,
/// subject and the names of the claims, never other values.
#[derive(Clone, PartialEq, Eq)]
pub struct IdTokenClaims {
    /// Who issued the token.
    pub iss: String,
    /// The user's id at Logto. Issuer and subject together identify a user permanently.
    pub sub: String,
    /// The audience. Logto sets exactly one application.
    pub aud: Vec<String>,
    /// When the token expires.
    pub exp: UnixTime,
    /// When it was issued.
    pub iat: UnixTime,
    /// When the user last signed in at Logto. Present only if the sign-in asked with `max_age` or with
    /// [`Prompt::Login`](crate::vocabulary::Prompt::Login).
    pub auth_time: Option<UnixTime>,
    /// The value that binds the token to a sign-in.
    pub nonce: Option<String>,
    /// How the user was authenticated.
    pub acr: Option<String>,
    /// The application the token was issued to, if it differs from the audience.
    pub azp: Option<String>,
    /// The session at Logto. Present only if the application's back-channel logout requests it.
    pub sid: Option<String>,
    /// Hash of the access token issued with it. Logto 1.42 does not send one.
    pub at_hash: Option<String>,
    /// What the token says about the user.
    pub user: UserClaims,
    /// Protocol claims in another form than the fields serialize to: an `aud` array with one member, a date
    /// with a fraction, a `null`.
    verbatim: Map<String, Value>,
}

impl IdTokenClaims {
    /// Reads the payload of an ID token.
    pub(crate) fn from_members(claims: Members<'_>) -> Result<Self, TokenError> {
        Ok(Self {
            iss: issuer(&claims)?,
            sub: subject(&claims)?,
            aud: audience(&claims)?,
            exp: required_date(&claims, "exp")?,
            iat: required_date(&claims, "iat")?,
            auth_time: date(&claims, "auth_time")?,
            nonce: text(&claims, "nonce")?,
            acr: text_or_null(&claims, "acr")?,
            azp: text_or_null(&claims, "azp")?,
            sid: text_or_null(&claims, "sid")?,
            at_hash: text_or_null(&claims, "at_hash")?,
            verbatim: claims
                .iter()
                .filter(|(name, value)| is_written_otherwise(name, value))
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .collect(),
            user: UserClaims::from_members(claims.without(&PROTOCOL_CLAIMS)),
        })
    }

    /// The claims for a token that cannot be read: those of an unknown user, a different one for each token.
    pub(crate) fn unreadable(token: &Secret) -> Self {
        let digest = Sha256::digest(token.expose());
        Self {
            iss: String::new(),
            sub: format!("unreadable-{}", URL_SAFE_NO_PAD.encode_to_string(digest)),
            aud: Vec::new(),
            exp: UnixTime::from_secs(0),
            iat: UnixTime::from_secs(0),
            auth_time: None,
            nonce: None,
            acr: None,
            azp: None,
            sid: None,
            at_hash: None,
            user: UserClaims::default(),
            verbatim: Map::new(),
        }
    }

    /// All claims as JSON, as received.
    pub fn to_map(&self) -> Map<String, Value> {
        let mut claims = self.user.to_map();
        claims.extend(self.protocol_claims());
        claims.extend(self.verbatim.clone());
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

    fn protocol_claims(&self) -> Map<String, Value> {
        let audience = match self.aud.as_slice() {
            [only] => Value::from(only.as_str()),
            several => Value::from(several),
        };
        let required = [
            ("iss", Value::from(self.iss.as_str())),
            ("sub", Value::from(self.sub.as_str())),
            ("aud", audience),
            ("exp", Value::from(self.exp.as_secs())),
            ("iat", Value::from(self.iat.as_secs())),
        ];
        let optional = [
            (
                "auth_time",
                self.auth_time.map(|time| Value::from(time.as_secs())),
            ),
            ("nonce", self.nonce.as_deref().map(Value::from)),
            ("acr", self.acr.as_deref().map(Value::from)),
            ("azp", self.azp.as_deref().map(Value::from)),
            ("sid", self.sid.as_deref().map(Value::from)),
            ("at_hash", self.at_hash.as_deref().map(Value::from)),
        ];
        let present = optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        required
            .into_iter()
            .chain(present)
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}

/// Whether this value differs in form from what [`IdTokenClaims::protocol_claims`] produces.
fn is_written_otherwise(name: &str, value: &Value) -> bool {
    match (name, value) {
        ("aud", Value::Array(audiences)) => audiences.len() == 1,
        ("exp" | "iat" | "auth_time", Value::Number(seconds)) => !seconds.is_u64(),
        ("acr" | "azp" | "sid" | "at_hash", Value::Null) => true,
        _ => false,
    }
}

impl fmt::Debug for IdTokenClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdTokenClaims")
            .field("iss", &self.iss)
            .field("sub", &self.sub)
            .field("claims", &self.to_map().keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Serialize for IdTokenClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_map().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for IdTokenClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let claims = Members::from(Map::deserialize(deserializer)?);
        Self::from_members(claims).map_err(serde::de::Error::custom)
    }
}
