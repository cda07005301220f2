//! `POST /oidc/request`: pushed authorization requests (RFC 9126).

use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    authorize::{refusal::Refusal, request},
    client_auth,
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    reply,
    request::{Incoming, Params},
};

const TTL: Duration = Duration::from_secs(60);

/// The parameters behind a `request_uri`, which is used up by this.
pub(super) fn take(cx: &mut Context<'_>, request_uri: &str, client_id: &str) -> Outcome<Params> {
    let pushed = cx.state.store.pushed_requests.remove(request_uri);
    pushed
        .filter(|(params, expires_at)| {
            cx.now < *expires_at && params.get("client_id") == Some(client_id)
        })
        .map(|(params, _)| params)
        .ok_or_else(|| {
            OAuthError::new(
                "invalid_request_uri",
                "request_uri is invalid, expired, or was already used",
            )
        })
}

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    let response = match push(cx, request) {
        Ok(body) => reply::json(StatusCode::CREATED, &body),
        Err(error) => error.into_response(),
    };
    reply::no_store(response)
}

fn push(cx: &mut Context<'_>, request: &Incoming) -> Outcome<Members> {
    let mut form = request.form()?;
    let app = client_auth::authenticate(cx, request, &form)?;
    if form.get("client_id").is_none() {
        form.push("client_id", &app.id);
    }
    if let Err(refusal) = request::parse(cx, &form) {
        return Err(match refusal {
            Refusal::Page { error, .. } | Refusal::Callback { error, .. } => error,
        });
    }
    let request_uri = format!(
        "urn:ietf:params:oauth:request_uri:{}",
        cx.state.random.token()
    );
    cx.state
        .store
        .pushed_requests
        .insert(request_uri.clone(), (form, cx.now.plus(TTL)));
    Ok(Members::new()
        .with("expires_in", TTL.as_secs())
        .with("request_uri", request_uri))
}
