//! A configuration from environment variables.

use std::ffi::OsString;

use super::{LogtoConfigBuilder, builder::Given};
use crate::error::{ConfigError, ConfigProblem};

const ENDPOINT: &str = "LOGTO_ENDPOINT";
const APP_ID: &str = "LOGTO_APP_ID";
const APP_SECRET: &str = "LOGTO_APP_SECRET";
const BASE_URL: &str = "LOGTO_BASE_URL";
const OTHER_HOSTS: &str = "LOGTO_OTHER_HOSTS";
const RESOURCES: &str = "LOGTO_RESOURCES";
const SCOPES: &str = "LOGTO_SCOPES";

impl LogtoConfigBuilder {
    /// Reads settings from the environment. More can be added.
    ///
    /// | variable | setting |
    /// |---|---|
    /// | `LOGTO_ENDPOINT` | endpoint, required |
    /// | `LOGTO_APP_ID` | application id, required |
    /// | `LOGTO_APP_SECRET` | secret; unset for an application that has none |
    /// | `LOGTO_BASE_URL` | base URL; needed for sign-in |
    /// | `LOGTO_OTHER_HOSTS` | other hosts of the application, separated by spaces or commas |
    /// | `LOGTO_RESOURCES` | resource indicators, separated by spaces or commas |
    /// | `LOGTO_SCOPES` | scopes, separated by spaces or commas |
    ///
    /// # Errors
    ///
    /// A required variable is not set, or a variable is not UTF-8. [`build`](Self::build) checks the values
    /// and also names the variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(std::env::var_os)
    }

    /// Like [`from_env`](Self::from_env), with variables from `lookup`: a test's table, a secret manager, a
    /// file.
    ///
    /// ```
    /// use logto_core::config::LogtoConfigBuilder;
    ///
    /// let config = LogtoConfigBuilder::from_lookup(|name| match name {
    ///     "LOGTO_ENDPOINT" => Some("https://tenant.logto.app"),
    ///     "LOGTO_APP_ID" => Some("my-app-id"),
    ///     _ => None,
    /// })?
    /// .build()?;
    /// # assert_eq!(config.app_id(), "my-app-id");
    /// # Ok::<(), logto_core::error::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_env`](Self::from_env).
    pub fn from_lookup<V: Into<OsString>>(
        lookup: impl Fn(&'static str) -> Option<V>,
    ) -> Result<Self, ConfigError> {
        let text = |field, variable| match lookup(variable).map(|value| value.into().into_string())
        {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text)),
            Some(Err(_)) => Err(error(field, variable, ConfigProblem::NotUnicode)),
        };
        let required = |field, variable| {
            text(field, variable)?
                .map(|value| Given {
                    value,
                    variable: Some(variable),
                })
                .ok_or_else(|| error(field, variable, ConfigProblem::Missing))
        };
        let list = |field, variable| Ok(words(text(field, variable)?.as_deref(), variable));

        let mut builder = Self::with(required("endpoint", ENDPOINT)?, required("app_id", APP_ID)?);
        if let Some(secret) = text("app_secret", APP_SECRET)? {
            builder = builder.app_secret(secret);
            builder.client_authentication.variable = Some(APP_SECRET);
        }
        builder.base_url = text("base_url", BASE_URL)?.map(|value| Given {
            value,
            variable: Some(BASE_URL),
        });
        builder.other_hosts = list("other_hosts", OTHER_HOSTS)?;
        builder.resources = list("resources", RESOURCES)?;
        builder.scopes = list("scopes", SCOPES)?;
        Ok(builder)
    }
}

fn words(text: Option<&str>, variable: &'static str) -> Vec<Given<String>> {
    text.unwrap_or_default()
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| !word.is_empty())
        .map(|word| Given {
            value: word.to_owned(),
            variable: Some(variable),
        })
        .collect()
}

const fn error(field: &'static str, variable: &'static str, problem: ConfigProblem) -> ConfigError {
    ConfigError {
        field,
        variable: Some(variable),
        problem,
    }
}
