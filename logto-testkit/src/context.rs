//! What an endpoint works with: the addresses, the time and the provider's state.

use url::Url;

use crate::{
    api_answers::ApiAnswers,
    clock::Moment,
    devices::Devices,
    error::{OAuthError, Outcome},
    faults::Faults,
    interactions::Interactions,
    journal::RequestRecord,
    json::Members,
    keys::KeyRing,
    logout_token::LogoutToken,
    model::{Tenant, User},
    one_time_tokens::OneTimeTokens,
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

/// What an authorization request meets when the session does not answer it.
#[derive(Clone, Debug)]
pub(crate) enum SignInMode {
    Page,
    /// No page: this user is signed in at once, and consents.
    Immediate(String),
}

impl SignInMode {
    pub(crate) fn is_immediate(&self) -> bool {
        matches!(self, Self::Immediate(_))
    }
}

pub(crate) struct State {
    pub(crate) tenant: Tenant,
    pub(crate) keys: KeyRing,
    pub(crate) random: Random,
    pub(crate) store: Store,
    pub(crate) interactions: Interactions,
    pub(crate) devices: Devices,
    pub(crate) one_time_tokens: OneTimeTokens,
    pub(crate) faults: Faults,
    pub(crate) api_answers: ApiAnswers,
    pub(crate) logout_tokens: Vec<LogoutToken>,
    pub(crate) journal: Vec<RequestRecord>,
}

impl State {
    pub(crate) fn new(tenant: Tenant, keys: KeyRing) -> Self {
        Self {
            tenant,
            keys,
            random: Random::from_system(),
            store: Store::default(),
            interactions: Interactions::default(),
            devices: Devices::default(),
            one_time_tokens: OneTimeTokens::default(),
            faults: Faults::default(),
            api_answers: ApiAnswers::default(),
            logout_tokens: Vec::new(),
            journal: Vec::new(),
        }
    }
}

pub(crate) struct Context<'a> {
    pub(crate) addresses: &'a Addresses,
    pub(crate) now: Moment,
    pub(crate) sign_in: &'a SignInMode,
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
