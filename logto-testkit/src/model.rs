//! What a Logto tenant holds: users, applications, API resources, organizations and roles.

mod app;
mod authentication;
mod organization;
mod permissions;
mod resource;
mod role;
mod third_party;
mod user;
mod vocabulary;

use std::collections::HashMap;

pub use app::App;
pub(crate) use app::{AppAuthentication, AppKind, AppSecret};
pub use organization::Organization;
pub use resource::Resource;
pub use role::{OrganizationRole, Role};
pub use third_party::UserConsentScopes;
pub use user::User;
pub(crate) use vocabulary::{
    DEVICE_CODE, ORGANIZATIONS_RESOURCE, ORGANIZATIONS_SCOPE, TOKEN_EXCHANGE,
};

/// Everything an administrator sets up in the console.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tenant {
    /// In the order of their making: the sign-in page lists them.
    pub(crate) users: Vec<User>,
    pub(crate) apps: HashMap<String, App>,
    pub(crate) resources: HashMap<String, Resource>,
    pub(crate) organizations: HashMap<String, Organization>,
    pub(crate) roles: HashMap<String, Role>,
    pub(crate) organization_roles: HashMap<String, OrganizationRole>,
}

impl Tenant {
    pub(crate) fn user(&self, id: &str) -> Option<&User> {
        self.users.iter().find(|user| user.id == id)
    }

    /// A user by what a person types: username, email address or phone number.
    pub(crate) fn user_by_identifier(&self, identifier: &str) -> Option<&User> {
        self.users.iter().find(|user| {
            user.username == identifier
                || user.email.as_deref() == Some(identifier)
                || user.phone.as_deref() == Some(identifier)
        })
    }

    pub(crate) fn user_by_identifier_mut(&mut self, identifier: &str) -> Option<&mut User> {
        let id = self.user_by_identifier(identifier)?.id.clone();
        self.users.iter_mut().find(|user| user.id == id)
    }

    /// The organizations of a user, in the order of their ids.
    pub(crate) fn organizations_of(&self, username: &str) -> Vec<&Organization> {
        let mut organizations: Vec<_> = self
            .organizations
            .values()
            .filter(|organization| organization.members.contains_key(username))
            .collect();
        organizations.sort_by(|left, right| left.id.cmp(&right.id));
        organizations
    }
}
