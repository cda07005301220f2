//! The shortest application: a page for signed-in users, and a token for an API.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use logto::TokenTarget;
use logto::tower::{LogtoLayer, Result, handler_fn, session, user};
use tokio::net::TcpListener;
use tower_layer::Layer;

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let service = LogtoLayer::new(logto::from_env().await?).layer(handler_fn(handle));
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn handle(request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
    let text = match request.uri().path() {
        "/" => format!("Hello, {}", user(&request).await?.sub),
        "/orders" => {
            let api = TokenTarget::resource("https://shop.example.com/api");
            let token = session(&request).await?.access_token(&api).await?;
            format!("You may {:?}", token.scopes)
        }
        path => format!("There is nothing at {path}"),
    };
    Ok(Response::new(text.into()))
}
