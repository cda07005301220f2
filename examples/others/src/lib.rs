//! The pages of the three programs: whatever the framework, a handler gets the session of its request.

use bytes::Bytes;
use http::Response;
use logto::{TokenTarget, web::RequestSession};

// ANCHOR: pages
/// Everybody may see it.
pub async fn home(session: &RequestSession) -> Response<Bytes> {
    match session.claims().await {
        Ok(Some(user)) => text(format!("Hello, {}", user.sub)),
        Ok(None) => text("Nobody is signed in. Go to /sign-in."),
        Err(error) => session.refusal(&error),
    }
}

/// A visitor who is not signed in is sent to the sign-in, and comes back here.
pub async fn private(session: &RequestSession) -> Response<Bytes> {
    match session.require().await {
        Ok(session) => text(format!("Hello, {}", session.claims().sub)),
        Err(response) => *response,
    }
}

/// Fetches a token for the first API of the configuration, and stores it.
pub async fn orders(session: &RequestSession) -> Response<Bytes> {
    let resources = session.app().client().config().resources();
    let api = resources.first().map(TokenTarget::resource);
    let user = match session.require().await {
        Ok(user) => user,
        Err(response) => return *response,
    };
    match user
        .access_token(&api.unwrap_or_else(TokenTarget::user_info))
        .await
    {
        Ok(token) => text(format!("You may {:?}", token.scopes)),
        Err(error) => session.refusal(&error),
    }
}
// ANCHOR_END: pages

fn text(text: impl Into<Bytes>) -> Response<Bytes> {
    Response::new(text.into())
}
