//! The sign-in page: from an authorization request to a user.

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header::SET_COOKIE};
use url::form_urlencoded;

use super::authorization::{AuthorizationRequest, consent};
use crate::{
    clock::Moment,
    context::Context,
    error::OAuthError,
    page::{self, SignInPage},
    reply,
    request::Incoming,
    store::SESSION_TTL,
};

pub(super) const SESSION_COOKIE: &str = "_session";
const INTERACTION_COOKIE: &str = "_interaction";
const INTERACTION_TTL: Duration = Duration::from_secs(3600);

/// Authorization requests whose users are at the sign-in page.
#[derive(Default)]
pub(crate) struct Interactions(HashMap<String, (AuthorizationRequest, Moment)>);

impl Interactions {
    fn get(&self, id: &str, now: Moment) -> Option<&AuthorizationRequest> {
        self.0
            .get(id)
            .filter(|(_, expires_at)| now < *expires_at)
            .map(|(request, _)| request)
    }
}

/// Sends the browser to the sign-in page.
pub(super) fn begin(cx: &mut Context<'_>, request: AuthorizationRequest) -> Response<Bytes> {
    let id = cx.state.random.token();
    let prefix = cx.addresses.endpoint.path().trim_end_matches('/');
    let mut response = reply::redirect(&format!("{prefix}{}", page_location(&request)));
    set_cookie(&mut response, INTERACTION_COOKIE, &id, INTERACTION_TTL);
    cx.state
        .interactions
        .0
        .insert(id, (request, cx.now.plus(INTERACTION_TTL)));
    reply::no_store(response)
}

/// Signs the user in and sends the browser back to the application.
pub(super) fn finish(
    cx: &mut Context<'_>,
    request: &AuthorizationRequest,
    session: Option<&str>,
    user_id: &str,
) -> Response<Bytes> {
    let session = consent::sign_in(cx, session, user_id);
    let Some(callback) = consent::grant(cx, request, &session) else {
        return not_found();
    };
    let mut response = callback.into_response();
    set_cookie(&mut response, SESSION_COOKIE, &session, SESSION_TTL);
    response
}

/// The page itself, and what it sends.
pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    if request.method == Method::POST {
        submit(cx, request)
    } else {
        show(cx, request)
    }
}

fn show(cx: &Context<'_>, request: &Incoming) -> Response<Bytes> {
    let id = request.cookie(INTERACTION_COOKIE).unwrap_or_default();
    match cx.state.interactions.get(id, cx.now) {
        None => not_found(),
        Some(pending) => {
            let hint = pending.hints.login_hint.as_deref().unwrap_or_default();
            page(cx, id, pending, hint, None)
        }
    }
}

fn submit(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    let form = match request.form() {
        Ok(form) => form,
        Err(error) => return error.into_response(),
    };
    let id = form.get("interaction").unwrap_or_default();
    let Some(pending) = cx.state.interactions.get(id, cx.now) else {
        return not_found();
    };
    let identifier = form.get("identifier").unwrap_or_default();
    let given = form.get("password");
    let user = cx
        .state
        .tenant
        .user_by_identifier(identifier)
        .filter(|user| {
            !user.suspended
                && user
                    .password
                    .as_deref()
                    .is_none_or(|password| given == Some(password))
        });
    let Some(user_id) = user.map(|user| user.id.clone()) else {
        let problem = "Unknown user or wrong password. Try again.";
        let mut response = page(cx, id, pending, identifier, Some(problem));
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return response;
    };
    let pending = pending.clone();
    cx.state.interactions.0.remove(id);
    finish(cx, &pending, request.cookie(SESSION_COOKIE), &user_id)
}

fn page(
    cx: &Context<'_>,
    id: &str,
    pending: &AuthorizationRequest,
    identifier: &str,
    problem: Option<&str>,
) -> Response<Bytes> {
    let users: Vec<&str> = cx
        .state
        .tenant
        .users
        .iter()
        .map(|user| user.username.as_str())
        .collect();
    let html = page::sign_in(&SignInPage {
        client_id: &pending.wanted.client_id,
        action: &format!("{}/sign-in", cx.addresses.base),
        interaction: id,
        users: &users,
        identifier,
        problem,
    });
    reply::no_store(reply::html(html))
}

fn not_found() -> Response<Bytes> {
    let error = OAuthError::invalid_request("authorization request has expired");
    reply::no_store(error.into_response())
}

/// Logto's path for the page that the request asks for.
fn page_location(request: &AuthorizationRequest) -> String {
    let hints = &request.hints;
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("app_id", &request.wanted.client_id);
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
