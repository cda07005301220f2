//! The routes for scripts: handlers of axum.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use logto::axum::{ReadOnly, Request, Result, Session};
use logto::core::claims::UserInfo;
use logto::web::RequestSession;
use logto::{AccessToken, Cached, TokenTarget};
use serde_json::{Value, json};

// ANCHOR: user_info
pub(crate) async fn user_info(session: Session) -> Result<Json<UserInfo>> {
    Ok(Json(session.user_info().await?))
}
// ANCHOR_END: user_info

// ANCHOR: tokens
/// Fetches the token if there is none, and stores it.
pub(crate) async fn orders(request: Request, session: Session) -> Result<Json<Value>> {
    let token = session.access_token(&orders_api(&request)).await?;
    Ok(Json(scopes(&token)))
}
// ANCHOR_END: tokens

// ANCHOR: read_only
/// Fetches nothing.
pub(crate) async fn cached_orders(request: Request, session: ReadOnly) -> Result<Response> {
    match session.access_token(&orders_api(&request)) {
        Cached::Valid(token) => Ok(Json(scopes(&token)).into_response()),
        Cached::NeedsRefresh => {
            let problem = Json(json!({ "error": "needs_refresh" }));
            Ok((StatusCode::CONFLICT, problem).into_response())
        }
        Cached::Never(error) => Err(error.into()),
    }
}
// ANCHOR_END: read_only

// ANCHOR: organizations
pub(crate) async fn organizations(session: Session) -> Result<Json<BTreeMap<String, Value>>> {
    let tokens = session.organization_tokens().await?.into_iter();
    let tokens = tokens.map(|(id, token)| match token {
        Ok(token) => (id, scopes(&token)),
        Err(error) => (id, json!({ "error": error.code() })),
    });
    Ok(Json(tokens.collect()))
}

pub(crate) async fn organization_orders(
    request: Request,
    session: Session,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let api = orders_api(&request).in_organization(id);
    Ok(Json(scopes(&session.access_token(&api).await?)))
}
// ANCHOR_END: organizations

/// The first API of the configuration.
pub(crate) fn orders_api(request: &RequestSession) -> TokenTarget {
    let resources = request.app().client().config().resources();
    resources
        .first()
        .map_or_else(TokenTarget::user_info, TokenTarget::resource)
}

fn scopes(token: &AccessToken) -> Value {
    json!({ "scopes": token.scopes })
}
