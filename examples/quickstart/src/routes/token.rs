//! Access tokens on both paths. `resource` and `organization_id` say what for.

use axum::{
    Json,
    extract::{FromRequestParts, Query},
};
use http::request::Parts;
use logto::{
    Cached, TokenTarget,
    axum::{ReadOnly, Session},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Refusal, TokenAnswer, signed_in};

/// `GET /token`: a usable token, fetched if the session has none.
pub(crate) async fn usable(
    Target(target): Target,
    session: Option<Session>,
) -> Result<Json<TokenAnswer>, Refusal> {
    let session = signed_in(session)?;
    let before = session.snapshot();
    let token = session.access_token(&target).await?;
    let held = before.access_tokens().get(&target);
    Ok(Json(TokenAnswer::new(&token, held)))
}

/// `POST /token`: a new token, whatever the session has.
pub(crate) async fn refresh(
    Target(target): Target,
    session: Option<Session>,
) -> Result<Json<TokenAnswer>, Refusal> {
    let token = signed_in(session)?.refresh_access_token(&target).await?;
    Ok(Json(TokenAnswer::new(&token, None)))
}

/// `DELETE /token`: forgets the token; the next one is fetched.
pub(crate) async fn forget(
    Target(target): Target,
    session: Option<Session>,
) -> Result<Json<Value>, Refusal> {
    signed_in(session)?.forget(&target).await?;
    Ok(Json(json!({ "forgotten": true })))
}

/// `GET /token/read-only`: the token that the session has, or 409 `needs_refresh`: nothing is fetched
/// and nothing is stored.
pub(crate) async fn read_only(
    Target(target): Target,
    session: Option<ReadOnly>,
) -> Result<Json<TokenAnswer>, Refusal> {
    match signed_in(session)?.access_token(&target) {
        Cached::Valid(token) => Ok(Json(TokenAnswer::new(&token, Some(&token)))),
        Cached::NeedsRefresh => Err(Refusal::NeedsRefresh),
        Cached::Never(error) => Err(error.into()),
    }
}

/// What the query asks for. Without parameters that is the userinfo endpoint.
#[derive(Debug)]
pub(crate) struct Target(TokenTarget);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TargetQuery {
    resource: String,
    organization_id: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Query(TargetQuery {
            resource,
            organization_id,
        }) = Query::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Refusal::BadQuery(rejection.body_text()))?;
        Ok(Self(match (resource.as_str(), organization_id.as_str()) {
            ("", "") => TokenTarget::user_info(),
            (_, "") => TokenTarget::resource(resource),
            ("", _) => TokenTarget::organization(organization_id),
            (_, _) => TokenTarget::resource(resource).in_organization(organization_id),
        }))
    }
}
