//! The userinfo endpoint
//! ([OpenID Connect Core 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)).

use bytes::Bytes;
use http::{Request, Response};
use url::Url;

use crate::{
    claims::UserInfo,
    error::{Endpoint, Error, UsageError},
    exchange::{self, Exchange},
    metadata::ProviderMetadata,
    secret::Secret,
    time::UnixTime,
    tokens::AccessToken,
};

/// Fetches the user's claims: those that Logto excludes from the ID token, and those that have changed.
#[derive(Clone, Debug)]
pub struct FetchUserInfo {
    endpoint: Url,
    access_token: Secret,
    subject: String,
}

impl FetchUserInfo {
    /// `access_token` is the token for [`TokenTarget::user_info`](crate::TokenTarget::user_info), and `sub`
    /// that of the ID token. Logto refuses tokens for API resources here.
    ///
    /// # Errors
    /// [`UsageError::EndpointNotAdvertised`].
    pub fn new(
        metadata: &ProviderMetadata,
        access_token: &AccessToken,
        subject: &str,
    ) -> Result<Self, UsageError> {
        Ok(Self {
            endpoint: metadata.endpoint(Endpoint::UserInfo)?.clone(),
            access_token: access_token.token.clone(),
            subject: subject.to_owned(),
        })
    }
}

impl Exchange for FetchUserInfo {
    const ENDPOINT: Endpoint = Endpoint::UserInfo;

    type Output = UserInfo;

    fn request(&self) -> Request<Bytes> {
        exchange::get_with_token(&self.endpoint, self.access_token.expose())
    }

    /// # Errors
    /// In addition to the usual errors, [`Error::Response`] if `sub` is missing or another user's.
    fn accept(self, response: Response<Bytes>, now: UnixTime) -> Result<UserInfo, Error> {
        let claims = exchange::json_object(Self::ENDPOINT, &response, now)?;
        let user_info = UserInfo::from_members(claims.into())
            .map_err(|error| exchange::unusable(Self::ENDPOINT, &response, error.to_string()))?;
        if user_info.sub != self.subject {
            let problem = "`sub` is not the user who signed in";
            return Err(exchange::unusable(Self::ENDPOINT, &response, problem).into());
        }
        Ok(user_info)
    }
}
