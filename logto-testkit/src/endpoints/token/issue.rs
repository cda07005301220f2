//! The tokens of a user's token response.

use std::time::Duration;

use crate::{
    claims::{self, Destination},
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    model::{App, ORGANIZATIONS_RESOURCE},
    request::Params,
    store::{AccessToken, Authority},
};

/// The lifetime of opaque and of organization tokens.
pub(super) const ACCESS_TOKEN_TTL: Duration = Duration::from_secs(3600);

/// What an access token is asked for.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) resource: Option<&'a str>,
    pub(super) organization_id: Option<&'a str>,
}

pub(super) struct Issued {
    pub(super) token: String,
    pub(super) expires_in: u64,
    pub(super) scope: String,
}

/// The one API resource of a token request; a request that names several names none.
pub(super) fn resource(form: &Params) -> Option<&str> {
    form.get("resource")
        .filter(|_| form.all("resource").nth(1).is_none())
}

/// An access token within `scopes`: opaque without a target, else a JWT, which names the actor if there is one.
pub(super) fn access_token(
    cx: &mut Context<'_>,
    authority: &Authority,
    scopes: &[String],
    target: Target<'_>,
    actor: Option<&str>,
) -> Outcome<Issued> {
    let first = Members::new().with_some("act", actor.map(|sub| Members::new().with("sub", sub)));
    match (target.resource, target.organization_id) {
        (Some(resource), organization_id) => {
            for_resource(cx, authority, scopes, first, resource, organization_id)
        }
        (None, Some(organization_id)) => {
            for_organization(cx, authority, scopes, first, organization_id)
        }
        (None, None) => opaque(cx, authority, scopes),
    }
}

/// An ID token, where the scopes ask for one. Claims are read again; `nonce` and `sid` remain those of the
/// sign-in.
pub(super) fn id_token(
    cx: &Context<'_>,
    app: &App,
    authority: &Authority,
    scopes: &[String],
) -> Outcome<Option<String>> {
    if !scopes.iter().any(|scope| scope == "openid") {
        return Ok(None);
    }
    let user = cx
        .active_user(&authority.user_id)
        .ok_or_else(OAuthError::invalid_grant)?;
    let iat = cx.now.seconds();
    let claims = claims::of_user(&cx.state.tenant, user, scopes, Destination::IdToken)
        .with_some("auth_time", authority.auth_time)
        .with_some("nonce", authority.nonce.as_deref())
        .with_some("sid", authority.sid.as_deref())
        .with("aud", app.id.as_str())
        .with("exp", iat.saturating_add(app.id_token_ttl.as_secs()))
        .with("iat", iat)
        .with("iss", cx.issuer());
    cx.sign(None, &claims).map(Some)
}

/// The claims that every JWT access token begins with, after those that only some have.
pub(super) fn jwt_claims(
    cx: &mut Context<'_>,
    first: Members,
    sub: &str,
    client_id: &str,
    ttl: Duration,
    scope: Option<&str>,
    aud: &str,
) -> Members {
    let iat = cx.now.seconds();
    first
        .with("jti", cx.state.random.token())
        .with("sub", sub)
        .with("iat", iat)
        .with("exp", iat.saturating_add(ttl.as_secs()))
        .with_some("scope", scope)
        .with("client_id", client_id)
        .with("iss", cx.issuer())
        .with("aud", aud)
}

fn opaque(cx: &mut Context<'_>, authority: &Authority, scopes: &[String]) -> Outcome<Issued> {
    let grant = cx.state.store.grant(&authority.grant_id, cx.now);
    let grant = grant.ok_or_else(OAuthError::invalid_grant)?;
    let scopes: Vec<String> = grant
        .scopes
        .iter()
        .filter(|scope| scopes.contains(scope))
        .cloned()
        .collect();
    let scope = scopes.join(" ");
    let value = cx.state.random.token();
    let token = AccessToken {
        authority: Authority {
            scopes,
            ..authority.clone()
        },
        issued_at: cx.now,
        expires_at: cx.now.plus(ACCESS_TOKEN_TTL),
    };
    cx.state.store.access_tokens.insert(value.clone(), token);
    Ok(Issued {
        token: value,
        expires_in: ACCESS_TOKEN_TTL.as_secs(),
        scope,
    })
}

/// Scopes: the user's permissions in the organization, as far as they were granted and asked for.
fn for_organization(
    cx: &mut Context<'_>,
    authority: &Authority,
    scopes: &[String],
    first: Members,
    organization_id: &str,
) -> Outcome<Issued> {
    let permissions = permissions(cx, authority, ORGANIZATIONS_RESOURCE, Some(organization_id))?;
    let asked: Vec<String> = permissions
        .into_iter()
        .filter(|permission| scopes.contains(permission))
        .collect();
    let aud = format!("urn:logto:organization:{organization_id}");
    jwt(cx, authority, first, &asked, &aud, ACCESS_TOKEN_TTL)
}

fn for_resource(
    cx: &mut Context<'_>,
    authority: &Authority,
    scopes: &[String],
    first: Members,
    resource: &str,
    organization_id: Option<&str>,
) -> Outcome<Issued> {
    if !authority.resources.iter().any(|named| named == resource) {
        return Err(OAuthError::invalid_target());
    }
    let ttl = resource_ttl(cx, resource).ok_or_else(OAuthError::invalid_target)?;
    let permissions = permissions(cx, authority, resource, organization_id)?;
    let grant = cx.state.store.grant(&authority.grant_id, cx.now);
    let granted = grant
        .and_then(|grant| grant.resources.get(resource))
        .into_iter()
        .flatten();
    let asked: Vec<String> = granted
        .filter(|scope| scopes.contains(scope) && permissions.contains(scope))
        .cloned()
        .collect();
    let first = first.with_some("organization_id", organization_id);
    jwt(cx, authority, first, &asked, resource, ttl)
}

/// How long a resource's access tokens live; `None` when there is no such resource.
pub(super) fn resource_ttl(cx: &Context<'_>, resource: &str) -> Option<Duration> {
    if resource == ORGANIZATIONS_RESOURCE {
        return Some(ACCESS_TOKEN_TTL);
    }
    cx.state
        .tenant
        .resources
        .get(resource)
        .map(|resource| resource.access_token_ttl)
}

fn permissions(
    cx: &Context<'_>,
    authority: &Authority,
    resource: &str,
    organization_id: Option<&str>,
) -> Outcome<Vec<String>> {
    let user = cx
        .active_user(&authority.user_id)
        .ok_or_else(OAuthError::invalid_grant)?;
    Ok(cx
        .state
        .tenant
        .user_permissions(user, resource, organization_id))
}

fn jwt(
    cx: &mut Context<'_>,
    authority: &Authority,
    first: Members,
    scopes: &[String],
    aud: &str,
    ttl: Duration,
) -> Outcome<Issued> {
    let scope = scopes.join(" ");
    let (sub, client_id) = (&authority.user_id, &authority.app_id);
    let claims = jwt_claims(cx, first, sub, client_id, ttl, Some(&scope), aud);
    Ok(Issued {
        token: cx.sign(Some("at+jwt"), &claims)?,
        expires_in: ttl.as_secs(),
        scope,
    })
}

/// The response to a code, a device code or a refresh token.
pub(super) fn body(
    access_token: Issued,
    id_token: Option<String>,
    refresh_token: Option<String>,
) -> Members {
    Members::new()
        .with("access_token", access_token.token)
        .with("expires_in", access_token.expires_in)
        .with_some("id_token", id_token)
        .with_some("refresh_token", refresh_token)
        .with("scope", access_token.scope)
        .with("token_type", "Bearer")
}
