//! Logto in hyper 1: a page that knows its visitor, tokens for an API and for organizations, a page that streams,
//! and a form of the application's own.

mod page;

use std::{slice, time::Duration};

use http_body_util::channel::Channel;
use hyper::body::Incoming;
use hyper::{Request, StatusCode, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use logto::tower::{LogtoLayer, Result, handler_fn, read_only, request_session, session, user};
use logto::{AccessToken, Cached, TokenTarget, web::RequestSession};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tower_layer::Layer;

use logto_example_page::{LOADING, end};
use page::Page;

// ANCHOR: start
#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let logto = logto::test::demo_or_env().await?;
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let service = LogtoLayer::new(logto).layer(handler_fn(handle));
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
// ANCHOR_END: start

// ANCHOR: routes
async fn handle(request: Request<Incoming>) -> Result<Page> {
    let path = request.uri().path().to_owned();
    let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let api = orders_api(&request_session(&request)?);
    match (request.method().as_str(), &path[..]) {
        ("GET", [""]) => home(&request).await,
        ("GET", ["private"]) => Ok(page::claims(&*user(&request).await?)),
        ("GET", ["user-info"]) => {
            let info = session(&request).await?.user_info().await?;
            Ok(page::json(StatusCode::OK, &json!(info)))
        }
        ("GET", ["orders"]) => orders(&request, api).await,
        ("GET", ["orders", "cached"]) => cached_orders(&request, api).await,
        ("GET", ["organizations"]) => organizations(&request).await,
        ("GET", ["organizations", id, "orders"]) => {
            orders(&request, api.in_organization(*id)).await
        }
        ("GET", ["stream"]) => stream(&request, api).await,
        ("GET", ["stream", "ahead"]) => stream_ahead(&request, api).await,
        ("POST", ["profile"]) => save_profile(&request).await,
        _ => {
            let problem = json!({ "error": "not_found" });
            Ok(page::json(StatusCode::NOT_FOUND, &problem))
        }
    }
}
// ANCHOR_END: routes

// ANCHOR: pages
/// Looks only, so that everybody may see it.
async fn home(request: &Request<Incoming>) -> Result<Page> {
    let user = request_session(request)?.claims().await?;
    Ok(page::home(user.as_deref()))
}
// ANCHOR_END: pages

// ANCHOR: tokens
/// Fetches the token if there is none, and stores it.
async fn orders(request: &Request<Incoming>, api: TokenTarget) -> Result<Page> {
    let token = session(request).await?.access_token(&api).await?;
    Ok(page::json(StatusCode::OK, &scopes(&token)))
}
// ANCHOR_END: tokens

// ANCHOR: read_only
/// Fetches nothing.
async fn cached_orders(request: &Request<Incoming>, api: TokenTarget) -> Result<Page> {
    match read_only(request).await?.access_token(&api) {
        Cached::Valid(token) => Ok(page::json(StatusCode::OK, &scopes(&token))),
        Cached::NeedsRefresh => {
            let problem = json!({ "error": "needs_refresh" });
            Ok(page::json(StatusCode::CONFLICT, &problem))
        }
        Cached::Never(error) => Err(error.into()),
    }
}
// ANCHOR_END: read_only

// ANCHOR: organizations
async fn organizations(request: &Request<Incoming>) -> Result<Page> {
    let tokens = session(request).await?.organization_tokens().await?;
    let tokens = tokens.into_iter().map(|(id, token)| match token {
        Ok(token) => (id, scopes(&token)),
        Err(error) => (id, json!({ "error": error.code() })),
    });
    let tokens: Map<String, Value> = tokens.collect();
    Ok(page::json(StatusCode::OK, &Value::Object(tokens)))
}
// ANCHOR_END: organizations

// ANCHOR: streaming
/// Once the page has begun no cookie can be set any more: the rest of it looks only.
async fn stream(request: &Request<Incoming>, api: TokenTarget) -> Result<Page> {
    user(request).await?;
    let session = request_session(request)?;
    let (mut sender, body) = Channel::new(1);
    tokio::spawn(async move {
        sender.send_data(LOADING.into()).await?;
        let token = match session.read_only().await {
            Ok(Some(session)) => session.access_token(&api).token(),
            _ => None,
        };
        sender.send_data(end(token.as_ref()).into()).await
    });
    Ok(page::streaming(body))
}

/// Before the page begins, a new token can still be stored: what streams finds it.
async fn stream_ahead(request: &Request<Incoming>, api: TokenTarget) -> Result<Page> {
    let (session, minute) = (request_session(request)?, Duration::from_secs(60));
    session.refresh_ahead(slice::from_ref(&api), minute).await?;
    stream(request, api).await
}
// ANCHOR_END: streaming

// ANCHOR: form
/// A form of this application, which other sites cannot send.
async fn save_profile(request: &Request<Incoming>) -> Result<Page> {
    user(request).await?;
    Ok(page::redirect("/"))
}
// ANCHOR_END: form

/// The first API of the configuration.
fn orders_api(session: &RequestSession) -> TokenTarget {
    let resources = session.app().client().config().resources();
    let first = resources.first().map(TokenTarget::resource);
    first.unwrap_or_else(TokenTarget::user_info)
}

fn scopes(token: &AccessToken) -> Value {
    json!({ "scopes": token.scopes })
}
