//! What one sign-in asks for.

use std::collections::BTreeSet;

use super::{ConfigProblem, LogtoConfig, rules};
use crate::{
    error::UsageError,
    vocabulary::{ReservedResource, ReservedScope, UserScope},
};

/// The scopes and API resources of one sign-in, each once, the configured ones first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requested {
    pub(crate) scopes: Vec<String>,
    pub(crate) resources: Vec<String>,
}

impl LogtoConfig {
    /// The configured scopes and resources with additional ones, which have to keep the same rules,
    /// and with the organization resource where the scopes ask for organizations.
    pub(crate) fn requested(
        &self,
        scopes: &[String],
        resources: &[String],
    ) -> Result<Requested, UsageError> {
        check("scopes", scopes, rules::scope)?;
        check("resources", resources, rules::resource)?;
        let scopes = merged(self.scopes(), scopes);
        let mut resources = merged(self.resources(), resources);
        let asks_for = |name: &str| scopes.iter().any(|scope| scope == name);
        if !asks_for(ReservedScope::OpenId.as_str()) {
            return Err(UsageError::InvalidParameter(
                "a sign-in needs the scope `openid`; add it".to_owned(),
            ));
        }
        if asks_for(UserScope::Organizations.as_str()) {
            resources = merged(&resources, &[ReservedResource::Organizations.into()]);
        }
        Ok(Requested { scopes, resources })
    }
}

fn check(
    name: &str,
    values: &[String],
    rule: impl Fn(&str) -> Result<(), ConfigProblem>,
) -> Result<(), UsageError> {
    values
        .iter()
        .try_for_each(|value| rule(value))
        .map_err(|problem| UsageError::InvalidParameter(format!("{name} {problem}")))
}

/// Both lists in order, each value once.
fn merged(configured: &[String], additional: &[String]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    configured
        .iter()
        .chain(additional)
        .filter(|value| seen.insert(value.as_str()))
        .cloned()
        .collect()
}
