use std::collections::HashMap;

use super::resource::add_permissions;

/// A role of the tenant, given to users or to machine-to-machine applications: permissions of API resources.
///
/// ```
/// use logto_testkit::Role;
///
/// let shopper = Role::new("shopper").permissions("https://api.example.com", ["read:products"]);
/// ```
#[derive(Clone, Debug)]
pub struct Role {
    pub(crate) name: String,
    pub(crate) resources: HashMap<String, Vec<String>>,
}

impl Role {
    /// A role without permissions.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            resources: HashMap::new(),
        }
    }

    /// Adds permissions of an API resource.
    #[must_use]
    pub fn permissions<S: Into<String>>(
        mut self,
        resource: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        add_permissions(&mut self.resources, resource, scopes);
        self
    }
}

/// A role of the organization template, given to members inside one organization: permissions of the
/// organization itself and of API resources.
///
/// ```
/// use logto_testkit::OrganizationRole;
///
/// let member = OrganizationRole::new("member")
///     .permissions(["read:shipments"])
///     .resource_permissions("https://api.example.com", ["read:products"]);
/// ```
#[derive(Clone, Debug)]
pub struct OrganizationRole {
    pub(crate) name: String,
    pub(crate) permissions: Vec<String>,
    pub(crate) resources: HashMap<String, Vec<String>>,
}

impl OrganizationRole {
    /// A role without permissions.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            permissions: Vec::new(),
            resources: HashMap::new(),
        }
    }

    /// Adds organization permissions: the scopes of organization tokens, in this order.
    #[must_use]
    pub fn permissions<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.permissions.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Adds permissions of an API resource.
    #[must_use]
    pub fn resource_permissions<S: Into<String>>(
        mut self,
        resource: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        add_permissions(&mut self.resources, resource, scopes);
        self
    }
}
