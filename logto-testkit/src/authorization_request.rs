//! An authorization request that was checked.

use crate::{callback::ReturnAddress, claims::OIDC_SCOPES};

#[derive(Clone)]
pub(crate) struct AuthorizationRequest {
    pub(crate) wanted: Wanted,
    /// As the application sent it: the token request must repeat it character by character.
    pub(crate) redirect_uri: String,
    pub(crate) return_address: ReturnAddress,
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) challenge: Option<String>,
    /// What the sign-in page is told.
    pub(crate) hints: Hints,
}

/// What an application asks for, by whatever grant type.
#[derive(Clone)]
pub(crate) struct Wanted {
    pub(crate) client_id: String,
    /// As asked for, unknown ones included; `offline_access` only with `prompt=consent`.
    pub(crate) scopes: Vec<String>,
    pub(crate) resources: Vec<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) max_age: Option<u64>,
    /// The ID token says when the user signed in.
    pub(crate) auth_time: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Hints {
    pub(crate) first_screen: Option<String>,
    pub(crate) direct_sign_in: Option<String>,
    pub(crate) ui_locales: Option<String>,
    pub(crate) login_hint: Option<String>,
    pub(crate) one_time_token: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Prompt {
    None,
    Login,
    Consent,
}

impl AuthorizationRequest {
    pub(crate) fn prompts(&self, prompt: Prompt) -> bool {
        self.prompts.contains(&prompt)
    }
}

impl Wanted {
    pub(crate) fn oidc_scopes(&self) -> Vec<String> {
        let known = |scope: &&String| OIDC_SCOPES.contains(&scope.as_str());
        self.scopes.iter().filter(known).cloned().collect()
    }

    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|wanted| wanted == scope)
    }
}
