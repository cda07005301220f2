//! `POST /oidc/token/revocation` (RFC 7009).

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    client_auth,
    context::Context,
    error::{OAuthError, Outcome},
    reply,
    request::Incoming,
};

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    match revoke(cx, request) {
        Ok(()) => reply::text(StatusCode::OK, ""),
        Err(error) => error.into_response(),
    }
}

fn revoke(cx: &mut Context<'_>, request: &Incoming) -> Outcome<()> {
    let form = request.form()?;
    let app = client_auth::authenticate(cx, request, &form)?;
    form.reject_duplicates()?;
    let token = form.required("token")?;
    reject_structured(token, "revoked via the revocation_endpoint")?;
    let store = &mut cx.state.store;
    let authority = match (
        store.refresh_tokens.get(token),
        store.access_tokens.get(token),
    ) {
        (Some(token), _) => &token.authority,
        (None, Some(token)) => &token.authority,
        (None, None) => return Ok(()),
    };
    if authority.app_id != app.id {
        return Err(OAuthError::invalid_request(
            "client is not authorized to revoke the presented token",
        ));
    }
    let grant_id = authority.grant_id.clone();
    store.revoke_grant(&grant_id);
    Ok(())
}

/// JWT access tokens can be neither revoked nor introspected.
pub(super) fn reject_structured(token: &str, what: &str) -> Outcome<()> {
    if token.split('.').count() == 3 {
        let description = format!("Structured JWT Tokens cannot be {what}");
        return Err(OAuthError::new("unsupported_token_type", description));
    }
    Ok(())
}
