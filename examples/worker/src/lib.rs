//! Logto in WebAssembly, for workers and Node.js: a page that knows its visitor, tokens for an API and for
//! organizations, a page that streams, and a form of the application's own.

mod page;

use std::{slice, time::Duration};

use futures_util::{StreamExt, stream};
use http::StatusCode;
use js_sys::{Function, Reflect};
use logto::client::{Context, http::FetchClient};
use logto::fetch::{Result, read_only, session, user};
use logto::{AccessToken, Cached, LogtoApp, TokenTarget, web::RequestSession};
use logto_example_page::{LOADING, end};
use serde_json::{Map, Value, json};
use wasm_bindgen::{JsError, JsValue, prelude::wasm_bindgen};

use page::Page;

// ANCHOR: worker
/// The application, made once and kept.
#[wasm_bindgen]
pub struct Worker(LogtoApp);

#[wasm_bindgen]
impl Worker {
    /// `env` has the variables `LOGTO_ENDPOINT` and so on. `wait_until` keeps a worker alive until a promise is
    /// settled.
    pub async fn start(env: JsValue, wait_until: Option<Function>) -> Result<Worker, JsError> {
        let variable = |name| {
            Reflect::get(&env, &JsValue::from_str(name))
                .ok()?
                .as_string()
        };
        let mut context = Context::new(FetchClient);
        if let Some(wait_until) = wait_until {
            context = context.runtime(logto::fetch::wait_until(wait_until));
        }
        Ok(Self(logto::from_lookup(variable).context(context).await?))
    }

    /// Answers a request.
    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        logto::fetch::serve(&self.0, request, handle).await
    }
}
// ANCHOR_END: worker

// ANCHOR: routes
async fn handle(request: http::Request<web_sys::Request>, visit: RequestSession) -> Result<Page> {
    let path = request.uri().path().to_owned();
    let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let resources = visit.app().client().config().resources();
    let api = resources.first().map(TokenTarget::resource);
    let api = api.unwrap_or_else(TokenTarget::user_info);
    match (request.method().as_str(), &path[..]) {
        ("GET", [""]) => home(&visit).await,
        ("GET", ["private"]) => Ok(page::claims(&*user(&visit).await?)),
        ("GET", ["user-info"]) => {
            let info = session(&visit).await?.user_info().await?;
            Ok(page::json(StatusCode::OK, &json!(info)))
        }
        ("GET", ["orders"]) => orders(&visit, api).await,
        ("GET", ["orders", "cached"]) => cached_orders(&visit, api).await,
        ("GET", ["organizations"]) => organizations(&visit).await,
        ("GET", ["organizations", id, "orders"]) => orders(&visit, api.in_organization(*id)).await,
        ("GET", ["stream"]) => stream(visit, api).await,
        ("GET", ["stream", "ahead"]) => stream_ahead(visit, api).await,
        ("POST", ["profile"]) => save_profile(&visit).await,
        _ => {
            let problem = json!({ "error": "not_found" });
            Ok(page::json(StatusCode::NOT_FOUND, &problem))
        }
    }
}
// ANCHOR_END: routes

// ANCHOR: pages
/// Looks only, so that everybody may see it.
async fn home(visit: &RequestSession) -> Result<Page> {
    let user = visit.claims().await?;
    Ok(page::home(user.as_deref()))
}
// ANCHOR_END: pages

// ANCHOR: tokens
/// Fetches the token if there is none, and stores it.
async fn orders(visit: &RequestSession, api: TokenTarget) -> Result<Page> {
    let token = session(visit).await?.access_token(&api).await?;
    Ok(page::json(StatusCode::OK, &scopes(&token)))
}
// ANCHOR_END: tokens

// ANCHOR: read_only
/// Fetches nothing.
async fn cached_orders(visit: &RequestSession, api: TokenTarget) -> Result<Page> {
    match read_only(visit).await?.access_token(&api) {
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
async fn organizations(visit: &RequestSession) -> Result<Page> {
    let tokens = session(visit).await?.organization_tokens().await?;
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
async fn stream(visit: RequestSession, api: TokenTarget) -> Result<Page> {
    user(&visit).await?;
    let rest = async move {
        let token = match visit.read_only().await {
            Ok(Some(session)) => session.access_token(&api).token(),
            _ => None,
        };
        end(token.as_ref())
    };
    let begin = stream::iter([LOADING.to_owned()]);
    Ok(page::streaming(begin.chain(stream::once(rest))))
}

/// Before the page begins, a new token can still be stored: what streams finds it.
async fn stream_ahead(visit: RequestSession, api: TokenTarget) -> Result<Page> {
    let minute = Duration::from_secs(60);
    visit.refresh_ahead(slice::from_ref(&api), minute).await?;
    stream(visit, api).await
}
// ANCHOR_END: streaming

// ANCHOR: form
/// A form of this application, which other sites cannot send.
async fn save_profile(visit: &RequestSession) -> Result<Page> {
    user(visit).await?;
    Ok(page::redirect("/"))
}
// ANCHOR_END: form

fn scopes(token: &AccessToken) -> Value {
    json!({ "scopes": token.scopes })
}
