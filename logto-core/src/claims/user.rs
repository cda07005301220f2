//! The user's claims: the 28 that Logto documents, and any others.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{Address, Claim, Identity, OrganizationData, SsoIdentity, UnixMillis};
use crate::json::Members;

macro_rules! user_claims {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)+) => {
        /// What Logto says about a user.
        ///
        /// Which claims are present depends on the granted scopes (see
        /// [`UserScope`](crate::vocabulary::UserScope)), on the tenant's settings for ID tokens, and on
        /// whether the claims come from an ID token or from userinfo. Any of them may be absent. `Debug`
        /// shows the names of the claims, never their values.
        #[derive(Clone, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct UserClaims {
            $($(#[$doc])* pub $name: Claim<$type>,)+
            /// Claims this version does not know, and known ones whose value does not have the documented
            /// type.
            pub extra: Map<String, Value>,
        }

        impl UserClaims {
            /// The names of the claims that have a field.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name),)+];

            /// Sorts claims into fields. Never fails: what fits no field goes to `extra`.
            pub(crate) fn from_members<'a>(
                members: impl Iterator<Item = (Cow<'a, str>, Value)>,
            ) -> Self {
                let mut claims = Self::default();
                for (name, value) in members {
                    let left = match &*name {
                        $(stringify!($name) => claims.$name.fill(value),)+
                        _ => Some(value),
                    };
                    if let Some(value) = left {
                        claims.extra.insert(name.into_owned(), value);
                    }
                }
                claims
            }

            /// All claims as JSON, as received.
            pub fn to_map(&self) -> Map<String, Value> {
                let mut claims = self.extra.clone();
                $(self.$name.put(&mut claims, stringify!($name));)+
                claims
            }
        }
    };
}

user_claims! {
    /// Full name.
    name: String,
    /// First name.
    given_name: String,
    /// Last name.
    family_name: String,
    /// Middle name.
    middle_name: String,
    /// Casual name.
    nickname: String,
    /// The name the user wants to be called by. Not unique; identify users by `sub`.
    preferred_username: String,
    /// URL of the profile page.
    profile: String,
    /// URL of the picture.
    picture: String,
    /// URL of the web site.
    website: String,
    /// The e-mail address.
    email: String,
    /// Whether the user proved control of the e-mail address.
    email_verified: bool,
    /// Gender.
    gender: String,
    /// Birthday as `YYYY-MM-DD`, or `YYYY`.
    birthdate: String,
    /// Time zone, for example `Europe/Berlin`.
    zoneinfo: String,
    /// Language tag, for example `en-US`.
    locale: String,
    /// The phone number, digits only: `12025550123`.
    phone_number: String,
    /// Whether the user proved control of the phone number.
    phone_number_verified: bool,
    /// The postal address.
    address: Address,
    /// When the user's data last changed, in milliseconds.
    updated_at: UnixMillis,
    /// The user name at Logto, unique in the tenant.
    username: String,
    /// Names of the user's global roles.
    roles: Vec<String>,
    /// Ids of the organizations that the user belongs to.
    organizations: Vec<String>,
    /// The organizations with name and description.
    organization_data: Vec<OrganizationData>,
    /// Roles in organizations, each as `<organization id>:<role name>`; see
    /// [`UserClaims::organization_role_pairs`].
    organization_roles: Vec<String>,
    /// Data that applications store with the user.
    custom_data: Map<String, Value>,
    /// Linked social accounts by connector target, for example `github`.
    identities: BTreeMap<String, Identity>,
    /// Linked enterprise accounts.
    sso_identities: Vec<SsoIdentity>,
    /// When the user was created, in milliseconds.
    created_at: UnixMillis,
}

impl UserClaims {
    /// The `organization_roles` claim as pairs of organization id and role name. Entries without a colon are
    /// left out; a role name may contain colons.
    pub fn organization_role_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.organization_roles
            .as_deref()
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.split_once(':'))
    }
}

impl fmt::Debug for UserClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.to_map().keys()).finish()
    }
}

impl Serialize for UserClaims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_map().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for UserClaims {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let claims = Members::from(Map::deserialize(deserializer)?);
        Ok(Self::from_members(claims.without(&[])))
    }
}
