//! Logto in actix-web 4: a page that knows its visitor, tokens for an API and for organizations, a page that
//! streams, and a form of the application's own.

use std::{convert::Infallible, env, slice, time::Duration};

use actix_web::web::{Bytes, Data, Html, Json, Path, Redirect, get, post};
use actix_web::{App, HttpResponse, HttpServer, http::StatusCode, http::header::ContentType};
use async_stream::stream;
use logto::actix_web::{LogtoMiddleware, ReadOnly, Request, Result, Session, User};
use logto::{AccessToken, Cached, TokenTarget};
use serde_json::{Map, Value, json};

// ANCHOR: start
#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let logto = logto::test::demo_or_env().await?;
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let resources = logto.client().config().resources();
    let api = resources.first().map(TokenTarget::resource);
    let api = Data::new(api.ok_or("configure an API: LOGTO_RESOURCES")?);
    let app = move || {
        App::new()
            .app_data(api.clone())
            .route("/", get().to(home))
            .route("/private", get().to(private))
            .route("/user-info", get().to(user_info))
            .route("/orders", get().to(orders))
            .route("/orders/cached", get().to(cached_orders))
            .route("/organizations", get().to(organizations))
            .route("/organizations/{id}/orders", get().to(organization_orders))
            .route("/stream", get().to(streaming))
            .route("/stream/ahead", get().to(streaming_ahead))
            .route("/profile", post().to(save_profile))
            .wrap(LogtoMiddleware::new(logto.clone()))
    };
    Ok(HttpServer::new(app)
        .bind(("127.0.0.1", port))?
        .run()
        .await?)
}
// ANCHOR_END: start

// ANCHOR: pages
/// Only looks, so that everybody may see it.
async fn home(user: Option<User>) -> Html {
    Html::new(logto_example_page::home("actix-web", user.as_deref()))
}

/// A visitor signs in first, and comes back.
async fn private(user: User) -> Html {
    Html::new(logto_example_page::claims(&user))
}
// ANCHOR_END: pages

// ANCHOR: user_info
async fn user_info(session: Session) -> Result<Json<Value>> {
    Ok(Json(json!(session.user_info().await?)))
}
// ANCHOR_END: user_info

// ANCHOR: tokens
/// Fetches the token if there is none, and stores it.
async fn orders(session: Session, api: Data<TokenTarget>) -> Result<Json<Value>> {
    Ok(Json(scopes(&session.access_token(&api).await?)))
}
// ANCHOR_END: tokens

// ANCHOR: read_only
/// Fetches nothing.
async fn cached_orders(
    session: ReadOnly,
    api: Data<TokenTarget>,
) -> Result<(Json<Value>, StatusCode)> {
    match session.access_token(&api) {
        Cached::Valid(token) => Ok((Json(scopes(&token)), StatusCode::OK)),
        Cached::NeedsRefresh => {
            let problem = json!({ "error": "needs_refresh" });
            Ok((Json(problem), StatusCode::CONFLICT))
        }
        Cached::Never(error) => Err(error.into()),
    }
}
// ANCHOR_END: read_only

// ANCHOR: organizations
async fn organizations(session: Session) -> Result<Json<Value>> {
    let tokens = session.organization_tokens().await?.into_iter();
    let tokens: Map<String, Value> = tokens
        .map(|(id, token)| match token {
            Ok(token) => (id, scopes(&token)),
            Err(error) => (id, json!({ "error": error.code() })),
        })
        .collect();
    Ok(Json(tokens.into()))
}

async fn organization_orders(
    session: Session,
    api: Data<TokenTarget>,
    id: Path<String>,
) -> Result<Json<Value>> {
    let api = TokenTarget::clone(&api).in_organization(id.into_inner());
    Ok(Json(scopes(&session.access_token(&api).await?)))
}
// ANCHOR_END: organizations

// ANCHOR: streaming
/// Once the page has begun no cookie can be set any more: the rest of it looks only.
async fn streaming(_: User, request: Request, api: Data<TokenTarget>) -> HttpResponse {
    let body = stream! {
        yield Ok::<_, Infallible>(Bytes::from_static(logto_example_page::LOADING.as_bytes()));
        let token = match request.read_only().await {
            Ok(Some(session)) => session.access_token(&api).token(),
            _ => None,
        };
        yield Ok(logto_example_page::end(token.as_ref()).into());
    };
    let mut response = HttpResponse::Ok();
    response.content_type(ContentType::html()).streaming(body)
}

/// Before the page begins, a new token can still be stored: what streams finds it.
async fn streaming_ahead(
    user: User,
    request: Request,
    api: Data<TokenTarget>,
) -> Result<HttpResponse> {
    let minute = Duration::from_secs(60);
    request.refresh_ahead(slice::from_ref(&api), minute).await?;
    Ok(streaming(user, request, api).await)
}
// ANCHOR_END: streaming

// ANCHOR: form
/// A form of this application, which other sites cannot send.
async fn save_profile(_: User, _form: Bytes) -> Redirect {
    Redirect::to("/").see_other()
}
// ANCHOR_END: form

fn scopes(token: &AccessToken) -> Value {
    json!({ "scopes": token.scopes })
}
