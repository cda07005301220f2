//! Logto in axum 0.8: a page that knows its visitor, tokens for an API and for organizations, a page that streams,
//! and a form of the application's own.

use std::{convert::Infallible, slice, time::Duration};

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, State},
    http::StatusCode,
    response::{Html, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use logto::axum::{ReadOnly, Request, Result, RouterExt, Session, User};
use logto::{AccessToken, Cached, LogtoApp, TokenTarget};
use serde_json::{Map, Value, json};

// ANCHOR: start
#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let logto = logto::test::demo_or_env().await?;
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(axum::serve(listener, router(logto)).await?)
}
// ANCHOR_END: start

// ANCHOR: routes
fn router(logto: LogtoApp) -> Router {
    let resources = logto.client().config().resources();
    let api = resources.first().map(TokenTarget::resource);
    Router::new()
        .route("/", get(home))
        .route("/private", get(private))
        .route("/user-info", get(user_info))
        .route("/orders", get(orders))
        .route("/orders/cached", get(cached_orders))
        .route("/organizations", get(organizations))
        .route("/organizations/{id}/orders", get(organization_orders))
        .route("/stream", get(streaming))
        .route("/stream/ahead", get(streaming_ahead))
        .route("/profile", post(save_profile))
        .with_logto(logto)
        .with_state(api.unwrap_or_else(TokenTarget::user_info))
}
// ANCHOR_END: routes

// ANCHOR: pages
/// Everybody may see it.
async fn home(user: Option<User>) -> Html<String> {
    Html(logto_example_page::home("axum", user.as_deref()))
}

/// A visitor who is not signed in is sent to the sign-in, and comes back here.
async fn private(user: User) -> Html<String> {
    Html(logto_example_page::claims(&user))
}
// ANCHOR_END: pages

// ANCHOR: user_info
async fn user_info(session: Session) -> Result<Json<Map<String, Value>>> {
    Ok(Json(session.user_info().await?.to_map()))
}
// ANCHOR_END: user_info

// ANCHOR: tokens
/// Fetches the token if there is none, and stores it.
async fn orders(State(api): State<TokenTarget>, session: Session) -> Result<Json<Value>> {
    let token = session.access_token(&api).await?;
    Ok(Json(scopes(&token)))
}
// ANCHOR_END: tokens

// ANCHOR: read_only
/// Fetches nothing.
async fn cached_orders(State(api): State<TokenTarget>, session: ReadOnly) -> Result<Response> {
    match session.access_token(&api) {
        Cached::Valid(token) => Ok(Json(scopes(&token)).into_response()),
        Cached::NeedsRefresh => {
            let problem = json!({ "error": "needs_refresh" });
            Ok((StatusCode::CONFLICT, Json(problem)).into_response())
        }
        Cached::Never(error) => Err(error.into()),
    }
}
// ANCHOR_END: read_only

// ANCHOR: organizations
async fn organizations(session: Session) -> Result<Json<Map<String, Value>>> {
    let tokens = session.organization_tokens().await?.into_iter();
    let tokens = tokens.map(|(id, token)| match token {
        Ok(token) => (id, scopes(&token)),
        Err(error) => (id, json!({ "error": error.code() })),
    });
    Ok(Json(tokens.collect()))
}

async fn organization_orders(
    State(api): State<TokenTarget>,
    Path(id): Path<String>,
    session: Session,
) -> Result<Json<Value>> {
    let token = session.access_token(&api.in_organization(id)).await?;
    Ok(Json(scopes(&token)))
}
// ANCHOR_END: organizations

// ANCHOR: streaming
/// Once the page has begun no cookie can be set any more: the rest of it looks only.
async fn streaming(State(api): State<TokenTarget>, _: User, request: Request) -> Html<Body> {
    let beginning = stream::once(async { logto_example_page::LOADING.to_owned() });
    let end = stream::once(async move {
        let token = match request.read_only().await {
            Ok(Some(session)) => session.access_token(&api).token(),
            _ => None,
        };
        logto_example_page::end(token.as_ref())
    });
    let chunks = beginning.chain(end).map(Ok::<_, Infallible>);
    Html(Body::from_stream(chunks))
}

/// Before the page begins, a new token can still be stored: what streams finds it.
async fn streaming_ahead(
    State(api): State<TokenTarget>,
    user: User,
    request: Request,
) -> Result<Html<Body>> {
    let minute = Duration::from_secs(60);
    request.refresh_ahead(slice::from_ref(&api), minute).await?;
    Ok(streaming(State(api), user, request).await)
}
// ANCHOR_END: streaming

// ANCHOR: form
/// A form of this application, which other sites cannot send.
async fn save_profile(_: User) -> Redirect {
    Redirect::to("/")
}
// ANCHOR_END: form

fn scopes(token: &AccessToken) -> Value {
    json!({ "scopes": token.scopes })
}
