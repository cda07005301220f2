//! Programs that act for themselves, or for a user who is not there.

use std::error::Error;

use logto::client::http::HttpClient;
use logto::client::m2m::M2mClient;
use logto::core::grants::TypedToken;
use logto::{AccessToken, LogtoConfig, Secret, TokenTarget};

/// The API of these examples.
pub const API: &str = "https://shop.example.com/api";

// ANCHOR: client
/// One client for the life of the program. Clones share its tokens.
pub fn machine(
    endpoint: &str,
    app_secret: Secret,
    http: impl HttpClient + 'static,
) -> Result<M2mClient, Box<dyn Error>> {
    let config = LogtoConfig::builder(endpoint, "nightly-report")
        .app_secret(app_secret)
        .build()?;
    Ok(M2mClient::new(config, http)?)
}
// ANCHOR_END: client

// ANCHOR: token
/// From memory, or from Logto. Logto grants only the scopes that the target names.
pub async fn report(machine: &M2mClient) -> Result<AccessToken, logto::Error> {
    let products = TokenTarget::resource(API).with_scopes(["read:products"]);
    machine.token(&products).await
}
// ANCHOR_END: token

// ANCHOR: personal_access_token
/// A script of a user comes with a personal access token and gets a token for the API.
pub async fn for_script(
    machine: &M2mClient,
    personal_access_token: Secret,
) -> Result<AccessToken, logto::Error> {
    let subject = TypedToken::personal_access_token(personal_access_token);
    let target = TokenTarget::resource(API).with_scopes(["read:products"]);
    machine.exchange_token(subject, None, target).await
}
// ANCHOR_END: personal_access_token

// ANCHOR: impersonation
/// Support staff see what a user sees. The Management API has made the subject token, which is valid once.
pub async fn as_user(
    machine: &M2mClient,
    subject_token: Secret,
) -> Result<AccessToken, logto::Error> {
    let subject = TypedToken::access_token(subject_token);
    let target = TokenTarget::resource(API).with_scopes(["read:products"]);
    machine.exchange_token(subject, None, target).await
}
// ANCHOR_END: impersonation
