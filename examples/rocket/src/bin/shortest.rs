//! The shortest application: a page for signed-in users, and a token for an API.

use logto::TokenTarget;
use logto::rocket::{LogtoFairing, Result, Session, User};
use rocket::{Config, get, routes};

#[rocket::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let logto = logto::from_env().await?;
    rocket::custom(Config::figment().merge(("port", 3000)))
        .attach(LogtoFairing::new(logto))
        .mount("/", routes![home, orders])
        .launch()
        .await?;
    Ok(())
}

#[get("/")]
fn home(user: User) -> String {
    format!("Hello, {}", user.sub)
}

#[get("/orders")]
async fn orders(session: Session) -> Result<String> {
    let api = TokenTarget::resource("https://shop.example.com/api");
    let token = session.access_token(&api).await?;
    Ok(format!("You may {:?}", token.scopes))
}
