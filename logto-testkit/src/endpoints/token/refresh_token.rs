//! `grant_type=refresh_token` (RFC 6749 section 6), with Logto's organizations and rotation.

use http::StatusCode;

use super::{
    issue::{self, Target},
    organization,
};
use crate::{
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    model::{App, ORGANIZATIONS_SCOPE},
    request::Params,
    rotation::{Policy, TokenStatus},
    store::RefreshToken,
};

/// The order of the checks is Logto's: what fails before the rotation leaves the token as it was, what
/// fails after it has spent the token.
pub(super) fn refresh(cx: &mut Context<'_>, app: &App, form: &Params) -> Outcome<Members> {
    let value = form.required("refresh_token")?;
    let token = find(cx, app, value)?;
    let scopes = requested_scopes(&token, form)?;
    cx.active_user(&token.authority.user_id)
        .ok_or_else(OAuthError::invalid_grant)?;
    if token.lifetime.status(cx.now) == TokenStatus::Replayed {
        cx.state.store.late_replays += 1;
        cx.state.store.revoke_grant(&token.authority.grant_id);
        return Err(OAuthError::invalid_grant());
    }
    let organization_id = form.get("organization_id");
    if let Some(organization_id) = organization_id {
        organization::check_access(cx, app, &token.authority.user_id, organization_id)?;
        check_organizations_scope(&token)?;
    }

    let refresh_token = rotate(cx, app, value, &token);

    let target = Target {
        resource: issue::resource(form),
        organization_id,
    };
    let access_token = issue::access_token(cx, &token.authority, &scopes, target, None)?;
    let id_token = issue::id_token(cx, app, &token.authority, &scopes)?;
    Ok(issue::body(access_token, id_token, Some(refresh_token)))
}

/// The token, if it is this application's, has not expired and its grant lives.
fn find(cx: &Context<'_>, app: &App, value: &str) -> Outcome<RefreshToken> {
    let store = &cx.state.store;
    store
        .refresh_tokens
        .get(value)
        .filter(|token| token.authority.app_id == app.id)
        .filter(|token| token.lifetime.status(cx.now) != TokenStatus::Expired)
        .filter(|token| store.is_alive(&token.authority, cx.now))
        .cloned()
        .ok_or_else(OAuthError::invalid_grant)
}

fn requested_scopes(token: &RefreshToken, form: &Params) -> Outcome<Vec<String>> {
    let requested = form.words("scope");
    if requested.is_empty() {
        return Ok(token.authority.scopes.clone());
    }
    let missing: Vec<&str> = requested
        .iter()
        .filter(|scope| !token.authority.has_scope(scope))
        .map(String::as_str)
        .collect();
    if missing.is_empty() {
        return Ok(requested);
    }
    let noun = if missing.len() == 1 {
        "scope"
    } else {
        "scopes"
    };
    Err(OAuthError {
        scope: Some(missing.join(" ")),
        ..OAuthError::new(
            "invalid_scope",
            format!("refresh token missing requested {noun}"),
        )
    })
}

fn check_organizations_scope(token: &RefreshToken) -> Outcome<()> {
    if token.authority.has_scope(ORGANIZATIONS_SCOPE) {
        return Ok(());
    }
    Err(OAuthError {
        status: StatusCode::FORBIDDEN,
        scope: Some(ORGANIZATIONS_SCOPE.to_owned()),
        ..OAuthError::new("insufficient_scope", "refresh token missing required scope")
    })
}

/// The refresh token that the response carries: the same one, or its successor.
fn rotate(cx: &mut Context<'_>, app: &App, value: &str, token: &RefreshToken) -> String {
    let policy = Policy {
        rotate: app.rotate_refresh_token,
        public: app.is_public(),
        ttl: app.refresh_token_ttl,
    };
    let Some(lifetime) = token.lifetime.successor(policy, cx.now) else {
        return value.to_owned();
    };
    let successor = cx.state.random.token();
    let store = &mut cx.state.store;
    if let Some(token) = store.refresh_tokens.get_mut(value) {
        token.lifetime.consumed_at = Some(cx.now);
    }
    let root = Some(token.root.clone());
    store.insert_refresh_token(successor.clone(), token.authority.clone(), lifetime, root);
    successor
}
