//! `/oidc/session/end`: RP-initiated logout, with the form that submits itself.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header::SET_COOKIE};
use url::Url;

use super::pages::flow::SESSION_COOKIE;
use crate::{
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    keys::KeyError,
    logout_token::LogoutToken,
    model::App,
    page, reply,
    request::{Incoming, Params},
    store::PendingLogout,
};

const LOGOUT_TOKEN_TTL: Duration = Duration::from_secs(120);

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    let session = request.cookie(SESSION_COOKIE);
    let response = if request.path.ends_with("/success") {
        Ok(reply::html(page::message(
            "Signed out",
            "You have signed out.",
        )))
    } else if request.path.ends_with("/confirm") {
        request
            .form()
            .and_then(|form| confirm(cx, &form, session))
            .map(|destination| {
                let mut response = reply::redirect(destination.as_str());
                let cookie = HeaderValue::from_static(
                    "_session=; path=/; max-age=0; samesite=lax; httponly",
                );
                response.headers_mut().append(SET_COOKIE, cookie);
                response
            })
    } else {
        let params = match request.method {
            Method::POST => request.form(),
            _ => Ok(request.query.clone()),
        };
        params
            .and_then(|params| begin(cx, &params, session))
            .map(|secret| {
                let action = cx.addresses.oidc("/session/end/confirm");
                let fields = [("xsrf", secret), ("logout", "yes".to_owned())];
                reply::html(page::self_submitting(&action, &fields))
            })
    };
    reply::no_store(response.unwrap_or_else(OAuthError::into_response))
}

/// Checks the request and gives the secret of the form that confirms it.
pub(crate) fn begin(
    cx: &mut Context<'_>,
    params: &Params,
    session: Option<&str>,
) -> Outcome<String> {
    params.reject_duplicates()?;
    let app = application(cx, params)?;
    let wanted = params.get("post_logout_redirect_uri");
    // Without a known application nobody can say whether the address is allowed: Logto drops it.
    let registered = app
        .zip(wanted)
        .map(|(app, uri)| {
            let known = app
                .post_logout_redirect_uris
                .iter()
                .any(|registered| registered == uri);
            Url::parse(uri).ok().filter(|_| known).ok_or_else(|| {
                OAuthError::invalid_request("post_logout_redirect_uri not registered")
            })
        })
        .transpose()?;
    let destination = match registered {
        Some(mut uri) => {
            if let Some(state) = params.get("state") {
                uri.query_pairs_mut().append_pair("state", state);
            }
            uri
        }
        None => success_page(cx),
    };
    let secret = cx.state.random.token();
    let pending = PendingLogout {
        session: session.map(str::to_owned),
        destination,
    };
    cx.state
        .store
        .pending_logouts
        .insert(secret.clone(), pending);
    Ok(secret)
}

/// Ends the session that the form was made for and gives the address that the browser goes to.
pub(crate) fn confirm(cx: &mut Context<'_>, form: &Params, session: Option<&str>) -> Outcome<Url> {
    let secret = form.get("xsrf").unwrap_or_default();
    let pending = cx.state.store.pending_logouts.remove(secret);
    let pending = pending
        .filter(|pending| pending.session.as_deref() == session)
        .ok_or_else(|| OAuthError::invalid_request("could not find logout details"))?;
    if form.get("logout").is_some() {
        if let Some(session) = &pending.session {
            end_session(cx, session)?;
        }
    }
    Ok(pending.destination)
}

/// Ends a session: grants without `offline_access` end with it, and applications with a back-channel
/// address are told.
pub(crate) fn end_session(cx: &mut Context<'_>, id: &str) -> Result<(), KeyError> {
    let Some(session) = cx.state.store.sessions.remove(id) else {
        return Ok(());
    };
    for (client_id, app) in &session.apps {
        if !app.persists {
            cx.state.store.revoke_grant(&app.grant_id);
        }
        if let Some(token) = logout_token(cx, client_id, &session.user_id, &app.sid)? {
            cx.state.logout_tokens.push(token);
        }
    }
    Ok(())
}

/// The logout token for an application, if it wants any.
fn logout_token(
    cx: &mut Context<'_>,
    client_id: &str,
    sub: &str,
    sid: &str,
) -> Result<Option<LogoutToken>, KeyError> {
    let app = cx.state.tenant.apps.get(client_id);
    let Some(logout) = app.and_then(|app| app.backchannel_logout.clone()) else {
        return Ok(None);
    };
    let iat = cx.now.seconds();
    let event = Members::new().with(
        "http://schemas.openid.net/event/backchannel-logout",
        Members::new(),
    );
    let claims = Members::new()
        .with("sub", sub)
        .with("events", event)
        .with("jti", cx.state.random.token())
        .with_some("sid", logout.session_required.then_some(sid))
        .with("aud", client_id)
        .with("exp", iat + LOGOUT_TOKEN_TTL.as_secs())
        .with("iat", iat)
        .with("iss", cx.issuer());
    let token = cx.state.keys.sign(Some("logout+jwt"), &claims)?;
    let client_id = client_id.to_owned();
    Ok(Some(LogoutToken::new(client_id, logout.uri, token)))
}

/// The application that asks, by the ID token it shows or by its own word.
fn application<'a>(cx: &'a Context<'_>, params: &Params) -> Outcome<Option<&'a App>> {
    let client_id = match (params.get("id_token_hint"), params.get("client_id")) {
        (Some(hint), named) => {
            let client_id = audience(cx, hint)?;
            if named.is_some_and(|named| named != client_id) {
                return Err(OAuthError::invalid_request(
                    "client_id does not match the provided id_token_hint",
                ));
            }
            client_id
        }
        (None, Some(named)) => named.to_owned(),
        (None, None) => return Ok(None),
    };
    let app = cx.state.tenant.apps.get(&client_id);
    app.map(Some)
        .ok_or_else(|| crate::client_auth::unknown(&client_id))
}

/// Who an ID token was issued to. It may have expired, but one of the listed keys must have signed it.
fn audience(cx: &Context<'_>, hint: &str) -> Outcome<String> {
    if hint.split('.').count() != 3 {
        return Err(OAuthError::invalid_request(
            "could not decode id_token_hint",
        ));
    }
    let claims = cx.state.keys.verify(hint);
    let audience = claims
        .as_ref()
        .and_then(|claims| claims.get("aud")?.as_str());
    audience
        .map(str::to_owned)
        .ok_or_else(|| OAuthError::invalid_request("could not validate id_token_hint"))
}

fn success_page(cx: &Context<'_>) -> Url {
    let mut url = cx.addresses.endpoint.clone();
    let path = format!(
        "{}/oidc/session/end/success",
        url.path().trim_end_matches('/')
    );
    url.set_path(&path);
    url
}
