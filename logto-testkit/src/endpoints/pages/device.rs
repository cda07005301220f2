//! The pages where a user enters the code that a device shows, and confirms it (RFC 8628 section 3.3).

use bytes::Bytes;
use http::{Method, Response, StatusCode};

use super::flow;
use crate::{
    authorize::consent,
    context::Context,
    devices::Progress,
    interactions::Errand,
    page::{self, DevicePage},
    reply,
    request::{Incoming, Params},
};

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    if request.path == "/device/success" {
        let text = "You can go back to your device.";
        return reply::no_store(reply::html(page::message("Device connected", text)));
    }
    if request.method == Method::POST {
        return match request.form() {
            Ok(form) => submit(cx, request, &form),
            Err(error) => error.into_response(),
        };
    }
    match request.query.get("user_code") {
        None => enter(cx, "", None),
        Some(user_code) => confirm(cx, user_code),
    }
}

fn submit(cx: &mut Context<'_>, request: &Incoming, form: &Params) -> Response<Bytes> {
    let user_code = form.get("user_code").unwrap_or_default();
    if form.get("abort").is_some() {
        if !cx.state.devices.answer(user_code, Progress::Denied, cx.now) {
            return invalid(cx, user_code);
        }
        let text = "The device does not get access.";
        return reply::no_store(reply::html(page::message("Denied", text)));
    }
    if form.get("confirm").is_none() {
        return confirm(cx, user_code);
    }
    let Some(device) = cx.state.devices.waiting(user_code, cx.now) else {
        return invalid(cx, user_code);
    };
    let errand = Errand::ApproveDevice {
        user_code: user_code.to_owned(),
        wanted: device.wanted.clone(),
    };
    let Some((session_id, session)) = flow::session(cx, request) else {
        return flow::to_sign_in(cx, errand);
    };
    if consent::is_asked(cx, &errand, session) {
        return flow::to_consent(cx, errand);
    }
    flow::finish(cx, &errand, session_id)
}

fn confirm(cx: &Context<'_>, user_code: &str) -> Response<Bytes> {
    let Some(device) = cx.state.devices.waiting(user_code, cx.now) else {
        return invalid(cx, user_code);
    };
    let html = page::confirm_device(&DevicePage {
        client_id: &device.wanted.client_id,
        action: &action(cx),
        user_code: &device.user_code,
    });
    reply::no_store(reply::html(html))
}

/// A code that is unknown, has ended or was used: Logto's page says the same of each.
fn invalid(cx: &Context<'_>, user_code: &str) -> Response<Bytes> {
    let mut response = enter(cx, user_code, Some("The code is invalid. Try again."));
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}

fn enter(cx: &Context<'_>, user_code: &str, problem: Option<&str>) -> Response<Bytes> {
    let html = page::enter_user_code(&action(cx), user_code, problem);
    reply::no_store(reply::html(html))
}

fn action(cx: &Context<'_>) -> String {
    format!("{}/device", cx.addresses.base)
}
