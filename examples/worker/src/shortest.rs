use http::{Request, Response};
use logto::fetch::{Result, session};
use logto::web::RequestSession;
use logto::{LogtoApp, TokenTarget};
use wasm_bindgen::JsValue;

pub async fn fetch(
    logto: &LogtoApp,
    request: web_sys::Request,
) -> Result<web_sys::Response, JsValue> {
    logto::fetch::serve(logto, request, handle).await
}

async fn handle(
    request: Request<web_sys::Request>,
    visit: RequestSession,
) -> Result<Response<String>> {
    let text = match request.uri().path() {
        "/" => match visit.claims().await? {
            Some(user) => format!("Hello, {}", user.sub),
            None => "Nobody is signed in. Go to /sign-in.".to_owned(),
        },
        _ => {
            let session = session(&visit).await?;
            let api = TokenTarget::resource("https://shop.example.com/api");
            format!("You may {:?}", session.access_token(&api).await?.scopes)
        }
    };
    Ok(Response::new(text))
}
