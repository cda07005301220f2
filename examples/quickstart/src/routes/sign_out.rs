//! Signing out.

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
};
use http::HeaderMap;
use logto::SignOut;

use crate::{
    adapter::{Refused, buffered, finish, respond},
    app::App,
};

/// `POST /sign-out`, also GET: the session ends here first, then at Logto. What another site caused
/// is refused.
pub(crate) async fn everywhere(State(app): State<App>, headers: HeaderMap) -> Response {
    respond(app.web.sign_out(&headers, &SignOut::new()).await)
}

/// `POST /backchannel-logout`: Logto says that a user has signed out elsewhere.
pub(crate) async fn back_channel(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = buffered(request).await;
    app.web
        .back_channel_logout(&parts, &body)
        .await
        .map(Body::from)
}

/// `POST /sign-out/local`: the session ends here only; the next sign-in asks for nothing.
pub(crate) async fn here(State(app): State<App>, headers: HeaderMap) -> Result<Response, Refused> {
    let session = app.web.session(&headers).await.map_err(Refused)?;
    let signed_out = match &session {
        Some(session) => session.sign_out_locally().await,
        None => Ok(()),
    };
    let answer = signed_out.map(|()| Redirect::to("/").into_response());
    Ok(finish(&app.web, &headers, session.as_ref(), answer))
}
