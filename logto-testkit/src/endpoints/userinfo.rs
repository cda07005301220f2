//! `GET` and `POST /oidc/me`.

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    claims::{self, Destination},
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    reply,
    request::Incoming,
};

pub(super) fn handle(cx: &Context<'_>, request: &Incoming) -> Response<Bytes> {
    let response = match claims(cx, request) {
        Ok(claims) => reply::json(StatusCode::OK, &claims),
        Err(error) => error.into_response(),
    };
    reply::no_store(response)
}

fn claims(cx: &Context<'_>, request: &Incoming) -> Outcome<Members> {
    let form = request.form()?;
    let token = request
        .bearer()
        .or_else(|| form.get("access_token"))
        .ok_or_else(|| unauthorized(cx, "no access token provided", false))?;
    let token = cx.state.store.access_token(token, cx.now);
    let authority = &token.ok_or_else(|| invalid(cx))?.authority;
    if !authority.has_scope("openid") {
        return Err(OAuthError {
            status: StatusCode::FORBIDDEN,
            scope: Some("openid".to_owned()),
            ..OAuthError::new("insufficient_scope", "access token missing openid scope")
        });
    }
    let user = cx
        .active_user(&authority.user_id)
        .ok_or_else(|| invalid(cx))?;
    Ok(claims::of_user(
        &cx.state.tenant,
        user,
        &authority.scopes,
        Destination::UserInfo,
    ))
}

fn invalid(cx: &Context<'_>) -> OAuthError {
    unauthorized(cx, "invalid token provided", true)
}

/// A request without any token is challenged without an error (RFC 6750 section 3.1).
fn unauthorized(cx: &Context<'_>, description: &'static str, say_why: bool) -> OAuthError {
    let realm = cx.issuer();
    let challenge = if say_why {
        format!(
            r#"Bearer realm="{realm}", error="invalid_token", error_description="{description}""#
        )
    } else {
        format!(r#"Bearer realm="{realm}""#)
    };
    OAuthError {
        status: StatusCode::UNAUTHORIZED,
        challenge: Some(challenge),
        ..OAuthError::new("invalid_token", description)
    }
}
