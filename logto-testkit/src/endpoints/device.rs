//! `POST /oidc/device/auth`: sign-in for devices without a browser (RFC 8628).

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    authorize::{grant, request},
    client_auth,
    context::Context,
    devices::{Device, Progress},
    error::{OAuthError, Outcome},
    json::Members,
    model::DEVICE_CODE,
    reply,
    request::Incoming,
    store::Authority,
};

const TTL: Duration = Duration::from_secs(600);

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    let response = match begin(cx, request) {
        Ok(body) => reply::json(StatusCode::OK, &body),
        Err(error) => error.into_response(),
    };
    reply::no_store(response)
}

fn begin(cx: &mut Context<'_>, request: &Incoming) -> Outcome<Members> {
    let form = request.form()?;
    let app = client_auth::authenticate(cx, request, &form)?;
    if !app.allows_grant(DEVICE_CODE) {
        return Err(OAuthError::invalid_request(format!(
            "{DEVICE_CODE} is not allowed for this client"
        )));
    }
    form.reject_duplicates()?;
    let wanted = request::wanted(&cx.state.tenant, &app, &form)?;
    let device_code = cx.state.random.token();
    let user_code = cx.state.random.user_code();
    let verification_uri = format!("{}/device", cx.addresses.base);
    let body = Members::new()
        .with("device_code", device_code.as_str())
        .with("user_code", user_code.as_str())
        .with("verification_uri", verification_uri.as_str())
        .with(
            "verification_uri_complete",
            format!("{verification_uri}?user_code={user_code}"),
        )
        .with("expires_in", TTL.as_secs());
    let expires_at = cx.now.plus(TTL);
    let device = Device {
        user_code,
        wanted,
        expires_at,
        progress: Progress::Pending,
    };
    cx.state.devices.insert(device_code, device);
    Ok(body)
}

/// What the user granted to the device that polls; only once.
pub(super) fn poll(cx: &mut Context<'_>, client_id: &str, device_code: &str) -> Outcome<Authority> {
    let now = cx.now;
    let device = cx.state.devices.get_mut(device_code);
    let device = device
        .filter(|device| device.wanted.client_id == client_id)
        .ok_or_else(OAuthError::invalid_grant)?;
    if now >= device.expires_at {
        return Err(OAuthError::new("expired_token", "device code is expired"));
    }
    match device.progress.clone() {
        Progress::Pending => Err(OAuthError::new(
            "authorization_pending",
            "authorization request is still pending as the end-user hasn't yet completed the \
             user interaction steps",
        )),
        Progress::Denied => Err(OAuthError::new(
            "access_denied",
            "End-User aborted interaction",
        )),
        Progress::Consumed => Err(OAuthError::invalid_grant()),
        Progress::Approved(authority) => {
            device.progress = Progress::Consumed;
            Ok(*authority)
        }
    }
}

/// Grants the waiting device what it wants, within a user's session; `false` when none waits with the code.
pub(crate) fn approve(cx: &mut Context<'_>, user_code: &str, session_id: &str) -> bool {
    let device = cx.state.devices.waiting(user_code, cx.now);
    let Some(wanted) = device.map(|device| device.wanted.clone()) else {
        return false;
    };
    let authority = grant::authorize(cx, &wanted, session_id);
    authority.is_some_and(|authority| {
        let progress = Progress::Approved(Box::new(authority));
        cx.state.devices.answer(user_code, progress, cx.now)
    })
}
