//! APIs that accept access tokens.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use logto::LogtoConfig;
use logto::axum::{Guard, Token};
use logto::client::BuildError;
use logto::client::http::HttpClient;
use logto::client::resource_server::{Refusal, ResourceServer};
use logto::core::api_token::{AccessTokenVerification, ApiTokenClaims};
use logto::core::introspection::OpaqueTokenVerification;

/// The API of these examples.
pub const API: &str = "https://shop.example.com/api";

// ANCHOR: server
/// One value for the whole API. It fetches the keys of Logto when the first token arrives.
pub fn server(
    config: LogtoConfig,
    http: impl HttpClient + 'static,
) -> Result<ResourceServer, BuildError> {
    ResourceServer::new(config, http)
}
// ANCHOR_END: server

// ANCHOR: guard
/// A token for this API, with the permission to read products.
pub fn products(server: &ResourceServer) -> Router {
    let demands =
        AccessTokenVerification::api(server.issuer(), API).require_scopes(["read:products"]);
    Router::new()
        .route("/products", get(list_products))
        .route_layer(Guard::token(server.clone(), demands))
}

async fn list_products(token: Token) -> String {
    format!("products for {}", token.sub)
}
// ANCHOR_END: guard

// ANCHOR: organization
/// The path names the organization, and the token has to be for this one.
pub fn shipments(server: &ResourceServer) -> Router {
    Router::new()
        .route("/organizations/{id}/shipments", get(list_shipments))
        .route("/organizations/{id}/products", get(list_their_products))
        .with_state(server.clone())
}

/// A permission of the organization template.
async fn list_shipments(
    State(server): State<ResourceServer>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let demands = AccessTokenVerification::organization(server.issuer(), &id)
        .require_scopes(["read:shipments"]);
    answer(server.authorize(&headers, &demands).await)
}

/// A permission of the API, which the user has within the organization.
async fn list_their_products(
    State(server): State<ResourceServer>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let demands = AccessTokenVerification::organization_api(server.issuer(), API, &id)
        .require_scopes(["read:products"]);
    answer(server.authorize(&headers, &demands).await)
}

fn answer(outcome: Result<Arc<ApiTokenClaims>, Refusal>) -> Response {
    match outcome {
        Ok(claims) => (StatusCode::OK, format!("for {}", claims.sub)).into_response(),
        Err(refusal) => refusal.response().map(Into::into),
    }
}
// ANCHOR_END: organization

// ANCHOR: opaque
/// An opaque token says nothing by itself: Logto is asked. Name the applications whose tokens you accept.
pub async fn opaque(
    server: &ResourceServer,
    token: &str,
    applications: &[String],
) -> Result<ApiTokenClaims, Refusal> {
    let demands = OpaqueTokenVerification::of_applications(server.issuer(), applications);
    server.introspect(token, &demands).await
}
// ANCHOR_END: opaque

// ANCHOR: issuers
/// The same Logto under two domains, or two tenants. A token has to meet the demands for the issuer that it names.
pub async fn of_either(
    server: &ResourceServer,
    issuers: &[String],
    headers: &HeaderMap,
) -> Result<Arc<ApiTokenClaims>, Refusal> {
    let demands: Vec<_> = issuers
        .iter()
        .map(|issuer| AccessTokenVerification::api(issuer, API))
        .collect();
    server.authorize_any(headers, &demands).await
}
// ANCHOR_END: issuers
