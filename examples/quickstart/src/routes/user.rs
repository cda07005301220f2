//! What Logto says about the user.

use axum::Json;
use logto::axum::{Result, Session};
use serde_json::{Map, Value};

use super::signed_in;

/// `GET /user-info`: the claims of the userinfo endpoint, asked now.
pub(crate) async fn user_info(session: Option<Session>) -> Result<Json<Map<String, Value>>> {
    let user_info = signed_in(session)?.user_info().await?;
    Ok(Json(user_info.to_map()))
}
