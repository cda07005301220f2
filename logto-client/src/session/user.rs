//! What a session knows about its user beyond the ID token: userinfo, and the user's organizations.

use logto_core::{
    AccessToken, TokenTarget, claims::UserInfo, error::OAuthErrorCode, user_info::FetchUserInfo,
    vocabulary::UserScope,
};

use super::WritableSession;
use crate::error::Error;

impl WritableSession {
    /// Fetches the user's claims from the userinfo endpoint ([OpenID Connect Core, section
    /// 5.3](https://openid.net/specs/openid-connect-core-1_0.html#UserInfo)). They are newer than those of
    /// the ID token, and include those that Logto excludes from it.
    ///
    /// If the endpoint refuses the access token, for example because it was revoked, a new one is fetched once.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token).
    pub async fn user_info(&self) -> Result<UserInfo, Error> {
        let target = TokenTarget::user_info();
        let token = self.access_token(&target).await?;
        match self.fetch_user_info(&token).await {
            Err(error) if error.is_oauth(&OAuthErrorCode::InvalidToken) => {
                let token = self.refresh_access_token(&target).await?;
                self.fetch_user_info(&token).await
            }
            outcome => outcome,
        }
    }

    async fn fetch_user_info(&self, token: &AccessToken) -> Result<UserInfo, Error> {
        let provider = self.provider();
        let fetch = async {
            let metadata = provider.metadata().await?;
            let exchange = FetchUserInfo::new(&metadata, token, &self.claims().sub)?;
            provider.exchange(exchange).await
        };
        provider.wait(self.budget(), fetch).await?
    }

    /// The ids of the user's organizations: from the ID token, or from userinfo if the tenant leaves them
    /// out of it.
    ///
    /// # Errors
    /// As [`user_info`](Self::user_info).
    pub async fn organizations(&self) -> Result<Vec<String>, Error> {
        let session = self.snapshot();
        if let Some(organizations) = session.claims().user.organizations.value() {
            return Ok(organizations.clone());
        }
        let scopes = session.granted_scopes();
        if !scopes.contains(UserScope::Organizations.as_str()) {
            return Ok(Vec::new());
        }
        let user = self.user_info().await?.user;
        Ok(user.organizations.into_value().unwrap_or_default())
    }

    /// Returns a token for an organization; short for [`TokenTarget::organization`]. A token from memory is
    /// returned even if the user is no longer a member:
    /// [`refresh_organization_token`](Self::refresh_organization_token) checks it.
    ///
    /// # Errors
    /// As [`access_token`](Self::access_token). If the user is not a member, the code is `access_denied`, and
    /// the session is unchanged.
    pub async fn organization_token(&self, organization_id: &str) -> Result<AccessToken, Error> {
        self.access_token(&TokenTarget::organization(organization_id))
            .await
    }

    /// Fetches a new token for an organization, and so checks whether the user is a member now. If it is
    /// refused, the one in memory is [forgotten](Self::forget).
    ///
    /// # Errors
    /// As [`organization_token`](Self::organization_token).
    pub async fn refresh_organization_token(
        &self,
        organization_id: &str,
    ) -> Result<AccessToken, Error> {
        let target = TokenTarget::organization(organization_id);
        let token = self.refresh_access_token(&target).await;
        if token
            .as_ref()
            .is_err_and(|error| error.is_oauth(&OAuthErrorCode::AccessDenied))
        {
            self.forget(&target).await?;
        }
        token
    }

    /// Returns a token for each of the user's organizations, or the error instead of one. A token that is
    /// refused does not affect the others.
    ///
    /// The organizations are those of the ID token, and tokens come from memory if possible: a removed
    /// membership shows at the next refresh. For the current state, use
    /// [`refresh_organization_token`](Self::refresh_organization_token).
    ///
    /// # Errors
    /// As [`organizations`](Self::organizations).
    pub async fn organization_tokens(
        &self,
    ) -> Result<Vec<(String, Result<AccessToken, Error>)>, Error> {
        let mut tokens = Vec::new();
        for organization_id in self.organizations().await? {
            let token = self.organization_token(&organization_id).await;
            tokens.push((organization_id, token));
        }
        Ok(tokens)
    }
}
