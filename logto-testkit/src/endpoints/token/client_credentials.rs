//! `grant_type=client_credentials` (RFC 6749 section 4.4), with Logto's organizations.

use super::issue;
use crate::{
    context::Context,
    error::{OAuthError, Outcome},
    json::Members,
    model::{App, ORGANIZATIONS_RESOURCE, Organization},
    request::Params,
};

pub(super) fn issue(cx: &mut Context<'_>, app: &App, form: &Params) -> Outcome<Members> {
    let (resource, organization_id) = (issue::resource(form), form.get("organization_id"));
    let organization = organization_id
        .map(|id| organization_of(cx, app, id))
        .transpose()?
        .cloned();
    let asked = form.words("scope");
    let organization_audience;
    let (audience, ttl, scope) = match (resource, &organization) {
        (Some(resource), organization) => {
            let ttl = issue::resource_ttl(cx, resource).ok_or_else(OAuthError::invalid_target)?;
            let held = cx
                .state
                .tenant
                .app_permissions(app, resource, organization.as_ref());
            let scopes: Vec<_> = asked
                .into_iter()
                .filter(|scope| held.contains(scope))
                .collect();
            (
                resource,
                ttl,
                Some(scopes.join(" ")).filter(|scope| !scope.is_empty()),
            )
        }
        (None, Some(organization)) => {
            let tenant = &cx.state.tenant;
            let held = tenant.app_permissions(app, ORGANIZATIONS_RESOURCE, Some(organization));
            let scopes: Vec<_> = held
                .into_iter()
                .filter(|scope| asked.contains(scope))
                .collect();
            organization_audience = format!("urn:logto:organization:{}", organization.id);
            (
                organization_audience.as_str(),
                issue::ACCESS_TOKEN_TTL,
                Some(scopes.join(" ")),
            )
        }
        (None, None) => {
            return Err(OAuthError::new(
                "invalid_target",
                "both `resource` and `organization_id` are not provided",
            ));
        }
    };
    let first = match resource {
        Some(_) => Members::new().with_some("organization_id", organization_id),
        None => Members::new(),
    };
    let claims = issue::jwt_claims(cx, first, &app.id, &app.id, ttl, scope.as_deref(), audience);
    Ok(Members::new()
        .with("access_token", cx.sign(Some("at+jwt"), &claims)?)
        .with("expires_in", ttl.as_secs())
        .with("token_type", "Bearer")
        .with_some("scope", scope))
}

fn organization_of<'a>(cx: &'a Context<'_>, app: &App, id: &str) -> Outcome<&'a Organization> {
    let organization = cx.state.tenant.organizations.get(id);
    organization
        .filter(|organization| organization.applications.contains_key(&app.id))
        .ok_or_else(|| OAuthError::access_denied("app has not associated with the organization"))
}
