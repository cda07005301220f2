//! `grant_type=client_credentials` (RFC 6749 section 4.4), with Logto's organizations.

use std::time::Duration;

use super::issue;
use crate::{
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    model::{App, ORGANIZATIONS_RESOURCE, Organization},
    request::Params,
};

pub(super) fn issue(cx: &mut Context<'_>, app: &App, form: &Params) -> Outcome<Members> {
    let organization = form
        .get("organization_id")
        .map(|id| organization_of(cx, app, id))
        .transpose()?;
    let asked = form.words("scope");
    let access = match (issue::resource(form), organization) {
        (Some(resource), organization) => for_resource(cx, app, resource, organization, &asked)?,
        (None, Some(organization)) => for_organization(cx, app, organization, &asked),
        (None, None) => {
            return Err(OAuthError::new(
                "invalid_target",
                "both `resource` and `organization_id` are not provided",
            ));
        }
    };
    let first = Members::new().with_some("organization_id", access.organization_id);
    let (id, ttl, scope) = (&app.id, access.ttl, access.scope);
    let claims = issue::jwt_claims(cx, first, id, id, ttl, scope.as_deref(), &access.audience);
    Ok(Members::new()
        .with("access_token", cx.sign(Some("at+jwt"), &claims)?)
        .with("expires_in", ttl.as_secs())
        .with("token_type", "Bearer")
        .with_some("scope", scope))
}

/// What the token will be good for.
struct Access {
    audience: String,
    /// A claim of tokens for an API resource inside an organization.
    organization_id: Option<String>,
    ttl: Duration,
    scope: Option<String>,
}

/// Scopes in the order of the request; no `scope` at all when none is held.
fn for_resource(
    cx: &Context<'_>,
    app: &App,
    resource: &str,
    organization: Option<&Organization>,
    asked: &[String],
) -> Outcome<Access> {
    let ttl = issue::resource_ttl(cx, resource).ok_or_else(OAuthError::invalid_target)?;
    let held = cx.state.tenant.app_permissions(app, resource, organization);
    let scope = common(asked, &held);
    Ok(Access {
        audience: resource.to_owned(),
        organization_id: organization.map(|organization| organization.id.clone()),
        ttl,
        scope: (!scope.is_empty()).then_some(scope),
    })
}

/// Scopes in the order of the roles; an empty `scope` when none is held.
fn for_organization(
    cx: &Context<'_>,
    app: &App,
    organization: &Organization,
    asked: &[String],
) -> Access {
    let tenant = &cx.state.tenant;
    let held = tenant.app_permissions(app, ORGANIZATIONS_RESOURCE, Some(organization));
    Access {
        audience: format!("urn:logto:organization:{}", organization.id),
        organization_id: None,
        ttl: issue::ACCESS_TOKEN_TTL,
        scope: Some(common(&held, asked)),
    }
}

fn organization_of<'a>(cx: &'a Context<'_>, app: &App, id: &str) -> Outcome<&'a Organization> {
    let organization = cx.state.tenant.organizations.get(id);
    organization
        .filter(|organization| organization.applications.contains_key(&app.id))
        .ok_or_else(|| OAuthError::access_denied("app has not associated with the organization"))
}

/// The scopes of `ordered` that `other` has too.
fn common(ordered: &[String], other: &[String]) -> String {
    let both = ordered.iter().filter(|scope| other.contains(scope));
    both.map(String::as_str).collect::<Vec<_>>().join(" ")
}
