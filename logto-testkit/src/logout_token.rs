//! Logout tokens of back-channel logout.

use std::fmt;

use bytes::Bytes;
use http::{Method, Request, header::CONTENT_TYPE};
use url::form_urlencoded;

/// A logout token that Logto sends when a session ends
/// ([OpenID Connect Back-Channel Logout 1.0](https://openid.net/specs/openid-connect-backchannel-1_0.html)).
#[derive(Clone)]
pub struct LogoutToken {
    client_id: String,
    uri: String,
    token: String,
}

impl LogoutToken {
    pub(crate) fn new(client_id: String, uri: String, token: String) -> Self {
        Self {
            client_id,
            uri,
            token,
        }
    }

    /// The application that is told.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Its back-channel logout URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The token, a signed JWT with `typ` `logout+jwt`, valid for 120 seconds.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The request that Logto sends.
    ///
    /// # Errors
    ///
    /// When the application's back-channel logout URI is not a URI.
    pub fn to_request(&self) -> Result<Request<Bytes>, http::Error> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let body = form.append_pair("logout_token", &self.token).finish();
        Request::builder()
            .method(Method::POST)
            .uri(&self.uri)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(body))
    }
}

impl fmt::Debug for LogoutToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogoutToken")
            .field("client_id", &self.client_id)
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}
