//! What the application may do in its own name.

use std::collections::BTreeSet;

use axum::{
    Json,
    extract::{Query, State, rejection::QueryRejection},
};
use logto::{AccessToken, Error, TokenTarget, axum::User};
use serde::{Deserialize, Serialize};

use super::{Refusal, signed_in};
use crate::app::App;

/// The API resource.
#[derive(Debug, Deserialize)]
pub(crate) struct ResourceQuery {
    resource: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct MachineToken {
    expires_at: i64,
    scopes: BTreeSet<String>,
}

/// `GET /machine-token`: what a token of the machine-to-machine application allows, for users who are signed
/// in. The token itself stays here: whoever has it acts as the application.
pub(crate) async fn token(
    State(app): State<App>,
    user: Option<User>,
    query: Result<Query<ResourceQuery>, QueryRejection>,
) -> Result<Json<MachineToken>, Refusal> {
    let Query(ResourceQuery { resource }) =
        query.map_err(|rejection| Refusal::BadQuery(rejection.body_text()))?;
    signed_in(user)?;
    let token = fetch(&app, &resource).await;
    let token = token.ok_or(Refusal::NotConfigured)??;
    Ok(Json(MachineToken {
        expires_at: token.expires_at.as_secs(),
        scopes: (*token.scopes).clone(),
    }))
}

/// A token for an API resource with all the scopes that are configured, unless there is no such
/// application.
pub(crate) async fn fetch(app: &App, resource: &str) -> Option<Result<AccessToken, Error>> {
    let machine = app.machine.as_ref()?;
    let target = TokenTarget::resource(resource).with_scopes(machine.scopes.iter().cloned());
    Some(machine.client.token(&target).await)
}
