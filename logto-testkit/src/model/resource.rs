use std::{collections::HashMap, time::Duration};

/// An API resource: the audience of access tokens and the permissions (scopes) it knows.
#[derive(Clone, Debug)]
pub struct Resource {
    pub(crate) indicator: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) access_token_ttl: Duration,
}

impl Resource {
    /// An API resource by its indicator, an absolute URI such as `https://api.example.com`.
    pub fn new(indicator: impl Into<String>) -> Self {
        Self {
            indicator: indicator.into(),
            scopes: Vec::new(),
            access_token_ttl: Duration::from_secs(3600),
        }
    }

    /// The permissions it knows. Who has them is a matter of roles.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// How long its access tokens live. Default: 3600 seconds.
    #[must_use]
    pub fn access_token_ttl(mut self, ttl: Duration) -> Self {
        self.access_token_ttl = ttl;
        self
    }
}

/// Adds permissions of an API resource to existing ones.
pub(super) fn add_permissions<S: Into<String>>(
    resources: &mut HashMap<String, Vec<String>>,
    resource: impl Into<String>,
    scopes: impl IntoIterator<Item = S>,
) {
    let of_resource = resources.entry(resource.into()).or_default();
    of_resource.extend(scopes.into_iter().map(Into::into));
}
