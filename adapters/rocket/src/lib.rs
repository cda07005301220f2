//! [Logto](https://logto.io) in [Rocket](https://rocket.rs) 0.5.
//!
//! [`LogtoFairing`] adds the routes and gives every request a session; request guards ask for it:
//!
//! | request guard | gives | if nobody is signed in |
//! |---|---|---|
//! | [`User`] | the claims of the ID token | forwards; without another route a page is redirected to the sign-in and comes back, and a script gets 401 |
//! | [`Session`] | the session, to get tokens with | the same |
//! | [`ReadOnly`] | the session, to look at | the same |
//! | `Option` of one of them | `None` | the handler goes on |
//! | [`Request`] | the session of the request, before it is opened | |
//!
//! Errors of the SDK go through `?` in a handler that returns [`Result`]. [`require`] makes guards for roles and
//! memberships. Nothing has to be called at the end: the response is finished whatever the handler does.
//!
//! ```
//! # use rocket::{Build, Rocket, get, routes};
//! use logto_client::{TokenTarget, web::LogtoApp};
//! use logto_rocket::{LogtoFairing, Result, Session, User};
//!
//! fn application(logto: LogtoApp) -> Rocket<Build> {
//!     rocket::build()
//!         .attach(LogtoFairing::new(logto))
//!         .mount("/", routes![home, orders])
//! }
//!
//! #[get("/")]
//! fn home(user: Option<User>) -> String {
//!     format!("Hello, {}", user.map_or("you".into(), |user| user.sub.clone()))
//! }
//!
//! #[get("/orders")]
//! async fn orders(session: Session) -> Result<String> {
//!     let api = TokenTarget::resource("https://shop.example.com/api");
//!     let token = session.access_token(&api).await?;
//!     Ok(format!("You may {:?}", token.scopes))
//! }
//! ```
//!
//! If the session cannot be opened because its storage is down, the request is answered with that error, also
//! where the handler takes an `Option`: an outage does not sign anybody out.

mod convert;
mod fairing;
mod guard;

pub use fairing::LogtoFairing;
pub use guard::{Error, ReadOnly, Request, Result, Session, User, require};
