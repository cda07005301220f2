//! Signing out.

use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use http::HeaderMap;
use logto::SignOut;

use crate::{
    adapter::{Refused, finish, respond},
    app::App,
};

/// `POST /sign-out`, also GET: the session ends here first, then at Logto. What another site caused
/// is refused.
pub(crate) async fn everywhere(State(app): State<App>, headers: HeaderMap) -> Response {
    respond(app.web.sign_out(&headers, &SignOut::new()).await)
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
