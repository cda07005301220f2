//! How much work a request costs.

use async_trait::async_trait;
use http::Request;
use logto_core::{LogtoConfig, Session, UnixTime};

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

fn app() -> LogtoApp {
    let config = LogtoConfig::builder("https://tenant.logto.app", "app")
        .app_secret("secret")
        .base_url("https://app.example.com")
        .build()
        .unwrap();
    let cookies = CookieOptions::new(config.base_url().unwrap(), "app");
    let http = http_fn(async |_| Err(TransportError::Lost("there is no network".to_owned())));
    let client = LogtoClient::builder(config, Context::new(http), Arc::new(Empty));
    let keys = KeyRing::new(SealKey::new(&[7; 32]));
    let web = LogtoWeb::new(client.build().unwrap(), cookies.build().unwrap(), keys);
    LogtoApp::builder(web).build()
}

fn request(method: Method, path: &str, accept: &str) -> Parts {
    let request = Request::builder().method(method).uri(path);
    let request = request
        .header(header::ACCEPT, accept)
        .header("sec-fetch-site", "same-origin")
        .header(header::COOKIE, "__Host-logto_app=session; theme=dark")
        .header(
            header::COOKIE,
            "__Host-logto_app.t0=token; __Host-logto_app.browser=browser",
        );
    request.body(()).unwrap().into_parts().0
}

#[tokio::test]
async fn a_request_parses_its_cookies_once() {
    let app = app();
    for (route, path) in app.paths() {
        for accept in ["text/html", "application/json"] {
            for method in [Method::GET, Method::POST] {
                parsed::take();
                let parts = request(method.clone(), path, accept);
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
        let parts = request(Method::GET, "/orders", accept);
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
