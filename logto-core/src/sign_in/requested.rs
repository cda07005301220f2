//! What a sign-in requests, in a browser or on a device.

use std::collections::BTreeSet;

use crate::{
    config::{LogtoConfig, rules},
    error::{ConfigProblem, UsageError},
    vocabulary::{Prompt, ReservedResource, ReservedScope, UserScope},
};

/// What one sign-in requests in addition to the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Additions {
    pub(super) scopes: Vec<String>,
    pub(super) resources: Vec<String>,
    /// Replaces the configured prompts.
    pub(super) prompts: Option<Vec<Prompt>>,
}

/// What one sign-in requests: each scope and resource once, the configured ones first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Requested {
    pub(super) scopes: Vec<String>,
    pub(super) resources: Vec<String>,
}

impl Additions {
    pub(super) fn add_scopes<S: Into<String>>(&mut self, scopes: impl IntoIterator<Item = S>) {
        self.scopes.extend(scopes.into_iter().map(Into::into));
    }

    pub(super) fn add_resources<S: Into<String>>(
        &mut self,
        resources: impl IntoIterator<Item = S>,
    ) {
        self.resources.extend(resources.into_iter().map(Into::into));
    }

    pub(super) fn set_prompts(&mut self, prompts: impl IntoIterator<Item = Prompt>) {
        self.prompts = Some(prompts.into_iter().collect());
    }

    /// Merges these additions with `config`. The same rules apply to both.
    pub(super) fn merge(&self, config: &LogtoConfig) -> Result<Requested, UsageError> {
        check("scopes", &self.scopes, rules::scope)?;
        check("resources", &self.resources, rules::resource)?;
        let scopes = merged(config.scopes(), &self.scopes);
        let mut resources = merged(config.resources(), &self.resources);
        let asks_for = |name: &str| scopes.iter().any(|scope| scope == name);
        // Without `openid` there is no ID token, and so no session.
        if !asks_for(ReservedScope::OpenId.as_str()) {
            return Err(invalid("a sign-in needs the scope `openid`; add it"));
        }
        // Logto issues organization tokens only to a grant that has this resource.
        if asks_for(UserScope::Organizations.as_str()) {
            resources = merged(&resources, &[ReservedResource::Organizations.into()]);
        }
        Ok(Requested { scopes, resources })
    }

    /// The prompts of this sign-in, or those of `config`.
    pub(super) fn prompts<'a>(
        &'a self,
        config: &'a LogtoConfig,
    ) -> Result<&'a [Prompt], UsageError> {
        let prompts = self.prompts.as_deref().unwrap_or_else(|| config.prompts());
        if prompts.contains(&Prompt::None) && prompts.len() > 1 {
            return Err(invalid("prompt `none` cannot be combined with others"));
        }
        Ok(prompts)
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
        .map_err(|problem| invalid(format!("{name} {problem}")))
}

pub(super) fn invalid(problem: impl Into<String>) -> UsageError {
    UsageError::InvalidParameter(problem.into())
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
