//! Logto in Leptos 0.8, rendered on the server: pages that know their visitor, a page that streams, server functions
//! behind plain forms. `api.rs` has the routes for scripts, `page.rs` the rest
//! of the pages.

mod api;
mod page;

use std::{error::Error, time::Duration};

use axum::http::{HeaderValue, StatusCode, header::LOCATION};
use axum::{Router, routing::get};
use leptos::prelude::*;
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list};
use leptos_router::components::{Route, Router as Pages, Routes};
use leptos_router::{SsrMode, path};
use logto::axum::RouterExt;
use logto_leptos::{Result, require_read_only, require_session, require_user, use_request, user};

// ANCHOR: start
#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let logto = logto::test::demo_or_env().await?;
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let options = LeptosOptions::builder().output_name("leptos").build();
    let app = Router::new()
        .leptos_routes(&options, generate_route_list(App), page::shell)
        .route("/user-info", get(api::user_info))
        .route("/orders", get(api::orders))
        .route("/orders/cached", get(api::cached_orders))
        .route("/organizations", get(api::organizations))
        .route("/organizations/{id}/orders", get(api::organization_orders))
        .with_state(options)
        .with_logto(logto);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(axum::serve(listener, app).await?)
}
// ANCHOR_END: start

#[component]
fn App() -> impl IntoView {
    view! {
        <Pages>
            <Routes fallback=|| "Not found">
                <Route path=path!("/") view=Home ssr=SsrMode::Async/>
                <Route path=path!("/private") view=Private ssr=SsrMode::Async/>
                <Route path=path!("/stream") view=Stream/>
                <Route path=path!("/stream/ahead") view=StreamAhead/>
            </Routes>
        </Pages>
    }
}

// ANCHOR: pages
/// Looks only, so that everybody may see it.
#[component]
fn Home() -> impl IntoView {
    let user = Resource::new_blocking(|| (), |()| user());
    page::when_ready(async move { user.await.map(page::home) })
}

/// Visitors who are not signed in are sent to sign in before the page begins, and come back.
#[component]
fn Private() -> impl IntoView {
    let user = Resource::new_blocking(|| (), |()| require_user());
    let claims = async move { user.await.map(|user| page::claims(&user)) };
    page::when_ready(claims)
}
// ANCHOR_END: pages

/// The page begins when there is a user. The rest streams.
#[component]
fn Stream() -> impl IntoView {
    let ready = Resource::new_blocking(|| (), |()| require_user());
    (page::new_token_form(), page::when_ready(scopes(ready)))
}

// ANCHOR: streaming
/// The page begins when there are a user and a token, so that what streams needs no refresh.
#[component]
fn StreamAhead() -> impl IntoView {
    let ready = Resource::new_blocking(|| (), |()| refresh_ahead());
    (page::new_token_form(), page::when_ready(scopes(ready)))
}

/// Before the page begins, a new token can still be stored.
async fn refresh_ahead() -> Result<()> {
    let api = api::orders_api(&use_request()?);
    let session = require_session().await?;
    session.refresh_ahead(&[api], Duration::from_secs(60)).await;
    Ok(())
}

/// When the page has begun, nothing can be stored in cookies: what streams looks only.
async fn scopes<T: Clone + Send + Sync>(ready: Resource<Result<T>>) -> Result<String> {
    let api = api::orders_api(&use_request()?);
    ready.await?;
    // As long as an API takes to answer.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let token = require_read_only().await?.access_token(&api).token();
    Ok(match token {
        Some(token) => format!("scopes: {}", Vec::from_iter(token.scopes).join(" ")),
        None => "needs refresh".to_owned(),
    })
}
// ANCHOR_END: streaming

// ANCHOR: form
/// A form of this application, which other sites cannot send.
#[server(prefix = "", endpoint = "profile")]
async fn save_profile() -> Result<()> {
    require_user().await?;
    let response = expect_context::<ResponseOptions>();
    response.insert_header(LOCATION, HeaderValue::from_static("/"));
    response.set_status(StatusCode::SEE_OTHER);
    Ok(())
}
// ANCHOR_END: form

/// Fetches a new token. The response stores it in the session, and leads back to the page of the form.
#[server(prefix = "", endpoint = "orders/refresh")]
async fn refresh_orders() -> Result<()> {
    let session = require_session().await?;
    let api = api::orders_api(&use_request()?);
    session.refresh_access_token(&api).await?;
    Ok(())
}
