//! `POST /oidc/token`: client authentication, then one file per grant type.

mod authorization_code;
mod client_credentials;
mod device_code;
mod issue;
mod organization;
mod refresh_token;
mod token_exchange;

use bytes::Bytes;
use http::{Response, StatusCode};

use crate::{
    client_auth,
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    model::{App, DEVICE_CODE, TOKEN_EXCHANGE},
    reply,
    request::{Incoming, Params},
};

/// A grant type's work.
type Handler = fn(&mut Context<'_>, &App, &Params) -> Outcome<Members>;

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    let response = match answer(cx, request) {
        Ok(body) => reply::json(StatusCode::OK, &body),
        Err(error) => error.into_response(),
    };
    reply::no_store(response)
}

fn answer(cx: &mut Context<'_>, request: &Incoming) -> Outcome<Members> {
    let form = request.form()?;
    let app = client_auth::authenticate(cx, request, &form)?;
    form.reject_duplicates()?;
    let grant_type = form.required("grant_type")?;
    let handler: Handler = match grant_type {
        "authorization_code" => authorization_code::redeem,
        "refresh_token" => refresh_token::refresh,
        "client_credentials" => client_credentials::issue,
        DEVICE_CODE => device_code::redeem,
        TOKEN_EXCHANGE => token_exchange::exchange,
        _ => {
            return Err(OAuthError::new(
                "unsupported_grant_type",
                "unsupported grant_type requested",
            ));
        }
    };
    if !app.allows_grant(grant_type) {
        return Err(OAuthError::invalid_request(
            "requested grant type is not allowed for this client",
        ));
    }
    handler(cx, &app, &form)
}
