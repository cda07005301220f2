//! Who may do what: the scopes that a token can carry.

use super::{App, ORGANIZATIONS_RESOURCE, Organization, Tenant, User};

impl Tenant {
    /// The permissions of a user at an API resource: those of their own roles and those of their roles in
    /// organizations, in all of them or in the one that the token is for.
    pub(crate) fn user_permissions(
        &self,
        user: &User,
        resource: &str,
        organization_id: Option<&str>,
    ) -> Vec<String> {
        let mut scopes = Vec::new();
        if resource != ORGANIZATIONS_RESOURCE {
            extend(&mut scopes, self.role_permissions(&user.roles, resource));
        }
        for organization in self.organizations_of(&user.username) {
            if organization_id.is_none_or(|id| id == organization.id) {
                let roles = organization.members.get(&user.username);
                extend(
                    &mut scopes,
                    self.organization_role_permissions(roles, resource),
                );
            }
        }
        scopes
    }

    /// The permissions at an API resource that a user can give to an application. To the tenant's own they are
    /// all of theirs; to a third party those that it may ask for, and of what the user has in organizations that
    /// of the `selected` ones.
    pub(crate) fn grantable_permissions(
        &self,
        user: &User,
        app: &App,
        resource: &str,
        selected: &[String],
    ) -> Vec<String> {
        let Some(askable) = &app.third_party else {
            return self.user_permissions(user, resource, None);
        };
        let mut scopes = Vec::new();
        if resource == ORGANIZATIONS_RESOURCE {
            let held = self.user_permissions(user, resource, None);
            extend(
                &mut scopes,
                common(held.iter(), Some(&askable.organization)),
            );
            return scopes;
        }
        let held = self.role_permissions(&user.roles, resource);
        extend(&mut scopes, common(held, askable.resources.get(resource)));
        for organization in self.organizations_of(&user.username) {
            if selected.contains(&organization.id) {
                let roles = organization.members.get(&user.username);
                let held = self.organization_role_permissions(roles, resource);
                let askable = askable.organization_resources.get(resource);
                extend(&mut scopes, common(held, askable));
            }
        }
        scopes
    }

    /// The permissions of a machine-to-machine application at an API resource, by its own roles or, for a
    /// token of an organization, by its roles there.
    pub(crate) fn app_permissions(
        &self,
        app: &App,
        resource: &str,
        organization: Option<&Organization>,
    ) -> Vec<String> {
        let mut scopes = Vec::new();
        match organization {
            None => extend(&mut scopes, self.role_permissions(&app.roles, resource)),
            Some(organization) => {
                let roles = organization.applications.get(&app.id);
                extend(
                    &mut scopes,
                    self.organization_role_permissions(roles, resource),
                );
            }
        }
        scopes
    }

    fn role_permissions<'a>(
        &'a self,
        roles: &'a [String],
        resource: &'a str,
    ) -> impl Iterator<Item = &'a String> {
        roles
            .iter()
            .filter_map(|name| self.roles.get(name))
            .filter_map(move |role| role.resources.get(resource))
            .flatten()
    }

    fn organization_role_permissions<'a>(
        &'a self,
        roles: Option<&'a Vec<String>>,
        resource: &'a str,
    ) -> impl Iterator<Item = &'a String> {
        roles
            .into_iter()
            .flatten()
            .filter_map(|name| self.organization_roles.get(name))
            .filter_map(move |role| match resource {
                ORGANIZATIONS_RESOURCE => Some(&role.permissions),
                _ => role.resources.get(resource),
            })
            .flatten()
    }
}

fn common<'a>(
    held: impl Iterator<Item = &'a String>,
    askable: Option<&Vec<String>>,
) -> impl Iterator<Item = &'a String> {
    held.filter(move |scope| askable.is_some_and(|askable| askable.contains(scope)))
}

fn extend<'a>(scopes: &mut Vec<String>, more: impl Iterator<Item = &'a String>) {
    for scope in more {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
}
