//! A sign-in that a third party starts
//! ([OpenID Connect Core 4](https://openid.net/specs/openid-connect-core-1_0.html#ThirdPartyInitiatedLogin)).

use std::borrow::Cow;

use url::{Url, form_urlencoded};

use crate::{config::LogtoConfig, error::UsageError, sign_in::SignIn};

/// A request to sign a user in, for example from a portal. It comes with a link from anywhere, so nothing in
/// it is trusted: it can only start a sign-in at the configured provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThirdPartyLogin {
    iss: String,
    login_hint: Option<String>,
    target_link_uri: Option<String>,
}

impl ThirdPartyLogin {
    /// Reads the query or the form of the request.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] if `iss` is missing or a parameter appears twice.
    pub fn parse(encoded: &[u8]) -> Result<Self, UsageError> {
        let [mut iss, mut login_hint, mut target_link_uri] = [None, None, None];
        for (name, value) in form_urlencoded::parse(encoded) {
            let slot = match name.as_ref() {
                "iss" => &mut iss,
                "login_hint" => &mut login_hint,
                "target_link_uri" => &mut target_link_uri,
                _ => continue,
            };
            if slot.replace(value.into_owned()).is_some() {
                return Err(invalid(format!("`{name}` must be provided only once")));
            }
        }
        Ok(Self {
            iss: iss.ok_or_else(|| invalid("`iss` is missing"))?,
            login_hint,
            target_link_uri,
        })
    }

    /// The sign-in, not yet started. It returns to `target_link_uri` if that is a path of this application,
    /// otherwise to the base URL; see [`ReturnTo`](crate::sign_in::ReturnTo). With several hosts, `config` is that
    /// [for the host](LogtoConfig::for_host) of the request.
    ///
    /// # Errors
    /// [`UsageError::InvalidParameter`] if `iss` is not the configured issuer.
    pub fn sign_in(&self, config: &LogtoConfig) -> Result<SignIn, UsageError> {
        if self.iss != config.issuer() {
            return Err(invalid("`iss` is not the issuer that is configured"));
        }
        let mut sign_in = SignIn::new();
        if let Some(login_hint) = &self.login_hint {
            sign_in = sign_in.login_hint(login_hint);
        }
        if let Some(target) = &self.target_link_uri {
            sign_in = sign_in.return_to(own_path(target, config));
        }
        Ok(sign_in)
    }
}

/// The path of a URL on the application's own origin. Anything else is returned unchanged and checked like
/// every other `return_to`.
fn own_path<'a>(target: &'a str, config: &LogtoConfig) -> Cow<'a, str> {
    let origin = config.base_url().map(Url::origin);
    match Url::parse(target) {
        Ok(url) if Some(url.origin()) == origin => match url.query() {
            Some(query) => format!("{}?{query}", url.path()).into(),
            None => url.path().to_owned().into(),
        },
        _ => target.into(),
    }
}

fn invalid(problem: impl Into<String>) -> UsageError {
    UsageError::InvalidParameter(problem.into())
}
