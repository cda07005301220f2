//! Requests to the [Account API](https://docs.logto.io/end-user-flows/account-settings/by-account-api),
//! by which users manage their own accounts.

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use serde_json::Value;
use url::Url;

use crate::{
    api_request, config::LogtoConfig, error::UsageError, secret::Secret, tokens::AccessToken,
};

/// The header that carries the id of a verification record.
pub const VERIFICATION_HEADER: &str = "logto-verification-id";

/// The Account API for one user: requests, to be sent as they are.
///
/// ```
/// # use logto_core::{account_api::AccountApi, error::UsageError, AccessToken, LogtoConfig};
/// # fn requests(config: &LogtoConfig, token: &AccessToken, record: &str) -> Result<(), UsageError> {
/// # use http::Method;
/// # use serde_json::json;
/// let account = AccountApi::new(config, token);
/// let profile = account.request(Method::GET, &["my-account"], None)?;
///
/// // Delicate changes need a verification record, the answer to this:
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
    /// With the token of [`TokenTarget::user_info`](crate::TokenTarget::user_info), whose scopes say
    /// which parts of the account are open.
    pub fn new(config: &LogtoConfig, access_token: &AccessToken) -> Self {
        Self {
            root: config.endpoint().clone(),
            access_token: access_token.token.clone(),
            verification_record: None,
        }
    }

    /// Shows with each request that the user has proved who they are: the `verificationRecordId` of
    /// the Verification API, good for ten minutes.
    #[must_use]
    pub fn verified_by(mut self, verification_record: impl Into<Secret>) -> Self {
        self.verification_record = Some(verification_record.into());
        self
    }

    /// A request below `/api`, with a JSON body.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] for a segment that cannot be one, or a verification record
    /// that cannot stand in a header.
    pub fn request(
        &self,
        method: Method,
        segments: &[&str],
        body: Option<&Value>,
    ) -> Result<Request<Bytes>, UsageError> {
        let segments = [&["api"], segments].concat();
        let mut request =
            api_request::request(&self.root, &self.access_token, method, &segments, &[], body)?;
        if let Some(record) = &self.verification_record {
            let mut value = HeaderValue::from_str(record.expose()).map_err(|_| {
                UsageError::InvalidParameter("not the id of a verification record".to_owned())
            })?;
            value.set_sensitive(true);
            request.headers_mut().insert(VERIFICATION_HEADER, value);
        }
        Ok(request)
    }
}
