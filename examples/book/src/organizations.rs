//! Tokens for organizations.

use logto::{Cached, Error, ReadOnlySession, TokenTarget, WritableSession};

// ANCHOR: one
/// For the organization itself. The audience is `urn:logto:organization:acme`.
pub async fn shipments(session: &WritableSession) -> Result<Vec<String>, Error> {
    let token = session.organization_token("acme").await?;
    Ok(token.scopes.into_iter().collect())
}

/// For an API within the organization. The audience is the API, and the token names the organization.
pub async fn products(session: &WritableSession, api: &str) -> Result<Vec<String>, Error> {
    let target = TokenTarget::resource(api).in_organization("acme");
    let token = session.access_token(&target).await?;
    Ok(token.scopes.into_iter().collect())
}
// ANCHOR_END: one

// ANCHOR: all
/// For each organization of the user. One that is refused does not fail the others.
pub async fn overview(session: &WritableSession) -> Result<Vec<String>, Error> {
    let tokens = session.organization_tokens().await?.into_iter();
    let lines = tokens.map(|(id, token)| match token {
        Ok(token) => format!("{id}: {:?}", token.scopes),
        Err(error) => format!("{id}: {}", error.code()),
    });
    Ok(lines.collect())
}
// ANCHOR_END: all

// ANCHOR: read_only
/// Fetches nothing.
pub fn shipments_link(session: &ReadOnlySession) -> &'static str {
    match session.organization_token("acme") {
        Cached::Valid(_) => "your shipments",
        Cached::NeedsRefresh => "load your shipments",
        Cached::Never(_) => "no shipments here",
    }
}
// ANCHOR_END: read_only

// ANCHOR: fresh
/// A token from memory is up to an hour old. Ask for a new one after a role has changed.
pub async fn after_a_change(session: &WritableSession) -> Result<Vec<String>, Error> {
    let token = session.refresh_organization_token("acme").await?;
    Ok(token.scopes.into_iter().collect())
}
// ANCHOR_END: fresh
