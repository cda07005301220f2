//! Logto's own APIs.

use std::error::Error;

use http::Method;
use logto::client::{http::HttpClient, m2m::M2mClient};
use logto::core::logto_api::{AccountApi, ManagementApi};
use logto::{LogtoConfig, TokenTarget, WritableSession};
use serde_json::{Value, json};

// ANCHOR: account
/// Changes the name of the user who is signed in.
pub async fn rename(
    config: &LogtoConfig,
    session: &WritableSession,
    http: &dyn HttpClient,
    name: &str,
) -> Result<u16, Box<dyn Error>> {
    let token = session.access_token(&TokenTarget::user_info()).await?;
    let account = AccountApi::new(config, &token);
    let body = json!({ "name": name });
    let request = account.request(Method::PATCH, &["my-account"], Some(&body))?;
    Ok(http.send(request).await?.status().as_u16())
}
// ANCHOR_END: account

// ANCHOR: management
/// The users of the tenant. The machine-to-machine application needs a role with `all` of the Management API.
pub async fn users(
    api: &ManagementApi,
    machine: &M2mClient,
    http: &dyn HttpClient,
) -> Result<Value, Box<dyn Error>> {
    let token = machine.token(&api.target()).await?;
    let query = [("page", "1"), ("page_size", "20")];
    let request = api.request(&token, Method::GET, &["users"], &query, None)?;
    Ok(serde_json::from_slice(http.send(request).await?.body())?)
}
// ANCHOR_END: management
