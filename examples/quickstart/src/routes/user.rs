//! Who is signed in.

use axum::{Json, extract::State, response::Response};
use http::HeaderMap;
use logto::{Error, WritableSession};
use serde_json::{Map, Value};

use crate::{
    adapter::{Refused, finish, refused, respond, signed_in},
    app::App,
};

/// `GET /user`: `is_authenticated` and the `claims` of the ID token, from memory.
pub(crate) async fn claims(State(app): State<App>, headers: HeaderMap) -> Response {
    respond(&app.web, app.web.user(&headers).await)
}

/// `GET /user-info`: the claims of the userinfo endpoint, asked now.
pub(crate) async fn user_info(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let session = app.web.session(&headers).await.map_err(refused(&app.web))?;
    let answer = fetch(&session).await.map(Json);
    Ok(finish(&app.web, &headers, session.as_ref(), answer))
}

async fn fetch(session: &Option<WritableSession>) -> Result<Map<String, Value>, Error> {
    Ok(signed_in(session)?.user_info().await?.to_map())
}
