//! The sign-in on a device, seen from the application's page. Only users who are signed in see it.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Redirect, Response, Result},
};
use http::{HeaderMap, StatusCode, header};

use super::{Failure, NotConfigured};
use crate::{
    adapter::{refused, signed_in},
    app::App,
    device::Progress,
};

/// `GET /device`: how far the sign-in is.
pub(crate) async fn progress(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    let session = app
        .web
        .read_only_session(&headers)
        .await
        .map_err(refused(&app.web))?;
    signed_in(&session).map_err(refused(&app.web))?;
    let device = app.device.as_ref().ok_or(NotConfigured)?;
    Ok(Json(device.progress()).into_response())
}

/// `POST /device`: starts a sign-in.
pub(crate) async fn start(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    app.web
        .check_own_request(&headers)
        .map_err(refused(&app.web))?;
    let session = app
        .web
        .read_only_session(&headers)
        .await
        .map_err(refused(&app.web))?;
    signed_in(&session).map_err(refused(&app.web))?;
    let device = app.device.as_ref().ok_or(NotConfigured)?;
    let progress = device.start().await.map_err(refused(&app.web))?;
    Ok(answer(&headers, &progress))
}

/// `POST /device/approve`: the user says yes at the embedded Logto without going to its page.
pub(crate) async fn approve(State(app): State<App>, headers: HeaderMap) -> Result<Response> {
    app.web
        .check_own_request(&headers)
        .map_err(refused(&app.web))?;
    let session = app
        .web
        .read_only_session(&headers)
        .await
        .map_err(refused(&app.web))?;
    let claims = signed_in(&session).map_err(refused(&app.web))?.claims();
    let device = app.device.as_ref().ok_or(NotConfigured)?;
    let logto = app.embedded.as_ref().ok_or(NotConfigured)?;
    let username = claims.user.username.as_deref().unwrap_or_default();
    match device.progress() {
        Progress::Waiting { user_code, .. } if logto.approve_device(&user_code, username) => {
            Ok(answer(&headers, &device.progress()))
        }
        _ => {
            let failure = Failure::new("no_device_waits", "no device waits for an approval");
            Ok((StatusCode::CONFLICT, Json(failure)).into_response())
        }
    }
}

/// JSON for a program, and the page again for a person.
fn answer(headers: &HeaderMap, progress: &Progress) -> Response {
    let accept = headers.get(header::ACCEPT);
    match accept.and_then(|accept| accept.to_str().ok()) {
        Some(accept) if accept.contains("text/html") => Redirect::to("/#device").into_response(),
        _ => Json(progress).into_response(),
    }
}
