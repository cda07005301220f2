//! What the application may do in its own name.

use std::collections::BTreeSet;

use axum::{Json, extract::State, response::Result};
use http::HeaderMap;
use logto::{AccessToken, Error, TokenTarget};
use serde::{Deserialize, Serialize};

use super::{MaybeQuery, NotConfigured, required};
use crate::{
    adapter::{refused, signed_in},
    app::App,
};

/// The API resource.
#[derive(Debug, Deserialize)]
pub(crate) struct ResourceQuery {
    resource: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct MachineToken {
    access_token: String,
    expires_at: i64,
    scopes: BTreeSet<String>,
}

/// `GET /machine-token`: a token of the machine-to-machine application. It is shown to users who are
/// signed in only, and to them because this is an example.
pub(crate) async fn token(
    State(app): State<App>,
    headers: HeaderMap,
    query: MaybeQuery<ResourceQuery>,
) -> Result<Json<MachineToken>> {
    let ResourceQuery { resource } = required(query)?;
    let session = app
        .web
        .read_only_session(&headers)
        .await
        .map_err(refused(&app.web))?;
    signed_in(&session).map_err(refused(&app.web))?;
    let token = fetch(&app, &resource)
        .await
        .ok_or(NotConfigured)?
        .map_err(refused(&app.web))?;
    Ok(Json(MachineToken {
        access_token: token.token.expose().to_owned(),
        expires_at: token.expires_at.as_secs(),
        scopes: token.scopes,
    }))
}

/// A token for an API resource with all the scopes that are configured, unless there is no such
/// application.
pub(crate) async fn fetch(app: &App, resource: &str) -> Option<Result<AccessToken, Error>> {
    let machine = app.machine.as_ref()?;
    let target = TokenTarget::resource(resource).with_scopes(machine.scopes.iter().cloned());
    Some(machine.client.token(&target).await)
}
