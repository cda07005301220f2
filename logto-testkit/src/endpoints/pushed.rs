//! `POST /oidc/request`: pushed authorization requests (RFC 9126).

use std::{collections::HashMap, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode};

use super::authorization::{AuthorizationRequest, Refusal};
use crate::{
    client_auth,
    clock::Moment,
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    reply,
    request::{Incoming, Params},
};

const TTL: Duration = Duration::from_secs(60);

/// Pushed requests that were not used yet, by `request_uri`.
#[derive(Default)]
pub(crate) struct PushedRequests(HashMap<String, (Params, Moment)>);

impl PushedRequests {
    /// The parameters behind a `request_uri`, which is used up by this.
    pub(super) fn take(
        &mut self,
        request_uri: &str,
        client_id: &str,
        now: Moment,
    ) -> Outcome<Params> {
        self.0
            .remove(request_uri)
            .filter(|(params, expires_at)| {
                now < *expires_at && params.get("client_id") == Some(client_id)
            })
            .map(|(params, _)| params)
            .ok_or_else(|| {
                OAuthError::new(
                    "invalid_request_uri",
                    "request_uri is invalid, expired, or was already used",
                )
            })
    }
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
    if let Err(refusal) = AuthorizationRequest::parse(cx, &form) {
        return Err(match refusal {
            Refusal::Page { error, .. } | Refusal::Callback { error, .. } => error,
        });
    }
    let request_uri = format!(
        "urn:ietf:params:oauth:request_uri:{}",
        cx.state.random.token()
    );
    cx.state
        .pushed_requests
        .0
        .insert(request_uri.clone(), (form, cx.now.plus(TTL)));
    Ok(Members::new()
        .with("expires_in", TTL.as_secs())
        .with("request_uri", request_uri))
}
