//! Any other web framework.

use bytes::Bytes;
use http::{Request, Response};
use logto::{LogtoApp, web::RequestSession};

// ANCHOR: serve
/// What an adapter does for each request.
pub async fn serve(logto: &LogtoApp, request: Request<Bytes>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    // 1. The SDK's own routes.
    if let Some(route) = logto.route(parts.uri.path()) {
        return logto.answer(route, &parts, &body).await;
    }
    // 2. The session is opened when a handler first asks for it, and at most once.
    let session = logto.begin(&parts.method, &parts.uri, &parts.headers);
    let (mut head, body) = handle(&session).await.into_parts();
    // 3. Cookies, headers, and the response to an error, whatever the handler did.
    let body = session.finish(&mut head).unwrap_or(body);
    Response::from_parts(head, body)
}

async fn handle(session: &RequestSession) -> Response<Bytes> {
    match session.require().await {
        Ok(session) => Response::new(format!("Hello, {}", session.claims().sub).into()),
        Err(response) => *response,
    }
}
// ANCHOR_END: serve
