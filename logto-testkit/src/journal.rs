//! The requests that the provider received, for tests to inspect.

use std::fmt;

use http::{HeaderMap, Method, StatusCode};

use crate::{
    client_assertion::Assertion,
    request::{Incoming, Params},
};

/// A kind of endpoint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Endpoint {
    /// `/oidc/.well-known/openid-configuration` and `/oidc/.well-known/oauth-authorization-server`.
    Discovery,
    /// `/oidc/jwks`.
    Jwks,
    /// `/oidc/auth`.
    Authorization,
    /// `/oidc/token`.
    Token,
    /// `/oidc/me`.
    UserInfo,
    /// `/oidc/token/revocation`.
    Revocation,
    /// `/oidc/token/introspection`.
    Introspection,
    /// `/oidc/session/end` and what follows from it.
    EndSession,
    /// `/oidc/device/auth`.
    DeviceAuthorization,
    /// `/oidc/request`.
    PushedAuthorization,
    /// The sign-in page and the other pages.
    Page,
    /// `/api/…`: the Account API and the Management API.
    Api,
    /// Everything else: answered with 404.
    Other,
}

/// A request that reached the provider. Its values, secrets too, can be read for comparison; `Debug` shows
/// none of them.
#[derive(Clone)]
pub struct RequestRecord {
    endpoint: Endpoint,
    method: Method,
    path: String,
    headers: HeaderMap,
    params: Params,
    client_id: Option<String>,
    status: Option<StatusCode>,
}

impl RequestRecord {
    pub(crate) fn new(endpoint: Endpoint, request: &Incoming) -> Self {
        let mut params = request.query.clone();
        params.extend(request.form().unwrap_or_default());
        let basic = request.basic().and_then(Result::ok).map(|(id, _)| id);
        let asserted = params.get("client_assertion").and_then(Assertion::decode);
        Self {
            endpoint,
            method: request.method.clone(),
            path: request.path.clone(),
            headers: request.headers.clone(),
            client_id: basic
                .or_else(|| params.get("client_id").map(str::to_owned))
                .or_else(|| asserted?.subject().map(str::to_owned)),
            params,
            status: None,
        }
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = Some(status);
    }

    /// Which endpoint it was for.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path below the provider's endpoint, such as `/oidc/token`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The headers as received.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// A parameter of the query or of the body; the first one if there are several.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name)
    }

    /// The parameter `grant_type`.
    pub fn grant_type(&self) -> Option<&str> {
        self.param("grant_type")
    }

    /// The parameter `resource`.
    pub fn resource(&self) -> Option<&str> {
        self.param("resource")
    }

    /// The parameter `organization_id`.
    pub fn organization_id(&self) -> Option<&str> {
        self.param("organization_id")
    }

    /// The client that sent it, by HTTP Basic, parameter or client assertion; not authenticated.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// The status of the response; `None` if the connection broke instead.
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Whether the client got a response.
    pub fn was_answered(&self) -> bool {
        self.status.is_some()
    }
}

impl fmt::Debug for RequestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestRecord")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("grant_type", &self.grant_type())
            .field("resource", &self.resource())
            .field("organization_id", &self.organization_id())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
