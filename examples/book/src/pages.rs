//! Pages that only some users may see, and what they see otherwise.

use axum::{Router, routing::get};
use bytes::Bytes;
use http::Response;
use logto::axum::{Guard, ReadOnly, Result, RouterExt, Session, User};
use logto::client::error::SignInRefused;
use logto::web::{ErrorContext, Requirement, SignInHook, public_description};
use logto::{CompletedSignIn, Error, LogtoApp, LogtoBuilder};
use serde::{Deserialize, Serialize};

// ANCHOR: guard
/// Everything below `route_layer` needs the role.
pub fn router(logto: LogtoApp) -> Router {
    let staff = Router::new()
        .route("/reports", get(async || "reports"))
        .route_layer(Guard::user(Requirement::user().role("staff")));
    Router::new()
        .route("/", get(home))
        .merge(staff)
        .with_logto(logto)
}

async fn home(user: Option<User>) -> String {
    match user {
        Some(user) => format!("Hello, {}", user.user.name.as_deref().unwrap_or(&user.sub)),
        None => "Hello".to_owned(),
    }
}
// ANCHOR_END: guard

// ANCHOR: form
/// A form on another site does not get here.
pub async fn order(session: Session) -> Result<String> {
    Ok(format!("Ordered for {}", session.claims().sub))
}
// ANCHOR_END: form

// ANCHOR: hook
/// Knows the users of the application, and admits nobody else.
#[derive(Debug)]
pub struct Admission {
    /// The ids of the users, which an application has in its database.
    pub members: Vec<String>,
}

#[async_trait::async_trait]
impl SignInHook for Admission {
    async fn on_sign_in(&self, completed: &mut CompletedSignIn) -> Result<(), Error> {
        let claims = completed.session.claims();
        if !self.members.contains(&claims.sub) {
            return Err(SignInRefused::new("This application is for members.").into());
        }
        if completed.return_to == "/" {
            completed.return_to = "/welcome".to_owned();
        }
        Ok(())
    }
}
// ANCHOR_END: hook

// ANCHOR: data
/// What the application keeps in each session.
#[derive(Serialize, Deserialize)]
struct LocalUser {
    id: u64,
    plan: String,
}

/// Finds the user in the database of the application, once for each sign-in.
#[derive(Debug)]
pub struct Provisioning;

#[async_trait::async_trait]
impl SignInHook for Provisioning {
    async fn on_sign_in(&self, completed: &mut CompletedSignIn) -> Result<(), Error> {
        let session = &completed.session;
        let user = find_or_create(&session.claims().sub).await;
        session.set_data(&user).await
    }
}

/// No request asks the database for this.
pub async fn plan(session: ReadOnly) -> Result<String> {
    Ok(match session.data::<LocalUser>()? {
        Some(user) => format!("User {} has the plan {}", user.id, user.plan),
        None => "Signed in before there were plans".to_owned(),
    })
}
// ANCHOR_END: data

async fn find_or_create(sub: &str) -> LocalUser {
    let plan = match sub {
        "user-alice" => "pro",
        _ => "free",
    };
    LocalUser {
        id: 42,
        plan: plan.to_owned(),
    }
}

// ANCHOR: error_page
/// An error page in the look of the application. Scripts still get JSON.
pub fn with_error_page(logto: LogtoBuilder) -> LogtoBuilder {
    logto.routes(|routes| routes.error_page(error_page))
}

fn error_page(context: &ErrorContext<'_>) -> Option<Response<Bytes>> {
    let text = public_description(context.error);
    let page = format!("<h1>{text}</h1><a href=\"{}\">Continue</a>", context.next);
    context.wants_page.then(|| Response::new(page.into()))
}
// ANCHOR_END: error_page

// ANCHOR: webhook
/// Ends the sessions of users who are suspended or deleted, or whose password changes.
pub fn with_webhook(logto: LogtoBuilder, signing_key: String) -> LogtoBuilder {
    logto.routes(|routes| routes.webhook("/webhooks/logto", signing_key))
}
// ANCHOR_END: webhook
