//! Logto in poem 3: three calls around the routes.

use std::{io, sync::Arc};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use logto::{LogtoApp, web::RequestSession};
use logto_example_others as pages;
use poem::{
    Body, Endpoint, EndpointExt, Request, Response, Result, Route, Server, get, handler,
    listener::TcpListener, web::Data,
};

// ANCHOR: poem
#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let logto = logto::test::demo_or_env().await?;
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let app = Route::new()
        .at("/", get(home))
        .at("/private", get(private))
        .at("/orders", get(orders))
        .around(move |app, request| serve(logto.clone(), app, request));
    let listener = TcpListener::bind(("127.0.0.1".to_owned(), port));
    Ok(Server::new(listener).run(app).await?)
}

async fn serve<E: Endpoint>(
    logto: LogtoApp,
    app: Arc<E>,
    mut request: Request,
) -> Result<Response> {
    // 1. The SDK's own routes.
    if let Some(route) = logto.route(request.uri().path()) {
        let body = request.take_body();
        let body = body.into_bytes_limit(LogtoApp::MAX_BODY_LENGTH).await;
        let (parts, _) = http::Request::from(request).into_parts();
        let body = body.unwrap_or_default();
        return Ok(response(logto.answer(route, &parts, &body).await));
    }
    // 2. The handlers find the session in the data of the request.
    let session = logto.begin(request.method(), request.uri(), request.headers());
    request.set_data(session.clone());
    let (mut head, body) = http::Response::from(app.get_response(request).await).into_parts();
    // 3. Cookies, headers, and the response to an error, whatever the handler did.
    Ok(match session.finish(&mut head) {
        Some(body) => response(http::Response::from_parts(head, body)),
        None => http::Response::from_parts(head, body).into(),
    })
}

fn response(response: http::Response<Bytes>) -> Response {
    let response = response.map(|body| BoxBody::<Bytes, io::Error>::from(Body::from(body)));
    response.into()
}

#[handler]
async fn private(session: Data<&RequestSession>) -> Response {
    response(pages::private(&session).await)
}
// ANCHOR_END: poem

#[handler]
async fn home(session: Data<&RequestSession>) -> Response {
    response(pages::home(&session).await)
}

#[handler]
async fn orders(session: Data<&RequestSession>) -> Response {
    response(pages::orders(&session).await)
}
