//! Error responses of the server.

use std::fmt;

use serde_json::{Map, Value};

use super::{Advice, Endpoint, sanitized};

/// An OAuth error object: the server's response to a request, or to a sign-in if it came through the browser
/// ([RFC 6749 sections 4.1.2.1 and 5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2)).
///
/// Received text is cut to 2,048 characters, and control characters are replaced. It may be shown to a
/// developer; escape it before it goes into HTML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{endpoint} endpoint answered {error}{}", .description.as_deref().map(|text| format!(": {text}")).unwrap_or_default())]
#[non_exhaustive]
pub struct ServerError {
    /// The endpoint that responded.
    pub endpoint: Endpoint,
    /// The HTTP status; `None` for an error that came through the browser.
    pub status: Option<u16>,
    /// The `error` member.
    pub error: OAuthErrorCode,
    /// The `error_description` member.
    pub description: Option<String>,
    /// The `error_uri` member.
    pub uri: Option<String>,
    /// Logto's own `code` member, for example `oidc.invalid_grant`. It is not an authorization code.
    pub logto_code: Option<String>,
    /// Logto's `message` member, in the language of the request.
    pub message: Option<String>,
}

impl ServerError {
    /// Reads an OAuth error object with Logto's additions. `None` if `error` is missing or empty.
    pub(crate) fn from_members(
        endpoint: Endpoint,
        status: Option<u16>,
        object: &Map<String, Value>,
    ) -> Option<Self> {
        let text = |name: &str, limit| {
            object
                .get(name)
                .and_then(Value::as_str)
                .map(|text| sanitized(text, limit))
        };
        let error = object
            .get("error")
            .and_then(Value::as_str)
            .filter(|error| !error.is_empty())?;
        Some(Self {
            endpoint,
            status,
            error: OAuthErrorCode::from(error),
            description: text("error_description", 2048),
            uri: text("error_uri", 2048),
            logto_code: text("code", 128),
            message: text("message", 2048),
        })
    }

    pub(super) fn advice(&self) -> Advice {
        use OAuthErrorCode as Code;
        match self.error {
            Code::InvalidClient | Code::UnauthorizedClient | Code::UnsupportedGrantType => {
                Advice::FixConfiguration
            }
            Code::InvalidGrant
            | Code::LoginRequired
            | Code::ConsentRequired
            | Code::InteractionRequired
            | Code::AccountSelectionRequired
            | Code::ExpiredToken => Advice::SignInAgain,
            Code::TemporarilyUnavailable
            | Code::ServerError
            | Code::AuthorizationPending
            | Code::SlowDown => Advice::Retry { after: None },
            _ => Advice::Refused,
        }
    }
}

macro_rules! oauth_error_codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)+) => {
        /// An OAuth 2 or OpenID Connect error code.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum OAuthErrorCode {
            $($(#[$doc])* $variant,)+
            /// A code that this version does not know, cut to 128 characters. Characters that a code cannot
            /// have are replaced.
            Other(String),
        }

        impl OAuthErrorCode {
            /// The code as sent by the server.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(code) => code,
                }
            }
        }

        impl From<&str> for OAuthErrorCode {
            fn from(code: &str) -> Self {
                match code {
                    $($code => Self::$variant,)+
                    other => Self::Other(error_code(other)),
                }
            }
        }
    };
}

oauth_error_codes! {
    /// The request lacks a parameter, repeats one or is otherwise malformed.
    InvalidRequest = "invalid_request",
    /// Client authentication failed.
    InvalidClient = "invalid_client",
    /// The code or refresh token is unknown, expired, revoked, used, or belongs to another client. Logto does
    /// not say which.
    InvalidGrant = "invalid_grant",
    /// This client may not use this grant.
    UnauthorizedClient = "unauthorized_client",
    /// The server does not know this grant.
    UnsupportedGrantType = "unsupported_grant_type",
    /// The scope is unknown, malformed or exceeds what was granted.
    InvalidScope = "invalid_scope",
    /// The resource is unknown or was not granted (RFC 8707).
    InvalidTarget = "invalid_target",
    /// The token is unknown, expired or of the wrong type (RFC 6750).
    InvalidToken = "invalid_token",
    /// The token lacks a scope (RFC 6750). Logto also uses it if the organizations scope was not granted.
    InsufficientScope = "insufficient_scope",
    /// The user or the server denied the request. Logto also uses it if the user is not a member of the
    /// organization, the organization has not granted this application access, or the organization requires
    /// MFA.
    AccessDenied = "access_denied",
    /// The token cannot be revoked or introspected, for example because it is a JWT (RFC 7009).
    UnsupportedTokenType = "unsupported_token_type",
    /// The response type is not available to this client.
    UnsupportedResponseType = "unsupported_response_type",
    /// The response mode is not available.
    UnsupportedResponseMode = "unsupported_response_mode",
    /// The redirect URI is not registered.
    InvalidRedirectUri = "invalid_redirect_uri",
    /// `prompt=none`, and no user is signed in (OpenID Connect Core 3.1.2.6).
    LoginRequired = "login_required",
    /// `prompt=none`, and the user would have to consent.
    ConsentRequired = "consent_required",
    /// `prompt=none`, and the user would have to interact.
    InteractionRequired = "interaction_required",
    /// `prompt=none`, and the user would have to choose an account.
    AccountSelectionRequired = "account_selection_required",
    /// Device flow: the user has not decided yet (RFC 8628).
    AuthorizationPending = "authorization_pending",
    /// Device flow: poll less often (RFC 8628).
    SlowDown = "slow_down",
    /// Device flow: the code has expired (RFC 8628).
    ExpiredToken = "expired_token",
    /// The server failed.
    ServerError = "server_error",
    /// The server is overloaded or in maintenance.
    TemporarilyUnavailable = "temporarily_unavailable",
}

impl fmt::Display for OAuthErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error code according to RFC 6749: printable ASCII without quotes and backslashes.
fn error_code(text: &str) -> String {
    text.chars()
        .take(128)
        .map(|c| match c {
            ' ' | '!' | '#'..='[' | ']'..='~' => c,
            _ => '\u{FFFD}',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c43_logtos_extra_error_members_are_exposed_and_not_confused_with_a_code() {
        let object = serde_json::from_str(
            r#"{"code":"oidc.invalid_grant","message":"Grant request is invalid.","error":"invalid_grant",
                "error_description":"grant request is invalid","error_uri":"https://openid.sh/debug/invalid_grant","extra":1}"#,
        )
        .unwrap();
        let error = ServerError::from_members(Endpoint::Token, Some(400), &object).unwrap();
        assert_eq!(error.error, OAuthErrorCode::InvalidGrant);
        assert_eq!(error.logto_code.as_deref(), Some("oidc.invalid_grant"));
        assert_eq!(
            error.to_string(),
            "token endpoint answered invalid_grant: grant request is invalid"
        );
    }
}
