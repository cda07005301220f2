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

fn extend<'a>(scopes: &mut Vec<String>, more: impl Iterator<Item = &'a String>) {
    for scope in more {
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
}
