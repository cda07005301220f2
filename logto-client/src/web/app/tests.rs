//! How much work a request costs.

use async_trait::async_trait;
use http::{Request, StatusCode};
use logto_core::{LogtoConfig, Session, UnixTime};
use serde_json::json;
use url::Url;

use super::*;
use crate::{
    context::Context,
    http::{TransportError, http_fn},
    seal::{KeyRing, SealKey},
    storage::{
        Handle, Logout, Replaced, SessionReader, SessionStorage, StorageError, Stored, Version,
    },
    web::cookies::{CookieOptions, parsed},
};

/// A storage that finds no session, and cannot be sure that there is none.
#[derive(Debug)]
struct Empty;

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl SessionReader for Empty {
    async fn load(&self, _: &Handle, _: UnixTime) -> Result<Option<Stored>, StorageError> {
        Ok(None)
    }
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl SessionStorage for Empty {
    async fn create(&self, _: &Session, _: UnixTime) -> Result<(Handle, Version), StorageError> {
        Err(StorageError::Misconfigured("nobody signs in".to_owned()))
    }

    async fn replace(
        &self,
        _: &Handle,
        _: Version,
        _: &Session,
        _: UnixTime,
    ) -> Result<Replaced, StorageError> {
        Ok(Replaced::Gone)
    }

    async fn remove(&self, _: &Handle) -> Result<(), StorageError> {
        Ok(())
    }

    async fn remove_all(&self, _: &Logout) -> Result<Option<u64>, StorageError> {
        Ok(None)
    }

    fn is_authoritative(&self) -> bool {
        false
    }
}

/// The cookies of a browser that has been here before.
const COOKIES: [&str; 2] = [
    "__Host-logto_app=session; theme=dark",
    "__Host-logto_app.t0=token; __Host-logto_app.browser=browser",
];

/// Serves what a sign-in needs up to the redemption of its code.
async fn serve(request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
    let issuer = "https://tenant.logto.app/oidc";
    let found = match request.uri().path() {
        "/oidc/.well-known/openid-configuration" => json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/auth"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
        }),
        "/oidc/jwks" => json!({ "keys": [] }),
        path => return Err(TransportError::Lost(format!("nothing is at {path}"))),
    };
    Ok(respond::json(StatusCode::OK, &found))
}

fn app() -> LogtoApp {
    let config = LogtoConfig::builder("https://tenant.logto.app", "app")
        .app_secret("secret")
        .base_url("https://app.example.com")
        .build()
        .unwrap();
    let cookies = CookieOptions::new(config.base_url().unwrap(), "app");
    let context = Context::new(http_fn(serve));
    let client = LogtoClient::builder(config, context, Arc::new(Empty));
    let keys = KeyRing::new(SealKey::new(&[7; 32]));
    let web = LogtoWeb::new(client.build().unwrap(), cookies.build().unwrap(), keys);
    LogtoApp::builder(web).build()
}

fn request(method: Method, path: &str, accept: &str, cookies: &[&str]) -> Parts {
    let request = Request::builder().method(method).uri(path);
    let request = request
        .header(header::ACCEPT, accept)
        .header("sec-fetch-site", "same-origin");
    let add =
        |request: http::request::Builder, cookies: &&str| request.header(header::COOKIE, *cookies);
    let request = cookies.iter().fold(request, add);
    request.body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn a_request_parses_its_cookies_once() {
    let app = app();
    for (route, path) in app.paths() {
        for accept in ["text/html", "application/json"] {
            for method in [Method::GET, Method::POST] {
                parsed::take();
                let parts = request(method.clone(), path, accept, &COOKIES);
                let response = app.answer(route, &parts, &Bytes::new()).await;
                let times = parsed::take();
                assert!(times <= 1, "{method} {path}, {accept}: {times}");
                let is_failed_callback =
                    route == Route::Callback && !response.status().is_success();
                assert!(times == 1 || !is_failed_callback, "{method} {path}");
            }
        }
    }
    for accept in ["text/html", "application/json"] {
        let parts = request(Method::GET, "/orders", accept, &COOKIES);
        let session = app.begin(&parts.method, &parts.uri, &parts.headers);
        assert_eq!(parsed::take(), 0, "nobody has asked for the session");
        let required = session.require().await;
        let (mut response, _) = required.unwrap_err().into_parts();
        session.finish(&mut response);
        assert_eq!(parsed::take(), 1, "{accept}");

        let required = app.web().require(&parts, "/sign-in").await;
        assert!(matches!(required, crate::web::Guarded::Answer(_)));
        assert_eq!(parsed::take(), 1, "{accept}");
    }
}

#[tokio::test]
async fn the_callback_of_a_pending_sign_in_parses_its_cookies_once() {
    let app = app();
    let path = app.path(Route::SignIn).unwrap();
    let parts = request(Method::GET, path, "text/html", &COOKIES);
    let started = app.answer(Route::SignIn, &parts, &Bytes::new()).await;
    let location = started.headers()[header::LOCATION].to_str().unwrap();
    let location = Url::parse(location).unwrap();
    let (_, state) = location
        .query_pairs()
        .find(|(name, _)| name == "state")
        .unwrap();
    let path = app.path(Route::Callback).unwrap();
    let denied = format!("{path}?state={state}&error=access_denied");

    for accept in ["text/html", "application/json"] {
        // The second time, the browser's cookie says that the user cancelled.
        let mut browser = browser_cookie(&started).expect("a sign-in sets it");
        for is_reload in [false, true] {
            let cookies = [COOKIES[0], &browser];
            let parts = request(Method::GET, &denied, accept, &cookies);
            parsed::take();
            let response = app.answer(Route::Callback, &parts, &Bytes::new()).await;
            assert_eq!(parsed::take(), 1, "{accept}, reload: {is_reload}");
            assert_eq!(response.status(), StatusCode::BAD_REQUEST);
            let set = browser_cookie(&response);
            assert_eq!(set.is_none(), is_reload, "the sign-in ends once");
            browser = set.unwrap_or(browser);
        }
    }
}

/// The browser's cookie that a response sets, as the next request has it.
fn browser_cookie(response: &Response<Bytes>) -> Option<String> {
    let set_cookies = response.headers().get_all(header::SET_COOKIE).iter();
    let mut pairs = set_cookies.filter_map(|set| set.to_str().ok()?.split(';').next());
    let pair = pairs.find(|pair| pair.starts_with("__Host-logto_app.browser="));
    pair.map(str::to_owned)
}
