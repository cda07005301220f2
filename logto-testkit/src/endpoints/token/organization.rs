//! Who may have a token for an organization.

use crate::{
    context::Context,
    error::{OAuthError, Outcome},
    model::App,
};

/// The user is a member and, where the application is a third party, let it act in the organization.
pub(super) fn check_access(
    cx: &Context<'_>,
    app: &App,
    user_id: &str,
    organization_id: &str,
) -> Outcome<()> {
    let organization = cx.state.tenant.organizations.get(organization_id);
    let member = cx
        .active_user(user_id)
        .zip(organization)
        .is_some_and(|(user, organization)| organization.members.contains_key(&user.username));
    if !member {
        return Err(OAuthError::access_denied(
            "user is not a member of the organization",
        ));
    }
    let mut consented = cx
        .state
        .store
        .consented_organizations(&app.id, user_id)
        .into_iter();
    if app.third_party.is_some() && !consented.any(|id| id == organization_id) {
        return Err(OAuthError::access_denied(
            "organization access is not granted to the application",
        ));
    }
    Ok(())
}
