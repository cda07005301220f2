//! `grant_type=authorization_code` (RFC 6749 section 4.1.3, RFC 7636).

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::issue::{self, Target};
use crate::{
    authorize::request::check_format,
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    model::{App, AppKind},
    request::Params,
    rotation::Lifetime,
    store::Authority,
};

pub(super) fn redeem(cx: &mut Context<'_>, app: &App, form: &Params) -> Outcome<Members> {
    let value = form.required("code")?;
    let redirect_uri = form.required("redirect_uri")?;
    let now = cx.now;
    let store = &mut cx.state.store;
    let code = store
        .codes
        .get(value)
        .ok_or_else(OAuthError::invalid_grant)?
        .clone();
    let authority = code.authority;
    if authority.app_id != app.id || now >= code.expires_at || !store.is_alive(&authority, now) {
        return Err(OAuthError::invalid_grant());
    }
    // Nothing is consumed by a wrong verifier or redirect URI: the code may be tried again.
    check_verifier(code.challenge.as_deref(), form.get("code_verifier"))?;
    if redirect_uri != code.redirect_uri {
        return Err(OAuthError::invalid_grant());
    }
    if code.consumed {
        store.revoke_grant(&authority.grant_id);
        return Err(OAuthError::invalid_grant());
    }
    if let Some(code) = store.codes.get_mut(value) {
        code.consumed = true;
    }
    cx.active_user(&authority.user_id)
        .ok_or_else(OAuthError::invalid_grant)?;
    respond(cx, app, &authority, form)
}

/// The tokens of a new sign-in, a refresh token among them where the application gets one.
pub(super) fn respond(
    cx: &mut Context<'_>,
    app: &App,
    authority: &Authority,
    form: &Params,
) -> Outcome<Members> {
    let target = Target {
        resource: issue::resource(form),
        organization_id: None,
    };
    let access_token = issue::access_token(cx, authority, &authority.scopes, target, None)?;
    let id_token = issue::id_token(cx, app, authority, &authority.scopes)?;
    let refresh_token = gets_refresh_token(app, authority).then(|| {
        let value = cx.state.random.token();
        let lifetime = Lifetime::starting(cx.now, app.refresh_token_ttl);
        cx.state
            .store
            .insert_refresh_token(value.clone(), authority.clone(), lifetime, None);
        value
    });
    Ok(issue::body(access_token, id_token, refresh_token))
}

fn gets_refresh_token(app: &App, authority: &Authority) -> bool {
    authority.has_scope("offline_access")
        || (app.always_issue_refresh_token && app.kind != AppKind::Native)
}

fn check_verifier(challenge: Option<&str>, verifier: Option<&str>) -> Outcome<()> {
    if let Some(verifier) = verifier {
        check_format(verifier, "code_verifier")?;
    }
    let hashed = verifier
        .map(|verifier| digest::digest(&digest::SHA256, verifier.as_bytes()))
        .map(|hash| URL_SAFE_NO_PAD.encode(hash));
    if hashed.as_deref() == challenge {
        Ok(())
    } else {
        Err(OAuthError::invalid_grant())
    }
}
