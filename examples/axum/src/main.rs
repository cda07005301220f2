//! The shortest application: a page that knows the user, and a token for an API.

use axum::{Router, routing::get};
use logto::TokenTarget;
use logto::axum::{Result, RouterExt, Session, User};

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let logto = logto::from_env().await?;
    let app = Router::new()
        .route("/", get(home))
        .route("/orders", get(orders))
        .with_logto(logto);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}

async fn home(user: Option<User>) -> String {
    match user {
        Some(user) => format!("Hello, {}", user.sub),
        None => "Nobody is signed in: go to /sign-in".to_owned(),
    }
}

async fn orders(session: Session) -> Result<String> {
    let api = TokenTarget::resource("https://shop.example.com/api");
    let token = session.access_token(&api).await?;
    Ok(format!("You may {:?}", token.scopes))
}
