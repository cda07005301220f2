//! `grant_type=urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693): impersonation and personal access
//! tokens.

use super::{
    issue::{self, Target},
    organization,
};
use crate::{
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    model::App,
    request::Params,
    store::{Authority, GRANT_TTL, Grant},
};

const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const PERSONAL_ACCESS_TOKEN: &str = "urn:logto:token-type:personal_access_token";

pub(super) fn exchange(cx: &mut Context<'_>, app: &App, form: &Params) -> Outcome<Members> {
    let subject_token = form.required("subject_token")?;
    let user_id = match form.required("subject_token_type")? {
        ACCESS_TOKEN => impersonated(cx, subject_token),
        PERSONAL_ACCESS_TOKEN => cx
            .state
            .store
            .personal_access_tokens
            .get(subject_token)
            .cloned(),
        _ => None,
    };
    let user_id = user_id.filter(|id| cx.active_user(id).is_some());
    let user_id = user_id.ok_or_else(OAuthError::invalid_grant)?;
    let actor = form
        .get("actor_token")
        .map(|token| actor(cx, form, token))
        .transpose()?;
    let target = Target {
        resource: issue::resource(form),
        organization_id: form.get("organization_id"),
    };
    if let Some(organization_id) = target.organization_id {
        organization::check_access(cx, app, &user_id, organization_id)?;
    }
    let authority = authority(cx, app, user_id, form.words("scope"), target.resource);
    let scopes = authority.scopes.clone();
    let token = issue::access_token(cx, &authority, &scopes, target, actor.as_deref())?;
    Ok(Members::new()
        .with("access_token", token.token)
        .with("expires_in", token.expires_in)
        .with("scope", token.scope)
        .with("token_type", "Bearer"))
}

/// The user of a single-use impersonation token, or of their own opaque access token.
fn impersonated(cx: &mut Context<'_>, token: &str) -> Option<String> {
    if let Some((user_id, expires_at)) = cx.state.store.impersonation_tokens.remove(token) {
        return (cx.now < expires_at).then_some(user_id);
    }
    let token = cx.state.store.access_token(token, cx.now)?;
    Some(token.authority.user_id.clone())
}

/// Who acts for the subject: the user of an opaque access token with the scope `openid`.
fn actor(cx: &Context<'_>, form: &Params, token: &str) -> Outcome<String> {
    let known = form.get("actor_token_type") == Some(ACCESS_TOKEN);
    let token = cx.state.store.access_token(token, cx.now).filter(|_| known);
    token
        .filter(|token| token.authority.has_scope("openid"))
        .map(|token| token.authority.user_id.clone())
        .ok_or_else(OAuthError::invalid_grant)
}

/// A grant of its own: nothing was consented to, so whatever the user may have can be asked for.
fn authority(
    cx: &mut Context<'_>,
    app: &App,
    user_id: String,
    scopes: Vec<String>,
    resource: Option<&str>,
) -> Authority {
    let resources: Vec<String> = resource.into_iter().map(str::to_owned).collect();
    let grant_id = cx.state.random.token();
    let grant = Grant {
        scopes: scopes.clone(),
        resources: resources
            .iter()
            .map(|resource| (resource.clone(), scopes.clone()))
            .collect(),
        expires_at: cx.now.plus(GRANT_TTL),
        revoked: false,
    };
    cx.state.store.grants.insert(grant_id.clone(), grant);
    Authority {
        grant_id,
        app_id: app.id.clone(),
        user_id,
        scopes,
        resources,
        nonce: None,
        auth_time: None,
        sid: None,
        bound_to: None,
    }
}
