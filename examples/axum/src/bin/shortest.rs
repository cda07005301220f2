//! The shortest application: a page for signed-in users, and a token for an API.

use axum::{Router, routing::get};
use logto::TokenTarget;
use logto::axum::{Result, RouterExt, Session, User};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new()
        .route("/", get(home))
        .route("/orders", get(orders))
        .with_logto(logto::from_env().await?);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}

async fn home(user: User) -> String {
    format!("Hello, {}", user.sub)
}

async fn orders(session: Session) -> Result<String> {
    let api = TokenTarget::resource("https://shop.example.com/api");
    let token = session.access_token(&api).await?;
    Ok(format!("You may {:?}", token.scopes))
}
