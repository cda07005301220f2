//! Requests to the [Management API](https://docs.logto.io/integrate-logto/interact-with-management-api).

use bytes::Bytes;
use http::{Method, Request};
use serde_json::Value;
use url::Url;

use crate::{
    api_request,
    config::LogtoConfig,
    error::{UsageError, sanitized},
    tokens::{AccessToken, TokenTarget},
};

/// The Management API of a tenant: which token it takes, and requests to be sent as they are.
///
/// The token comes from [`ClientCredentials`](crate::grants::ClientCredentials), for a
/// machine-to-machine application whose role permits `all` of the Management API.
///
/// ```
/// # use logto_core::{grants::ClientCredentials, management_api::ManagementApi, metadata::*, error::*, *};
/// # fn requests(config: &LogtoConfig, metadata: &ProviderMetadata, now: UnixTime, token: &AccessToken) -> Result<(), UsageError> {
/// # use http::Method;
/// let management = ManagementApi::cloud("my-tenant")?;
/// let credentials = ClientCredentials::new(config, metadata, management.target(), now)?;
/// // … gives the token, for an hour.
/// let users = management.request(token, Method::GET, &["users"], &[("page_size", "20")], None)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementApi {
    root: Url,
    indicator: String,
}

impl ManagementApi {
    /// Of a tenant of Logto Cloud, by its id: `https://<tenant>.logto.app/api`. The indicator is the
    /// same for a tenant with a custom domain.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] for what cannot be the id of a tenant.
    pub fn cloud(tenant_id: &str) -> Result<Self, UsageError> {
        let is_label = !tenant_id.is_empty()
            && tenant_id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        let root = Url::parse(&format!("https://{tenant_id}.logto.app"));
        match root {
            Ok(root) if is_label => Ok(Self {
                root,
                indicator: format!("https://{tenant_id}.logto.app/api"),
            }),
            _ => Err(UsageError::InvalidParameter(format!(
                "`{}` is not the id of a tenant",
                sanitized(tenant_id, 64)
            ))),
        }
    }

    /// Of a Logto that you run yourself, at the configured endpoint. Its indicator is always
    /// `https://default.logto.app/api`, which is a name and not an address.
    pub fn self_hosted(config: &LogtoConfig) -> Self {
        Self {
            root: config.endpoint().clone(),
            indicator: "https://default.logto.app/api".to_owned(),
        }
    }

    /// The resource indicator.
    pub fn indicator(&self) -> &str {
        &self.indicator
    }

    /// The token to ask for: for the indicator, with the scope `all`.
    pub fn target(&self) -> TokenTarget {
        TokenTarget::resource(&self.indicator).with_scopes(["all"])
    }

    /// A request below `/api`, with a query and a JSON body.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] for a segment that cannot be one.
    pub fn request(
        &self,
        access_token: &AccessToken,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Request<Bytes>, UsageError> {
        let segments = [&["api"], segments].concat();
        api_request::request(
            &self.root,
            &access_token.token,
            method,
            &segments,
            query,
            body,
        )
    }
}
