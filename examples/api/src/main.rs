//! An API in axum 0.8 that takes Logto's access tokens: permissions of an API resource, permissions of an
//! organization, and permissions of the resource within an organization. The page at `/` shows how to call it with the
//! tokens of its user.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use logto::axum::{Guard, Refused, Result, RouterExt, Session, Token};
use logto::client::resource_server::ResourceServer;
use logto::core::api_token::{AccessTokenVerification, ApiTokenClaims};
use logto::{LogtoApp, TokenTarget};
use serde_json::{Value, json};

#[derive(Clone)]
struct Api {
    server: ResourceServer,
    /// The indicator of the API resource.
    indicator: String,
    /// Where the API is.
    origin: String,
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let logto = logto::test::demo_or_env().await?;
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    Ok(axum::serve(listener, router(logto)?).await?)
}

fn router(logto: LogtoApp) -> std::result::Result<Router, &'static str> {
    let config = logto.client().config();
    let (indicator, base_url) = (config.resources().first().cloned(), config.base_url());
    let api = Api {
        server: logto.client().resource_server(),
        indicator: indicator.ok_or("configure an API: LOGTO_RESOURCES")?,
        origin: base_url.map_or_else(String::new, |url| url.origin().ascii_serialization()),
    };
    let guard = |scope: &str| {
        let demands = AccessTokenVerification::api(api.server.issuer(), &api.indicator);
        Guard::token(api.server.clone(), demands.require_scopes([scope]))
    };
    let reading = Router::new()
        .route("/api/products", get(products))
        .route_layer(guard("read:products"));
    let writing = Router::new()
        .route("/api/products", post(products))
        .route_layer(guard("write:products"));
    Ok(Router::new()
        .route("/", get(home))
        .route("/api/organizations/{id}/shipments", get(shipments))
        .route("/api/organizations/{id}/products", get(products_in))
        .merge(reading)
        .merge(writing)
        .with_logto(logto)
        .with_state(api))
}

/// Everybody whose roles permit it.
async fn products(token: Token) -> Json<Value> {
    Json(admitted(&token))
}

/// Members of the organization of the path whose roles in it permit it.
async fn shipments(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refused> {
    let demands = AccessTokenVerification::organization(api.server.issuer(), id);
    let demands = demands.require_scopes(["read:shipments"]);
    let claims = api.server.authorize(&headers, &demands).await?;
    Ok(Json(admitted(&claims)))
}

/// The API, as far as the roles in the organization of the path permit it.
async fn products_in(
    State(api): State<Api>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Refused> {
    let issuer = api.server.issuer();
    let demands = AccessTokenVerification::organization_api(issuer, &api.indicator, id);
    let demands = demands.require_scopes(["read:products"]);
    let claims = api.server.authorize(&headers, &demands).await?;
    Ok(Json(admitted(&claims)))
}

fn admitted(claims: &ApiTokenClaims) -> Value {
    json!({ "caller": claims.sub, "organization": claims.organization_id, "scopes": claims.scopes })
}

/// Commands to copy. Only an example shows tokens to a browser.
async fn home(State(api): State<Api>, session: Option<Session>) -> Result<String> {
    let Some(session) = session else {
        return Ok("Nobody is signed in. Go to /sign-in.\n".to_owned());
    };
    let resource = TokenTarget::resource(&api.indicator);
    let mut calls = vec![("products".to_owned(), resource.clone())];
    for id in session
        .claims()
        .user
        .organizations
        .value()
        .into_iter()
        .flatten()
    {
        let path = format!("organizations/{id}");
        calls.push((format!("{path}/shipments"), TokenTarget::organization(id)));
        calls.push((
            format!("{path}/products"),
            resource.clone().in_organization(id),
        ));
    }
    let mut commands = String::new();
    for (path, target) in calls {
        let token = session.access_token(&target).await?;
        let (token, origin) = (token.token.expose(), &api.origin);
        commands += &format!("curl -H 'Authorization: Bearer {token}' {origin}/api/{path}\n");
    }
    Ok(commands)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use axum::http::Request;
    use bytes::Bytes;
    use logto::test::{Browser, DemoTenant};

    use super::*;

    /// The status of a request with this header, and what was answered.
    async fn call(browser: &Browser, method: &str, path: &str, token: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", token);
        let page = browser
            .send(request.body(Bytes::new()).unwrap())
            .await
            .unwrap();
        (page.status().as_u16(), page.text().into_owned())
    }

    #[tokio::test]
    async fn the_commands_on_the_page_work_and_no_others() {
        let demo = DemoTenant::new().unwrap();
        let router = router(demo.builder().await.unwrap()).unwrap();
        let browser = demo.browser(logto::axum::in_process(router));
        let page = browser
            .sign_in("/sign-in", "alice", "password")
            .await
            .unwrap();
        let page = page.text().into_owned();
        let commands: Vec<(&str, &str)> = page
            .lines()
            .map(|line| {
                let (_, rest) = line.split_once(": ").unwrap();
                let (token, url) = rest.split_once("' ").unwrap();
                (token, url.split_once("3000").unwrap().1)
            })
            .collect();
        let paths: Vec<&str> = commands.iter().map(|(_, path)| *path).collect();
        let expected = [
            ("/api/products", 200),
            ("/api/organizations/acme/shipments", 200),
            ("/api/organizations/acme/products", 200),
            // Alice is a member, and has no role there that lets her read shipments.
            ("/api/organizations/globex/shipments", 403),
            ("/api/organizations/globex/products", 200),
        ];
        assert_eq!(paths, expected.map(|(path, _)| path));
        for ((token, path), (_, status)) in commands.iter().zip(expected) {
            let (found, text) = call(&browser, "GET", path, token).await;
            assert_eq!(found, status, "{path}: {text}");
        }
        // Each token only where it belongs.
        for (row, (_, path)) in commands.iter().enumerate() {
            for (other, (token, _)) in commands.iter().enumerate() {
                let (found, _) = call(&browser, "GET", path, token).await;
                assert_eq!(found == 200, row == other && row != 3, "{path}");
            }
        }
        let (token, path) = commands[0];
        assert_eq!(call(&browser, "POST", path, token).await.0, 200);
        assert_eq!(
            call(&browser, "GET", path, "Bearer e30.e30.e30").await.0,
            401
        );
    }
}
