//! What an endpoint works with: the addresses, the time and the provider's state.

use url::Url;

use crate::{
    clock::Moment,
    error::{OAuthError, Outcome},
    json::Members,
    keys::KeyRing,
    model::{Tenant, User},
    random::Random,
    store::Store,
};

/// Where the provider lives, as it says in discovery.
#[derive(Clone, Debug)]
pub(crate) struct Addresses {
    pub(crate) endpoint: Url,
    /// The endpoint without a slash at its end.
    pub(crate) base: String,
    pub(crate) issuer: String,
}

impl Addresses {
    pub(crate) fn new(endpoint: Url) -> Self {
        let base = endpoint.as_str().trim_end_matches('/').to_owned();
        let issuer = format!("{base}/oidc");
        Self {
            endpoint,
            base,
            issuer,
        }
    }

    /// A path below the issuer, such as `/token`.
    pub(crate) fn oidc(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }
}

pub(crate) struct State {
    pub(crate) tenant: Tenant,
    pub(crate) keys: KeyRing,
    pub(crate) random: Random,
    pub(crate) store: Store,
    pub(crate) interactions: crate::endpoints::Interactions,
    pub(crate) pending_logouts: crate::endpoints::PendingLogouts,
    pub(crate) pushed_requests: crate::endpoints::PushedRequests,
    pub(crate) devices: crate::endpoints::Devices,
    pub(crate) subject_tokens: crate::endpoints::SubjectTokens,
    pub(crate) faults: crate::faults::Faults,
    pub(crate) logout_tokens: Vec<crate::LogoutToken>,
    pub(crate) journal: Vec<crate::RequestRecord>,
}

pub(crate) struct Context<'a> {
    pub(crate) addresses: &'a Addresses,
    pub(crate) now: Moment,
    pub(crate) sign_in: &'a crate::logto::SignInMode,
    pub(crate) state: &'a mut State,
}

impl Context<'_> {
    pub(crate) fn issuer(&self) -> &str {
        &self.addresses.issuer
    }

    /// A user who exists and is not suspended: nobody else gets tokens.
    pub(crate) fn active_user(&self, id: &str) -> Option<&User> {
        self.state.tenant.user(id).filter(|user| !user.suspended)
    }

    pub(crate) fn sign(&self, typ: Option<&'static str>, claims: &Members) -> Outcome<String> {
        self.state.keys.sign(typ, claims).map_err(OAuthError::from)
    }
}
