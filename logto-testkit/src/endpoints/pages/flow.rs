//! From a page to the next, and from the last one back to the application or the device.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Response, header::SET_COOKIE};
use url::form_urlencoded;

use super::super::device;
use crate::{
    authorization_request::Hints,
    authorize::{consent, grant},
    context::Context,
    error::OAuthError,
    interactions::{Errand, INTERACTION_TTL},
    reply,
    request::Incoming,
    store::{SESSION_TTL, Session},
};

pub(crate) const SESSION_COOKIE: &str = "_session";
const INTERACTION_COOKIE: &str = "_interaction";

/// Sends the browser to the sign-in page.
pub(crate) fn to_sign_in(cx: &mut Context<'_>, errand: Errand) -> Response<Bytes> {
    let location = sign_in_location(&errand);
    begin(cx, errand, &location)
}

/// Sends the browser to the consent page.
pub(crate) fn to_consent(cx: &mut Context<'_>, errand: Errand) -> Response<Bytes> {
    let location = consent_location(&errand);
    begin(cx, errand, &location)
}

/// Continues when the user is signed in: to the consent page or to the end.
pub(super) fn proceed(
    cx: &mut Context<'_>,
    interaction: &str,
    errand: &Errand,
    session_id: &str,
) -> Response<Bytes> {
    let session = cx.state.store.session(session_id, cx.now);
    if session.is_some_and(|session| consent::is_asked(cx, errand, session)) {
        let mut response = redirect(cx, &consent_location(errand));
        set_cookie(&mut response, SESSION_COOKIE, session_id, SESSION_TTL);
        return response;
    }
    cx.state.interactions.end(interaction);
    finish(cx, errand, session_id)
}

/// Does what the user came for, once they have signed in and consented.
pub(crate) fn finish(cx: &mut Context<'_>, errand: &Errand, session_id: &str) -> Response<Bytes> {
    let done = match errand {
        Errand::Authorize(request) => {
            let callback = grant::grant(cx, request, session_id);
            callback.map(|callback| callback.into_response())
        }
        Errand::ApproveDevice { user_code, .. } => {
            device::approve(cx, user_code, session_id).then(|| redirect(cx, "/device/success"))
        }
    };
    let Some(mut response) = done else {
        return not_found();
    };
    set_cookie(&mut response, SESSION_COOKIE, session_id, SESSION_TTL);
    response
}

/// The session of the browser, if its user may still sign in.
pub(super) fn session<'c, 'r>(
    cx: &'c Context<'_>,
    request: &'r Incoming,
) -> Option<(&'r str, &'c Session)> {
    let id = request.cookie(SESSION_COOKIE)?;
    let session = cx.state.store.session(id, cx.now)?;
    cx.active_user(&session.user_id)?;
    Some((id, session))
}

/// The errand that brought the browser to a page, and its id.
pub(super) fn errand<'a>(
    cx: &'a Context<'_>,
    request: &'a Incoming,
) -> Option<(&'a str, &'a Errand)> {
    let id = request.cookie(INTERACTION_COOKIE)?;
    Some((id, cx.state.interactions.get(id, cx.now)?))
}

pub(super) fn redirect(cx: &Context<'_>, location: &str) -> Response<Bytes> {
    let prefix = cx.addresses.endpoint.path().trim_end_matches('/');
    reply::no_store(reply::redirect(&format!("{prefix}{location}")))
}

pub(super) fn not_found() -> Response<Bytes> {
    let error = OAuthError::invalid_request("authorization request has expired");
    reply::no_store(error.into_response())
}

fn begin(cx: &mut Context<'_>, errand: Errand, location: &str) -> Response<Bytes> {
    let id = cx.state.random.token();
    cx.state.interactions.begin(id.clone(), errand, cx.now);
    let mut response = redirect(cx, location);
    set_cookie(&mut response, INTERACTION_COOKIE, &id, INTERACTION_TTL);
    response
}

fn consent_location(errand: &Errand) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("app_id", &errand.wanted().client_id);
    format!("/consent?{}", query.finish())
}

/// Logto's path for the sign-in page that the request asks for.
fn sign_in_location(errand: &Errand) -> String {
    let hints = match errand {
        Errand::Authorize(request) => request.hints.clone(),
        Errand::ApproveDevice { .. } => Hints::default(),
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("app_id", &errand.wanted().client_id);
    let screen = match hints.first_screen.as_deref() {
        Some("register" | "identifier:register") => "register",
        Some("reset_password") => "reset-password",
        Some("single_sign_on") => "single-sign-on",
        _ => "sign-in",
    };
    let path = match hints
        .direct_sign_in
        .as_deref()
        .and_then(|direct| direct.split_once(':'))
    {
        Some((method, target)) => {
            query.append_pair("fallback", screen);
            format!("direct/{method}/{target}")
        }
        None => screen.to_owned(),
    };
    for (name, value) in [
        ("ui_locales", &hints.ui_locales),
        ("one_time_token", &hints.one_time_token),
        ("login_hint", &hints.login_hint),
    ] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    format!("/{path}?{}", query.finish())
}

fn set_cookie(response: &mut Response<Bytes>, name: &str, value: &str, ttl: Duration) {
    let cookie = format!(
        "{name}={value}; path=/; max-age={}; samesite=lax; httponly",
        ttl.as_secs()
    );
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}
