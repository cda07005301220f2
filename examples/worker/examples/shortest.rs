//! The shortest application in WebAssembly: a page for signed-in users, and a token for an API.

use http::{Request, Response};
use js_sys::{Function, Reflect};
use logto::client::{Context, http::FetchClient};
use logto::fetch::{Result, session, user};
use logto::{LogtoApp, TokenTarget, web::RequestSession};
use wasm_bindgen::{JsError, JsValue, prelude::wasm_bindgen};

/// The application, made once and kept.
#[wasm_bindgen]
pub struct Worker(LogtoApp);

#[wasm_bindgen]
impl Worker {
    /// `env` has the variables `LOGTO_ENDPOINT` and so on; `wait_until` is that of a worker, and missing in Node.js.
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

    pub async fn fetch(&self, request: web_sys::Request) -> Result<web_sys::Response, JsValue> {
        logto::fetch::serve(&self.0, request, handle).await
    }
}

async fn handle(
    request: Request<web_sys::Request>,
    visit: RequestSession,
) -> Result<Response<String>> {
    let text = match request.uri().path() {
        "/" => format!("Hello, {}", user(&visit).await?.sub),
        "/orders" => {
            let api = TokenTarget::resource("https://shop.example.com/api");
            let token = session(&visit).await?.access_token(&api).await?;
            format!("You may {:?}", token.scopes)
        }
        path => format!("There is nothing at {path}"),
    };
    Ok(Response::new(text))
}
