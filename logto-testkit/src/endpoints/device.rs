//! `POST /oidc/device/auth`: sign-in for devices without a browser (RFC 8628).

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode};

use super::{
    DEVICE_CODE,
    authorization::{Wanted, consent, request},
};
use crate::{
    client_auth,
    clock::Moment,
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    logto::Logto,
    reply,
    request::Incoming,
    store::Authority,
};

const TTL: Duration = Duration::from_secs(600);

/// Devices that wait for their users, by device code.
#[derive(Default)]
pub(crate) struct Devices(HashMap<String, Device>);

struct Device {
    user_code: String,
    wanted: Wanted,
    expires_at: Moment,
    progress: Progress,
}

#[derive(Clone)]
enum Progress {
    Pending,
    Denied,
    Approved(Box<Authority>),
    Consumed,
}

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
    cx.state.devices.0.insert(device_code, device);
    Ok(body)
}

/// What the user granted to the device that polls; only once.
pub(super) fn poll(cx: &mut Context<'_>, client_id: &str, device_code: &str) -> Outcome<Authority> {
    let now = cx.now;
    let device = cx.state.devices.0.get_mut(device_code);
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

impl Logto {
    /// Signs a user in for the device that shows `user_code`, as they would at the verification page. `false`
    /// when no device waits with that code or the user may not sign in.
    pub fn approve_device(&self, user_code: &str, username: &str) -> bool {
        self.with(|cx| {
            let user = cx.state.tenant.user_by_identifier(username);
            let Some(user_id) = user
                .filter(|user| !user.suspended)
                .map(|user| user.id.clone())
            else {
                return false;
            };
            let Some(wanted) = waiting(cx, user_code).map(|device| device.wanted.clone()) else {
                return false;
            };
            let session = consent::sign_in(cx, None, &user_id);
            let authority = consent::authorize(cx, &wanted, &session);
            finish(
                cx,
                user_code,
                authority.map(|it| Progress::Approved(Box::new(it))),
            )
        })
    }

    /// Refuses the device that shows `user_code`; `false` when no device waits with that code.
    pub fn deny_device(&self, user_code: &str) -> bool {
        self.with(|cx| finish(cx, user_code, Some(Progress::Denied)))
    }
}

fn waiting<'a>(cx: &'a mut Context<'_>, user_code: &str) -> Option<&'a mut Device> {
    let now = cx.now;
    cx.state.devices.0.values_mut().find(|device| {
        device.user_code == user_code
            && now < device.expires_at
            && matches!(device.progress, Progress::Pending)
    })
}

fn finish(cx: &mut Context<'_>, user_code: &str, progress: Option<Progress>) -> bool {
    let device = waiting(cx, user_code).zip(progress);
    device.is_some_and(|(device, progress)| {
        device.progress = progress;
        true
    })
}
