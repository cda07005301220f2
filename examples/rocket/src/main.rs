//! Logto in Rocket 0.5: a page that knows its visitor, tokens for an API and for organizations, a page that
//! streams, and a form of the application's own.

use std::{slice, time::Duration};

use logto::rocket::{LogtoFairing, ReadOnly, Request, Result, Session, User};
use logto::{AccessToken, Cached, TokenTarget};
use rocket::http::{ContentType, Status};
use rocket::response::{Redirect, content::RawHtml, stream::TextStream};
use rocket::{Config, State, get, post, routes};
use serde_json::{Map, Value, json};

type Json = rocket::serde::json::Json<Value>;

// ANCHOR: start
#[rocket::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let logto = logto::test::demo_or_env().await?;
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse::<u16>())?;
    let resources = logto.client().config().resources();
    let api = resources.first().map(TokenTarget::resource);
    let api = api.ok_or("configure an API: LOGTO_RESOURCES")?;
    let handlers = routes![
        home,
        private,
        user_info,
        orders,
        cached_orders,
        organizations,
        organization_orders,
        streaming,
        streaming_ahead,
        save_profile
    ];
    let rocket = rocket::custom(Config::figment().merge(("port", port)))
        .manage(api)
        .attach(LogtoFairing::new(logto))
        .mount("/", handlers);
    Ok(rocket.launch().await.map(drop)?)
}
// ANCHOR_END: start

// ANCHOR: pages
/// Only looks, so that everybody may see it.
#[get("/")]
fn home(user: Option<User>) -> RawHtml<String> {
    RawHtml(logto_example_page::home("Rocket", user.as_deref()))
}

/// A visitor signs in first, and comes back.
#[get("/private")]
fn private(user: User) -> RawHtml<String> {
    RawHtml(logto_example_page::claims(&user))
}
// ANCHOR_END: pages

// ANCHOR: user_info
#[get("/user-info")]
async fn user_info(session: Session) -> Result<Json> {
    Ok(json!(session.user_info().await?).into())
}
// ANCHOR_END: user_info

// ANCHOR: tokens
/// Fetches the token if there is none, and stores it.
#[get("/orders")]
async fn orders(session: Session, api: &State<TokenTarget>) -> Result<Json> {
    Ok(scopes(&session.access_token(api).await?).into())
}
// ANCHOR_END: tokens

// ANCHOR: read_only
/// Fetches nothing.
#[get("/orders/cached")]
fn cached_orders(session: ReadOnly, api: &State<TokenTarget>) -> Result<(Status, Json)> {
    match session.access_token(api) {
        Cached::Valid(token) => Ok((Status::Ok, scopes(&token).into())),
        Cached::NeedsRefresh => {
            let problem = json!({ "error": "needs_refresh" });
            Ok((Status::Conflict, problem.into()))
        }
        Cached::Never(error) => Err(error.into()),
    }
}
// ANCHOR_END: read_only

// ANCHOR: organizations
#[get("/organizations")]
async fn organizations(session: Session) -> Result<Json> {
    let tokens = session.organization_tokens().await?.into_iter();
    let tokens: Map<String, Value> = tokens
        .map(|(id, token)| match token {
            Ok(token) => (id, scopes(&token)),
            Err(error) => (id, json!({ "error": error.code() })),
        })
        .collect();
    Ok(Value::from(tokens).into())
}

#[get("/organizations/<id>/orders")]
async fn organization_orders(session: Session, api: &State<TokenTarget>, id: &str) -> Result<Json> {
    let api = TokenTarget::clone(api).in_organization(id);
    Ok(scopes(&session.access_token(&api).await?).into())
}
// ANCHOR_END: organizations

// ANCHOR: streaming
/// Once the page has begun no cookie can be set any more: the rest of it looks only.
#[get("/stream")]
fn streaming(
    _user: User,
    request: Request,
    api: &State<TokenTarget>,
) -> (ContentType, TextStream![String + '_]) {
    let body = TextStream! {
        yield logto_example_page::LOADING.to_owned();
        let token = match request.read_only().await {
            Ok(Some(session)) => session.access_token(api).token(),
            _ => None,
        };
        yield logto_example_page::end(token.as_ref());
    };
    (ContentType::HTML, body)
}

/// Before the page begins, a new token can still be stored: what streams finds it.
#[get("/stream/ahead")]
async fn streaming_ahead(
    user: User,
    request: Request,
    api: &State<TokenTarget>,
) -> Result<(ContentType, TextStream![String + '_])> {
    let minute = Duration::from_secs(60);
    request.refresh_ahead(slice::from_ref(api), minute).await?;
    Ok(streaming(user, request, api))
}
// ANCHOR_END: streaming

// ANCHOR: form
/// A form of this application, which other sites cannot send.
#[post("/profile")]
fn save_profile(_user: User) -> Redirect {
    Redirect::to("/")
}
// ANCHOR_END: form

fn scopes(token: &AccessToken) -> Value {
    json!({ "scopes": token.scopes })
}
