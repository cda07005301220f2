//! `POST /oidc/token/introspection` (RFC 7662).

use bytes::Bytes;
use http::{Response, StatusCode};

use super::revocation::reject_structured;
use crate::{
    client_auth, clock::Moment, context::Context, error::Outcome, json::Members, model::App, reply,
    request::Incoming, store::Authority,
};

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    let response = match introspect(cx, request) {
        Ok(body) => reply::json(StatusCode::OK, &body),
        Err(error) => error.into_response(),
    };
    reply::no_store(response)
}

fn introspect(cx: &mut Context<'_>, request: &Incoming) -> Outcome<Members> {
    let form = request.form()?;
    let app = client_auth::authenticate(cx, request, &form)?;
    form.reject_duplicates()?;
    let value = form.required("token")?;
    reject_structured(value, "introspected via the introspection_endpoint")?;
    let store = &cx.state.store;
    let body = if let Some(token) = store.access_token(value, cx.now) {
        active(
            cx,
            &app,
            &token.authority,
            token.expires_at,
            token.issued_at,
        )
        .map(|body| body.with("token_type", "Bearer"))
    } else if let Some(token) = store.usable_refresh_token(value, cx.now) {
        let lifetime = token.lifetime;
        active(
            cx,
            &app,
            &token.authority,
            lifetime.expires_at,
            lifetime.issued_at,
        )
    } else {
        None
    };
    Ok(body.unwrap_or_else(|| Members::new().with("active", false)))
}

/// Applications with a secret may ask about every token, others about their own.
fn active(
    cx: &Context<'_>,
    app: &App,
    authority: &Authority,
    expires_at: Moment,
    issued_at: Moment,
) -> Option<Members> {
    if app.is_public() && authority.app_id != app.id {
        return None;
    }
    Some(
        Members::new()
            .with("active", true)
            .with("sub", authority.user_id.as_str())
            .with("client_id", authority.app_id.as_str())
            .with("exp", expires_at.seconds())
            .with("iat", issued_at.seconds())
            .with("iss", cx.issuer())
            .with("scope", authority.scopes.join(" ")),
    )
}
