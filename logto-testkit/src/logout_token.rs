//! Logout tokens of back-channel logout.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{Method, Request, header::CONTENT_TYPE};
use url::form_urlencoded;

use crate::{context::Context, json::Members, keys::KeyError};

const TTL: Duration = Duration::from_secs(120);

/// A logout token that Logto sends when a session ends
/// ([OpenID Connect Back-Channel Logout 1.0](https://openid.net/specs/openid-connect-backchannel-1_0.html)).
#[derive(Clone)]
pub struct LogoutToken {
    client_id: String,
    uri: String,
    token: String,
}

impl LogoutToken {
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

/// The logout token for an application, if it wants any.
pub(crate) fn issue(
    cx: &mut Context<'_>,
    client_id: &str,
    sub: &str,
    sid: &str,
) -> Result<Option<LogoutToken>, KeyError> {
    let app = cx.state.tenant.apps.get(client_id);
    let Some(logout) = app.and_then(|app| app.backchannel_logout.clone()) else {
        return Ok(None);
    };
    let iat = cx.now.seconds();
    let event = Members::new().with(
        "http://schemas.openid.net/event/backchannel-logout",
        Members::new(),
    );
    let claims = Members::new()
        .with("sub", sub)
        .with("events", event)
        .with("jti", cx.state.random.token())
        .with_some("sid", logout.session_required.then_some(sid))
        .with("aud", client_id)
        .with("exp", iat + TTL.as_secs())
        .with("iat", iat)
        .with("iss", cx.issuer());
    let token = cx.state.keys.sign(Some("logout+jwt"), &claims)?;
    Ok(Some(LogoutToken {
        client_id: client_id.to_owned(),
        uri: logout.uri,
        token,
    }))
}
