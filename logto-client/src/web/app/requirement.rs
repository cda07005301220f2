//! Requirements for signed-in users, for guards.

use logto_core::claims::{IdTokenClaims, UserClaims};

use crate::{error::Error, session::WritableSession};

/// The roles and memberships that a user needs for access. All of them must hold.
///
/// The claims come from the ID token and are as old as it: a removed role or membership shows with the next ID
/// token, after a refresh that returns one, or after a new sign-in. Where that is too late, let the API check
/// the scopes of its access token. Roles need the scope `roles`, organizations the scope
/// `urn:logto:scope:organizations` and their roles `urn:logto:scope:organization_roles`.
///
/// ```
/// use logto_client::web::Requirement;
///
/// let staff = Requirement::user().role("staff").organization("acme");
/// let admins_of_acme = Requirement::user().organization_role("acme", "admin");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Requirement {
    roles: Vec<String>,
    organizations: Vec<String>,
    organization_roles: Vec<(String, String)>,
}

impl Requirement {
    /// Requires only a signed-in user.
    pub fn user() -> Self {
        Self::default()
    }

    /// Requires this global role, by its name.
    pub fn role(mut self, name: impl Into<String>) -> Self {
        self.roles.push(name.into());
        self
    }

    /// Requires a member of this organization.
    pub fn organization(mut self, organization_id: impl Into<String>) -> Self {
        self.organizations.push(organization_id.into());
        self
    }

    /// Requires a member of this organization with this role in it, by its name.
    pub fn organization_role(
        mut self,
        organization_id: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        let role = (organization_id.into(), name.into());
        self.organization_roles.push(role);
        self
    }

    /// Whether the user of these claims meets the requirement. A missing claim counts as not met.
    pub fn is_met_by(&self, claims: &IdTokenClaims) -> bool {
        self.is_met(&claims.user)
    }

    /// As [`is_met_by`](Self::is_met_by), with the organizations from userinfo if the ID token does not contain
    /// them: a session that was too large for cookies was stored without them.
    pub(super) async fn is_met_in(&self, session: &WritableSession) -> Result<bool, Error> {
        let claims = session.claims();
        let user = &claims.user;
        let asks_userinfo = (!self.organizations.is_empty()
            && user.organizations.value().is_none())
            || (!self.organization_roles.is_empty() && user.organization_roles.value().is_none());
        match asks_userinfo {
            true => Ok(self.is_met(&session.user_info().await?.user)),
            false => Ok(self.is_met(user)),
        }
    }

    fn is_met(&self, user: &UserClaims) -> bool {
        let has = |list: Option<&Vec<String>>, wanted: &String| {
            list.is_some_and(|list| list.contains(wanted))
        };
        let mut organization_roles = self.organization_roles.iter();
        self.roles.iter().all(|role| has(user.roles.value(), role))
            && self
                .organizations
                .iter()
                .all(|organization_id| has(user.organizations.value(), organization_id))
            && organization_roles.all(|(organization_id, role)| {
                let mut pairs = user.organization_role_pairs();
                pairs.any(|pair| pair == (organization_id, role))
            })
    }
}
