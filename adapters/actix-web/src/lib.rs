//! [Logto](https://logto.io) in [actix-web](https://docs.rs/actix-web) 4.
//!
//! [`LogtoMiddleware`] adds the routes and gives every request a session; the extractors ask for it:
//!
//! | extractor | gives | if nobody is signed in |
//! |---|---|---|
//! | [`User`] | the claims of the ID token | a page is redirected to the sign-in and comes back, a script gets 401 |
//! | [`Session`] | the session, to get tokens with | the same |
//! | [`ReadOnly`] | the session, to look at | the same |
//! | `Option` of one of them | `None` | the handler goes on |
//! | [`Request`] | the session of the request, before it is opened | |
//!
//! Errors of the SDK go through `?` in a handler that returns [`Result`]. [`require`] guards a scope. Nothing
//! has to be called at the end: the response is finished whatever the handler does.
//!
//! ```no_run
//! use actix_web::{App, HttpServer, web};
//! use logto_actix_web::{LogtoMiddleware, Result, Session, User};
//! use logto_client::{TokenTarget, web::LogtoApp};
//!
//! async fn serve(logto: LogtoApp) -> std::io::Result<()> {
//!     let app = move || {
//!         App::new()
//!             .route("/", web::get().to(home))
//!             .route("/orders", web::get().to(orders))
//!             .wrap(LogtoMiddleware::new(logto.clone()))
//!     };
//!     HttpServer::new(app).bind(("127.0.0.1", 3000))?.run().await
//! }
//!
//! async fn home(user: Option<User>) -> String {
//!     format!("Hello, {}", user.map_or("you".into(), |user| user.sub.clone()))
//! }
//!
//! async fn orders(session: Session) -> Result<String> {
//!     let api = TokenTarget::resource("https://shop.example.com/api");
//!     let token = session.access_token(&api).await?;
//!     Ok(format!("You may {:?}", token.scopes))
//! }
//! ```

mod convert;
mod extract;
mod failure;
mod middleware;

pub use extract::{ReadOnly, Request, Session, User, require};
pub use failure::{Error, Result};
pub use middleware::{LogtoMiddleware, LogtoService, ResponseFuture};
