//! The shortest application: a page for signed-in users, and a token for an API.

use actix_web::{App, HttpServer, web::get};
use logto::TokenTarget;
use logto::actix_web::{LogtoMiddleware, Result, Session, User};

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let logto = logto::from_env().await?;
    let app = move || {
        App::new()
            .route("/", get().to(home))
            .route("/orders", get().to(orders))
            .wrap(LogtoMiddleware::new(logto.clone()))
    };
    Ok(HttpServer::new(app)
        .bind(("127.0.0.1", 3000))?
        .run()
        .await?)
}

async fn home(user: User) -> String {
    format!("Hello, {}", user.sub)
}

async fn orders(session: Session) -> Result<String> {
    let api = TokenTarget::resource("https://shop.example.com/api");
    let token = session.access_token(&api).await?;
    Ok(format!("You may {:?}", token.scopes))
}
