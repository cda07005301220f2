//! Protocol errors with Logto's bodies: `{code, message, error_uri?, error, error_description, scope?}`.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::WWW_AUTHENTICATE};

use crate::{json::Members, keys::KeyError, reply};

pub(crate) type Outcome<T> = Result<T, OAuthError>;

#[derive(Clone, Debug)]
pub(crate) struct OAuthError {
    pub(crate) status: StatusCode,
    pub(crate) error: &'static str,
    pub(crate) description: String,
    /// The scopes that are missing, where the error is about scopes.
    pub(crate) scope: Option<String>,
    /// The value of `WWW-Authenticate`.
    pub(crate) challenge: Option<String>,
}

impl OAuthError {
    pub(crate) fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            description: description.into(),
            scope: None,
            challenge: None,
        }
    }

    pub(crate) fn invalid_request(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        Self::invalid_request(format!("missing required parameter '{name}'"))
    }

    /// Logto never says which grant problem it is.
    pub(crate) fn invalid_grant() -> Self {
        Self::new("invalid_grant", "grant request is invalid")
    }

    pub(crate) fn invalid_target() -> Self {
        Self::new(
            "invalid_target",
            "resource indicator is missing, or unknown",
        )
    }

    pub(crate) fn access_denied(description: &'static str) -> Self {
        Self {
            status: StatusCode::FORBIDDEN,
            ..Self::new("access_denied", description)
        }
    }

    pub(crate) fn unrecognized_route(method: &http::Method, path: &str) -> Self {
        let description = format!("unrecognized route or not allowed method ({method} on {path})");
        Self {
            status: StatusCode::NOT_FOUND,
            ..Self::invalid_request(description)
        }
    }

    fn message(&self) -> String {
        match self.error {
            "access_denied" => "Access denied.",
            "insufficient_scope" => "Token missing scope `{{scope}}`.",
            "invalid_grant" => "Grant request is invalid.",
            "invalid_redirect_uri" => {
                "`redirect_uri` did not match any of the client's registered `redirect_uris`."
            }
            "invalid_request" => "Request is invalid.",
            "invalid_scope" => "Invalid scope: {{error_description}}.",
            "invalid_target" => "Invalid resource indicator.",
            "invalid_token" => "Invalid token provided.",
            "unsupported_grant_type" => "Unsupported `grant_type` requested.",
            "unsupported_response_mode" => "Unsupported `response_mode` requested.",
            "unsupported_response_type" => "Unsupported `response_type` requested.",
            other => return format!("An OIDC error occurred: oidc.{other}."),
        }
        .to_owned()
    }

    pub(crate) fn body(&self) -> Members {
        if self.status.is_server_error() {
            return Members::new()
                .with("error", self.error)
                .with("error_description", self.description.as_str());
        }
        let uri =
            (self.error == "invalid_grant").then_some("https://openid.sh/debug/invalid_grant");
        Members::new()
            .with("code", format!("oidc.{}", self.error))
            .with("message", self.message())
            .with_some("error_uri", uri)
            .with("error", self.error)
            .with("error_description", self.description.as_str())
            .with_some("scope", self.scope.as_deref())
    }

    pub(crate) fn into_response(self) -> Response<Bytes> {
        let mut response = reply::json(self.status, &self.body());
        if let Some(Ok(challenge)) = self.challenge.map(HeaderValue::try_from) {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<KeyError> for OAuthError {
    fn from(_: KeyError) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Self::new("server_error", "oops! something went wrong")
        }
    }
}
