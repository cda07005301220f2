//! The sign-in page: from an errand to a user.

use bytes::Bytes;
use http::{Method, Response, StatusCode};

use super::flow;
use crate::{
    authorize::{
        one_time_token::{self, Refused},
        session,
    },
    context::Context,
    interactions::Errand,
    page::{self, SignInPage},
    reply,
    request::Incoming,
};

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    if request.method == Method::POST {
        submit(cx, request)
    } else {
        show(cx, request)
    }
}

/// The page, or what the one-time token leads to that the user came with: nothing is left to type.
fn show(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    let Some((id, errand)) = flow::errand(cx, request) else {
        return flow::not_found();
    };
    let (id, errand) = (id.to_owned(), errand.clone());
    match one_time_token::redeem(cx, &errand) {
        None => {}
        Some(Ok(user_id)) => {
            let session = session::sign_in(cx, request.cookie(flow::SESSION_COOKIE), &user_id);
            return flow::proceed(cx, &id, &errand, &session);
        }
        Some(Err(Refused::Token(invalid))) => return invalid_link(invalid.message()),
        Some(Err(Refused::User(_))) => return invalid_link("Nobody with this email may sign in."),
    }
    let hint = match &errand {
        Errand::Authorize(request) => request.hints.login_hint.as_deref(),
        Errand::ApproveDevice { .. } => None,
    };
    page(cx, &id, &errand, hint.unwrap_or_default(), None)
}

fn invalid_link(problem: &str) -> Response<Bytes> {
    let mut response = reply::html(page::message("Invalid link", problem));
    *response.status_mut() = StatusCode::BAD_REQUEST;
    reply::no_store(response)
}

fn submit(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    let form = match request.form() {
        Ok(form) => form,
        Err(error) => return error.into_response(),
    };
    let id = form.get("interaction").unwrap_or_default();
    let Some(errand) = cx.state.interactions.get(id, cx.now) else {
        return flow::not_found();
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
        let mut response = page(cx, id, errand, identifier, Some(problem));
        *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
        return response;
    };
    let errand = errand.clone();
    let session = session::sign_in(cx, request.cookie(flow::SESSION_COOKIE), &user_id);
    flow::proceed(cx, id, &errand, &session)
}

fn page(
    cx: &Context<'_>,
    id: &str,
    errand: &Errand,
    identifier: &str,
    problem: Option<&str>,
) -> Response<Bytes> {
    let users = cx.state.tenant.users.iter();
    let users: Vec<_> = users
        .map(|user| (user.username.as_str(), user.password.as_deref()))
        .collect();
    let html = page::sign_in(&SignInPage {
        client_id: &errand.wanted().client_id,
        action: &format!("{}/sign-in", cx.addresses.base),
        interaction: id,
        users: &users,
        identifier,
        problem,
    });
    reply::no_store(reply::html(html))
}
