//! Signing out.

use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use http::HeaderMap;
use logto::SignOut;

use crate::{adapter::buffered, app::App};

/// `POST /sign-out`, also GET: the session ends here first, then at Logto. What another site may have
/// caused is refused.
pub(crate) async fn everywhere(State(app): State<App>, headers: HeaderMap) -> Response {
    let answer = app.web.sign_out(&headers, &SignOut::new()).await;
    answer.into_response().map(Body::from)
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
pub(crate) async fn here(State(app): State<App>, headers: HeaderMap) -> Response {
    let answer = app.web.sign_out_locally(&headers).await;
    answer.into_response().map(Body::from)
}
