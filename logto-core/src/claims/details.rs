//! The claims that are objects.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::claim::{Claim, deserialized};

/// The postal address of the `address` claim
/// ([OpenID Connect Core 5.1.1](https://openid.net/specs/openid-connect-core-1_0.html#AddressClaim)).
///
/// The standard names the members in snake case; Logto sends `streetAddress` and `postalCode`. Both are read.
/// `Debug` shows no part of the address.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(Map<String, Value>);

impl Address {
    /// The whole address as written on a letter. May have several lines.
    pub fn formatted(&self) -> Option<&str> {
        self.text("formatted")
    }

    /// Street and number. May have several lines.
    pub fn street_address(&self) -> Option<&str> {
        self.text("street_address")
            .or_else(|| self.text("streetAddress"))
    }

    /// City or locality.
    pub fn locality(&self) -> Option<&str> {
        self.text("locality")
    }

    /// State, province, prefecture or region.
    pub fn region(&self) -> Option<&str> {
        self.text("region")
    }

    /// Zip or postal code.
    pub fn postal_code(&self) -> Option<&str> {
        self.text("postal_code").or_else(|| self.text("postalCode"))
    }

    /// Country.
    pub fn country(&self) -> Option<&str> {
        self.text("country")
    }

    /// The claim as received.
    pub const fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").finish_non_exhaustive()
    }
}

/// One organization in the `organization_data` claim.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct OrganizationData {
    /// The organization's id, as in the `organizations` claim.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// Its description; `null` if it has none.
    #[serde(default, skip_serializing_if = "Claim::is_absent")]
    pub description: Claim<String>,
    /// Members this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl fmt::Debug for OrganizationData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrganizationData")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// A linked social account in the `identities` claim.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Identity {
    /// The user's id at the social provider.
    #[serde(rename = "userId")]
    pub user_id: String,
    /// The profile as the social provider gave it. Its form depends on the provider.
    #[serde(default, skip_serializing_if = "Claim::is_absent")]
    pub details: Claim<Map<String, Value>>,
    /// Members this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

/// A linked enterprise account in the `sso_identities` claim.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SsoIdentity {
    /// The enterprise identity provider.
    pub issuer: String,
    /// The user's id at that provider.
    #[serde(rename = "identityId")]
    pub identity_id: String,
    /// The profile as the identity provider gave it. Its form depends on the provider.
    #[serde(default, skip_serializing_if = "Claim::is_absent")]
    pub detail: Claim<Map<String, Value>>,
    /// Members this version does not know.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl fmt::Debug for SsoIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SsoIdentity").finish_non_exhaustive()
    }
}

deserialized!(
    Address,
    Vec<OrganizationData>,
    Vec<SsoIdentity>,
    BTreeMap<String, Identity>
);
