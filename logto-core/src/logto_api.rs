//! Requests to Logto's own APIs: the
//! [Account API](https://docs.logto.io/end-user-flows/account-settings/by-account-api), by which users
//! manage their own accounts, and the
//! [Management API](https://docs.logto.io/integrate-logto/interact-with-management-api) of a tenant.
//!
//! Both have many endpoints, so there is no method for each of them. This module covers what is easy to get
//! wrong: which token they require, their URLs, ids as path segments, and the header of a verification
//! record.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use serde_json::Value;
use url::Url;

use crate::{
    config::LogtoConfig,
    error::{UsageError, sanitized},
    exchange,
    secret::Secret,
    tokens::{AccessToken, TokenTarget},
};

/// The header for the id of a verification record.
const VERIFICATION_HEADER: HeaderName = HeaderName::from_static("logto-verification-id");

/// Requests to the Account API for one user. Send them unchanged.
///
/// ```
/// # use logto_core::{logto_api::AccountApi, error::UsageError, AccessToken, LogtoConfig};
/// # fn requests(config: &LogtoConfig, token: &AccessToken, record: &str) -> Result<(), UsageError> {
/// # use http::Method;
/// # use serde_json::json;
/// let account = AccountApi::new(config, token);
/// let profile = account.request(Method::GET, &["my-account"], None)?;
///
/// // Sensitive changes need a verification record, which this request returns:
/// let password = json!({ "password": "what the user types" });
/// let verify = account.request(Method::POST, &["verifications", "password"], Some(&password))?;
/// let email = json!({ "email": "new@example.com", "newIdentifierVerificationRecordId": "id" });
/// let change = account
///     .verified_by(record)
///     .request(Method::POST, &["my-account", "primary-email"], Some(&email))?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct AccountApi {
    root: Url,
    access_token: Secret,
    verification_record: Option<Secret>,
}

impl AccountApi {
    /// `access_token` is the token for [`TokenTarget::user_info`](crate::TokenTarget::user_info). Its scopes
    /// decide which parts of the account are accessible.
    pub fn new(config: &LogtoConfig, access_token: &AccessToken) -> Self {
        Self {
            root: config.endpoint().clone(),
            access_token: access_token.token.clone(),
            verification_record: None,
        }
    }

    /// Adds the proof that the user has been verified to each request: the `verificationRecordId` of the
    /// Verification API, valid for ten minutes.
    #[must_use]
    pub fn verified_by(mut self, verification_record: impl Into<Secret>) -> Self {
        self.verification_record = Some(verification_record.into());
        self
    }

    /// A request below `/api`, with an optional JSON body.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] if a segment is empty, `.` or `..`, or if the verification record is
    /// not allowed in a header.
    pub fn request(
        &self,
        method: Method,
        segments: &[&str],
        body: Option<&Value>,
    ) -> Result<Request<Bytes>, UsageError> {
        let mut request = request(&self.root, &self.access_token, method, segments, &[], body)?;
        if let Some(record) = &self.verification_record {
            let mut value = HeaderValue::from_str(record.expose()).map_err(|_| {
                UsageError::InvalidParameter("the verification record is not an id".to_owned())
            })?;
            value.set_sensitive(true);
            request.headers_mut().insert(VERIFICATION_HEADER, value);
        }
        Ok(request)
    }
}

/// Requests to the Management API of a tenant, and the target of its access token.
///
/// The token comes from [`ClientCredentials`](crate::grants::ClientCredentials), for a
/// machine-to-machine application whose role permits `all` of the Management API.
///
/// ```
/// # use logto_core::{grants::ClientCredentials, logto_api::ManagementApi, metadata::*, error::*, *};
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
    /// For a tenant of Logto Cloud, by its id: `https://<tenant>.logto.app/api`. The indicator is the same
    /// for a tenant with a custom domain.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] if the text cannot be the id of a tenant.
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

    /// For a self-hosted Logto at the configured endpoint. Its indicator is always
    /// `https://default.logto.app/api`, which is an identifier and not an address.
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

    /// The target of the access token: the indicator, with the scope `all`.
    pub fn target(&self) -> TokenTarget {
        TokenTarget::resource(&self.indicator).with_scopes(["all"])
    }

    /// A request below `/api`, with a query and an optional JSON body.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] if a segment is empty, `.` or `..`.
    pub fn request(
        &self,
        access_token: &AccessToken,
        method: Method,
        segments: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Request<Bytes>, UsageError> {
        request(
            &self.root,
            &access_token.token,
            method,
            segments,
            query,
            body,
        )
    }
}

/// A request below `/api` of the Logto at `root`, with a bearer token.
///
/// Segments and query are encoded, so that an id with a slash in it stays one segment.
fn request(
    root: &Url,
    access_token: &Secret,
    method: Method,
    segments: &[&str],
    query: &[(&str, &str)],
    body: Option<&Value>,
) -> Result<Request<Bytes>, UsageError> {
    let mut request = exchange::get_with_token(&url(root, segments, query)?, access_token.expose());
    *request.method_mut() = method;
    if let Some(body) = body {
        *request.body_mut() = Bytes::from(body.to_string());
        request.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
    }
    Ok(request)
}

fn url(root: &Url, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, UsageError> {
    // URL parsers resolve these segments even if they are encoded, so the request would go to another
    // endpoint.
    if let Some(segment) = segments
        .iter()
        .find(|segment| ["", ".", ".."].contains(segment))
    {
        return Err(UsageError::InvalidParameter(format!(
            "`{segment}` is not a path segment"
        )));
    }
    let mut url = root.clone();
    url.path_segments_mut()
        .map_err(|()| UsageError::InvalidParameter("the endpoint has no path".to_owned()))?
        .pop_if_empty()
        .push("api")
        .extend(segments);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok(url)
}
