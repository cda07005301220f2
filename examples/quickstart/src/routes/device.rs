//! The sign-in on a device, seen from the application's page. Each user sees and approves what they started
//! themselves.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use logto::axum::{Request, User};

use super::{Refusal, signed_in};
use crate::{
    app::App,
    device::{Device, Progress},
};

/// `GET /device`: how far the sign-in is.
pub(crate) async fn progress(
    State(app): State<App>,
    user: Option<User>,
) -> Result<Json<Progress>, Refusal> {
    let user = signed_in(user)?;
    Ok(Json(device(&app)?.progress(&user.sub)))
}

/// `POST /device`: starts a sign-in.
pub(crate) async fn start(
    State(app): State<App>,
    request: Request,
    user: Option<User>,
) -> Result<Response, Refusal> {
    let user = signed_in(user)?;
    let progress = device(&app)?.start(&user.sub).await?;
    Ok(answer(&request, &progress))
}

/// `POST /device/approve`: the user says yes at the embedded Logto without going to its page.
pub(crate) async fn approve(
    State(app): State<App>,
    request: Request,
    user: Option<User>,
) -> Result<Response, Refusal> {
    let user = signed_in(user)?;
    let device = device(&app)?;
    let logto = app.embedded.as_ref().ok_or(Refusal::NotConfigured)?;
    let username = user.user.username.as_deref().unwrap_or_default();
    match device.progress(&user.sub) {
        Progress::Waiting { user_code, .. } if logto.approve_device(&user_code, username) => {
            Ok(answer(&request, &device.progress(&user.sub)))
        }
        _ => Err(Refusal::NoDeviceWaits),
    }
}

fn device(app: &App) -> Result<&Device, Refusal> {
    app.device.as_ref().ok_or(Refusal::NotConfigured)
}

/// JSON for a program, and the page again for a person.
fn answer(request: &Request, progress: &Progress) -> Response {
    match request.wants_page() {
        true => Redirect::to("/#device").into_response(),
        false => Json(progress).into_response(),
    }
}
