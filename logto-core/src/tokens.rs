//! Access tokens and their targets.

use std::{collections::BTreeSet, fmt, ops::Deref, sync::Arc, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{secret::Secret, time::UnixTime};

/// Clocks are constantly corrected by small steps. Only a larger step back is a reason to distrust earlier
/// timestamps.
const CLOCK_STEP: Duration = Duration::from_secs(60);

/// The target of an access token: what it grants access to, and the key under which a session stores it.
///
/// | target | Logto issues |
/// |---|---|
/// | [`TokenTarget::user_info`] | an opaque token for the userinfo endpoint and the Account API |
/// | [`TokenTarget::resource`] | a JWT whose `aud` is the API resource |
/// | [`TokenTarget::organization`] | a JWT whose `aud` is `urn:logto:organization:<id>` |
/// | `resource(..).in_organization(..)` | a JWT whose `aud` is the API resource, with `organization_id` |
///
/// Scopes narrow the request. A token with narrowed scopes is stored separately from the full one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TokenTarget {
    #[serde(default)]
    resource: Option<String>,
    #[serde(default)]
    organization_id: Option<String>,
    #[serde(default)]
    scopes: BTreeSet<String>,
}

impl TokenTarget {
    /// The opaque token for userinfo and the Account API.
    pub fn user_info() -> Self {
        Self::default()
    }

    /// A token for an API resource, by its indicator
    /// ([RFC 8707](https://www.rfc-editor.org/rfc/rfc8707)).
    pub fn resource(indicator: impl Into<String>) -> Self {
        Self {
            resource: Some(indicator.into()),
            ..Self::default()
        }
    }

    /// A token for an organization.
    pub fn organization(organization_id: impl Into<String>) -> Self {
        Self {
            organization_id: Some(organization_id.into()),
            ..Self::default()
        }
    }

    /// The same resource within an organization.
    #[must_use]
    pub fn in_organization(mut self, organization_id: impl Into<String>) -> Self {
        self.organization_id = Some(organization_id.into());
        self
    }

    /// The same target, limited to these scopes ([RFC 6749 section
    /// 6](https://www.rfc-editor.org/rfc/rfc6749#section-6)). Without `openid` among them Logto sends no new
    /// ID token.
    #[must_use]
    pub fn with_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// The resource indicator.
    pub fn resource_indicator(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// The organization's id.
    pub fn organization_id(&self) -> Option<&str> {
        self.organization_id.as_deref()
    }

    /// The narrowed scopes; empty means all granted scopes.
    pub fn scopes(&self) -> &BTreeSet<String> {
        &self.scopes
    }
}

impl fmt::Display for TokenTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.resource, &self.organization_id) {
            (None, None) => f.write_str("userinfo")?,
            (Some(resource), None) => write!(f, "resource {resource}")?,
            (None, Some(id)) => write!(f, "organization {id}")?,
            (Some(resource), Some(id)) => write!(f, "resource {resource} in organization {id}")?,
        }
        if !self.scopes.is_empty() {
            let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
            write!(f, " with {}", scopes.join(" "))?;
        }
        Ok(())
    }
}

/// The scopes of an access token: a set of names, which clones of the token share.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Scopes(Arc<BTreeSet<String>>);

impl Deref for Scopes {
    type Target = BTreeSet<String>;

    fn deref(&self) -> &BTreeSet<String> {
        &self.0
    }
}

impl From<BTreeSet<String>> for Scopes {
    fn from(scopes: BTreeSet<String>) -> Self {
        Self(Arc::new(scopes))
    }
}

impl<const N: usize> From<[String; N]> for Scopes {
    fn from(scopes: [String; N]) -> Self {
        BTreeSet::from(scopes).into()
    }
}

impl IntoIterator for Scopes {
    type Item = String;
    type IntoIter = std::collections::btree_set::IntoIter<String>;

    fn into_iter(self) -> Self::IntoIter {
        Arc::unwrap_or_clone(self.0).into_iter()
    }
}

impl<'a> IntoIterator for &'a Scopes {
    type Item = &'a String;
    type IntoIter = std::collections::btree_set::Iter<'a, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq<BTreeSet<String>> for Scopes {
    fn eq(&self, other: &BTreeSet<String>) -> bool {
        *self.0 == *other
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeSet::deserialize(deserializer).map(Self::from)
    }
}

/// An access token with its lifetime and its scopes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AccessToken {
    /// The token, for the `Authorization: Bearer` header of a request to its API.
    pub token: Secret,
    /// The scopes of this token as the server named them. If the server named none: the requested ones. If it
    /// sent the empty string: none.
    pub scopes: Scopes,
    /// When it was requested, by our clock.
    pub issued_at: UnixTime,
    /// When it expires, by our clock: `issued_at` plus `expires_in`.
    pub expires_at: UnixTime,
    /// When it was last handed out. A storage that runs out of space drops the longest unused token first.
    pub last_used: UnixTime,
}

impl AccessToken {
    /// A token from a storage. It counts as last used when it was issued.
    pub fn new(
        token: Secret,
        scopes: BTreeSet<String>,
        issued_at: UnixTime,
        expires_at: UnixTime,
    ) -> Self {
        Self {
            token,
            scopes: scopes.into(),
            issued_at,
            expires_at,
            last_used: issued_at,
        }
    }

    /// Whether the token can be used at `now`, and for `leeway` longer.
    ///
    /// The leeway is at most a quarter of the token's lifetime; otherwise short-lived tokens would never be
    /// usable. If the clock was set back to before the token was issued, the token is not usable: it is
    /// replaced too early rather than used too late.
    pub fn is_usable(&self, now: UnixTime, leeway: Duration) -> bool {
        let lifetime = self.expires_at.since(self.issued_at);
        let leeway = leeway.min(lifetime / 4);
        now >= self.issued_at.minus(CLOCK_STEP) && now < self.expires_at.minus(leeway)
    }

    /// The remaining lifetime at `now`.
    pub fn remaining(&self, now: UnixTime) -> Duration {
        self.expires_at.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(issued_at: i64, expires_in: i64) -> AccessToken {
        AccessToken {
            token: Secret::from("t"),
            scopes: Scopes::default(),
            issued_at: UnixTime::from_secs(issued_at),
            expires_at: UnixTime::from_secs(issued_at.saturating_add(expires_in)),
            last_used: UnixTime::from_secs(issued_at),
        }
    }

    #[test]
    fn f52_the_leeway_never_eats_a_short_lifetime() {
        let leeway = Duration::from_secs(60);
        for (expires_in, usable_for) in [
            (0, 0),
            (1, 1),
            (30, 23),
            (59, 45),
            (60, 45),
            (240, 180),
            (3600, 3540),
        ] {
            let token = token(1000, expires_in);
            for offset in 0..=expires_in {
                let now = UnixTime::from_secs(1000 + offset);
                assert_eq!(
                    token.is_usable(now, leeway),
                    offset < usable_for,
                    "{expires_in} {offset}"
                );
            }
        }
    }

    #[test]
    fn f50_a_clock_that_jumped_renews_early_rather_than_late() {
        let token = token(100_000, 3600);
        let leeway = Duration::from_secs(60);
        for (jump, usable) in [
            (-86_400, false),
            (-3_600, false),
            (-61, false),
            (-30, true),
            (0, true),
            (3_600, false),
        ] {
            assert_eq!(
                token.is_usable(UnixTime::from_secs(100_000 + jump), leeway),
                usable,
                "{jump}"
            );
        }
    }

    #[test]
    fn f53_the_ends_of_time() {
        let for_ever = token(0, i64::MAX);
        assert!(for_ever.is_usable(UnixTime::from_secs(4_294_967_296), Duration::MAX));
        assert!(!for_ever.is_usable(UnixTime::from_secs(i64::MAX), Duration::ZERO));
        assert!(!for_ever.is_usable(UnixTime::from_secs(i64::MIN), Duration::ZERO));
        let exactly_now = token(10, 0);
        assert!(!exactly_now.is_usable(UnixTime::from_secs(10), Duration::ZERO));
    }
}
