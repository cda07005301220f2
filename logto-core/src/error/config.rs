//! Errors of a configuration.

use std::time::Duration;

/// A setting that cannot be used. The message names the setting and says what to do. It never shows a secret,
/// or a URL, which might contain one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Logto configuration: {field}{} {problem}", origin(.variable))]
#[non_exhaustive]
pub struct ConfigError {
    /// The setting: the name of its builder method.
    pub field: &'static str,
    /// The environment variable that holds the value, or is missing.
    pub variable: Option<&'static str>,
    /// What is wrong with it.
    pub problem: ConfigProblem,
}

impl ConfigError {
    pub(crate) const fn new(field: &'static str, problem: ConfigProblem) -> Self {
        Self {
            field,
            variable: None,
            problem,
        }
    }
}

fn origin(variable: &Option<&str>) -> String {
    variable
        .map(|name| format!(" (environment variable {name})"))
        .unwrap_or_default()
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// The value is missing or empty.
    #[error("is missing or empty: set it")]
    Missing,
    /// The secret is set but empty.
    #[error("is empty: set it, or leave it out altogether for an application without a secret")]
    EmptySecret,
    /// The secret is too short for its use.
    #[error("is too short: `client_secret_jwt` needs at least {minimum} bytes")]
    TooShort {
        /// The limit, in bytes.
        minimum: usize,
    },
    /// The value contains white space or control characters, usually from copying.
    #[error("contains white space or control characters: remove them")]
    WhiteSpace,
    /// An environment variable that is not text.
    #[error("is not valid UTF-8: set it to text")]
    NotUnicode,
    /// Not an absolute http(s) URL.
    #[error("is not a web address: give an absolute URL such as https://example.com")]
    NotAWebUrl,
    /// Plain http to another machine.
    #[error(
        "uses plain http: use https (http is accepted for localhost, and elsewhere only with \
         dangerously_allow_http)"
    )]
    PlainHttp,
    /// The URL has a part that is not allowed.
    #[error("contains a {0}: remove it")]
    UnexpectedUrlPart(&'static str),
    /// Not a host at which browsers can reach the application.
    #[error(
        "contains something that is not a host: give names such as app.example.com, \
         *.preview.example.com for all names with one more label, or a loopback address"
    )]
    NotAHost,
    /// A host of another machine, although the base URL uses plain http.
    #[error("contains a host that needs https, but base_url uses http: use https there")]
    HostNeedsHttps,
    /// Not a plain path.
    #[error(
        "is not a plain path: give one such as /callback, starting with one slash, without query, \
         fragment, dot segments or empty segments, percent-encoded where necessary"
    )]
    NotAPath,
    /// Not a scope.
    #[error(
        "contains {0:?}, which is not one scope: give each scope by itself, in printable ASCII \
         without spaces, quotes and backslashes"
    )]
    NotAScope(String),
    /// Not a resource indicator.
    #[error(
        "contains {0:?}, which is not a resource indicator: give an absolute URI without a fragment, \
         exactly as registered in the Console"
    )]
    NotAResource(String),
    /// `none` together with another prompt.
    #[error("combine `none` with another prompt: `none` must stand alone")]
    NoneWithOthers,
    /// The duration exceeds its limit.
    #[error("is too long: give at most {} seconds", maximum.as_secs())]
    TooLong {
        /// The limit.
        maximum: Duration,
    },
}

/// A client assertion could not be signed. The text says why and contains nothing of the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the client assertion could not be signed: {0}")]
pub struct SigningError(pub String);
