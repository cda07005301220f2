//! How users sign in.

use std::time::Duration;

use axum::extract::Query;
use axum::http::request::Parts;
use axum::response::Response;
use logto::Error;
use logto::axum::{Request, Result, Session};
use logto::core::vocabulary::{DirectSignIn, FirstScreen, Identifier, Prompt};
use logto::{LogtoBuilder, SignIn, web::LinkParameter};
use serde::Deserialize;

// ANCHOR: first_screen
/// Begins with the registration, and offers an email address only.
pub fn registration() -> SignIn {
    SignIn::new()
        .first_screen(FirstScreen::IdentifierRegister)
        .identifiers([Identifier::Email])
}
// ANCHOR_END: first_screen

// ANCHOR: direct
/// Goes straight to GitHub, in the language and the look that the user expects.
pub fn with_github() -> SignIn {
    SignIn::new()
        .direct_sign_in(DirectSignIn::Social("github".to_owned()))
        .ui_locales(["zh-TW", "en"])
        .organization_branding("acme")
}
// ANCHOR_END: direct

// ANCHOR: start
/// A handler that starts a sign-in of its own.
pub async fn join(request: Request, parts: Parts) -> Result<Response> {
    start(&request, &parts, &registration().return_to("/welcome")).await
}

async fn start(request: &Request, parts: &Parts, sign_in: &SignIn) -> Result<Response> {
    let response = request.app().web().sign_in(parts, sign_in).await?;
    Ok(response.map(Into::into))
}
// ANCHOR_END: start

// ANCHOR: force
/// Asks for the password again, even if there is a session at Logto.
pub fn new_login() -> SignIn {
    SignIn::new().prompt([Prompt::Login, Prompt::Consent])
}
// ANCHOR_END: force

// ANCHOR: step_up
/// A transfer needs a login of the last five minutes.
pub async fn transfer(request: Request, session: Session, parts: Parts) -> Result<Response> {
    let five_minutes = Duration::from_secs(300);
    let now = request.app().client().clock().now();
    let logged_in = session.claims().auth_time;
    if logged_in.is_some_and(|at| now.since(at) <= five_minutes) {
        return Ok(Response::new("transferred".into()));
    }
    let sign_in = SignIn::new().max_age(five_minutes).return_to("/transfer");
    start(&request, &parts, &sign_in).await
}
// ANCHOR_END: step_up

// ANCHOR: silent
/// Signs in whoever has a session at Logto, and shows the page to everybody else.
pub async fn try_silently(request: Request, parts: Parts) -> Result<Response> {
    start(&request, &parts, &SignIn::silent().return_to("/")).await
}
// ANCHOR_END: silent

// ANCHOR: magic_link
/// The parameters of a magic link.
#[derive(Debug, Deserialize)]
pub struct MagicLink {
    token: String,
    email: String,
}

/// The page that a magic link leads to: /magic?token=…&email=…
pub async fn magic_link(
    request: Request,
    parts: Parts,
    Query(link): Query<MagicLink>,
) -> Result<Response> {
    let sign_in = SignIn::new()
        .one_time_token(link.token)
        .login_hint(link.email);
    start(&request, &parts, &sign_in).await
}
// ANCHOR_END: magic_link

// ANCHOR: link_parameters
/// Lets the links to `/sign-in` say more than `return_to` and `first_screen`.
pub fn with_link_parameters(logto: LogtoBuilder) -> LogtoBuilder {
    logto.routes(|routes| routes.link_parameters([LinkParameter::LoginHint, LinkParameter::Prompt]))
}
// ANCHOR_END: link_parameters

// ANCHOR: app_state
/// What the application wants to know after the sign-in. Nobody can read or change it on the way.
pub fn with_basket(basket: u64) -> Result<SignIn, Error> {
    Ok(SignIn::new().app_state(&basket)?)
}
// ANCHOR_END: app_state
