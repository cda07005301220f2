use std::collections::HashMap;

use super::resource::add_permissions;

/// What a third-party application may ask users for
/// ([Logto's page on permissions](https://docs.logto.io/integrate-logto/third-party-applications/permission-management)).
///
/// `openid` and `offline_access` need not be named. An authorization request for another scope of users is
/// refused with `invalid_scope`; permissions that are not named here are silently left out.
///
/// ```
/// use logto_testkit::{App, UserConsentScopes};
///
/// let partner = App::traditional("partner", "secret").third_party(
///     UserConsentScopes::new()
///         .user(["profile", "email", "urn:logto:scope:organizations"])
///         .resource("https://api.example.com", ["read:products"])
///         .organization(["read:shipments"]),
/// );
/// ```
#[derive(Clone, Debug, Default)]
pub struct UserConsentScopes {
    pub(crate) user: Vec<String>,
    pub(crate) resources: HashMap<String, Vec<String>>,
    pub(crate) organization: Vec<String>,
    pub(crate) organization_resources: HashMap<String, Vec<String>>,
}

impl UserConsentScopes {
    /// Nothing but `openid` and `offline_access`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds scopes about the user, such as `profile` and `urn:logto:scope:organizations`.
    #[must_use]
    pub fn user<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.user.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds permissions of an API resource, which the user has by roles of their own.
    #[must_use]
    pub fn resource<S: Into<String>>(
        mut self,
        resource: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        add_permissions(&mut self.resources, resource, scopes);
        self
    }

    /// Adds permissions of organizations.
    #[must_use]
    pub fn organization<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.organization.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds permissions of an API resource, which the user has by roles in the organizations that they select on
    /// the consent page.
    #[must_use]
    pub fn organization_resource<S: Into<String>>(
        mut self,
        resource: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        add_permissions(&mut self.organization_resources, resource, scopes);
        self
    }

    pub(crate) fn allows_user_scope(&self, scope: &str) -> bool {
        matches!(scope, "openid" | "offline_access") || self.user.iter().any(|own| own == scope)
    }
}
