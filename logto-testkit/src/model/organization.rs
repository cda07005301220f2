use std::collections::HashMap;

/// An organization and who is in it.
///
/// ```
/// use logto_testkit::Organization;
///
/// let acme = Organization::new("acme-id", "Acme").member("alice", ["member"]);
/// ```
#[derive(Clone, Debug)]
pub struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// The roles of each member, by username.
    pub(crate) members: HashMap<String, Vec<String>>,
    /// The roles of each machine-to-machine application, by client ID.
    pub(crate) applications: HashMap<String, Vec<String>>,
}

impl Organization {
    /// An organization without members.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            description: None,
            members: HashMap::new(),
            applications: HashMap::new(),
        }
    }

    /// What it is, in words.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Adds a user by username, with organization roles by name; an empty list makes a member without roles.
    #[must_use]
    pub fn member<S: Into<String>>(
        mut self,
        username: impl Into<String>,
        roles: impl IntoIterator<Item = S>,
    ) -> Self {
        self.members
            .insert(username.into(), roles.into_iter().map(Into::into).collect());
        self
    }

    /// Adds a machine-to-machine application by client ID, with organization roles by name.
    #[must_use]
    pub fn application<S: Into<String>>(
        mut self,
        client_id: impl Into<String>,
        roles: impl IntoIterator<Item = S>,
    ) -> Self {
        self.applications.insert(
            client_id.into(),
            roles.into_iter().map(Into::into).collect(),
        );
        self
    }
}
