//! The state of the provider: sessions, grants, codes and tokens.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use url::Url;

use crate::{
    clock::Moment,
    request::Params,
    rotation::{Lifetime, TokenStatus},
};

/// The lifetime of a grant, however often its refresh tokens rotated.
pub(crate) const GRANT_TTL: Duration = Duration::from_secs(180 * 86_400);
/// How long a session at the provider lives without use.
pub(crate) const SESSION_TTL: Duration = Duration::from_secs(14 * 86_400);

/// What a user granted to an application in one session.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) scopes: Vec<String>,
    /// The granted permissions of each API resource.
    pub(crate) resources: HashMap<String, Vec<String>>,
    pub(crate) expires_at: Moment,
    pub(crate) revoked: bool,
}

/// What a code, a refresh token and an opaque access token have in common.
#[derive(Clone)]
pub(crate) struct Authority {
    pub(crate) grant_id: String,
    pub(crate) app_id: String,
    pub(crate) user_id: String,
    /// OpenID Connect scopes first, then those of the API resources.
    pub(crate) scopes: Vec<String>,
    /// The API resources that the authorization request named.
    pub(crate) resources: Vec<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) auth_time: Option<u64>,
    pub(crate) sid: Option<String>,
    /// The session that it ends with: without `offline_access` it ends with one.
    pub(crate) bound_to: Option<String>,
}

impl Authority {
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

#[derive(Clone)]
pub(crate) struct Code {
    pub(crate) authority: Authority,
    pub(crate) redirect_uri: String,
    pub(crate) challenge: Option<String>,
    pub(crate) expires_at: Moment,
    pub(crate) consumed: bool,
}

#[derive(Clone)]
pub(crate) struct RefreshToken {
    pub(crate) authority: Authority,
    pub(crate) lifetime: Lifetime,
    /// The first token of its line: the code exchange that everything after it came from.
    pub(crate) root: String,
    /// Its place in the order of issue.
    pub(crate) serial: u64,
}

#[derive(Clone)]
pub(crate) struct AccessToken {
    pub(crate) authority: Authority,
    pub(crate) issued_at: Moment,
    pub(crate) expires_at: Moment,
}

/// A user who is signed in at the provider, in one browser.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) user_id: String,
    pub(crate) signed_in_at: Moment,
    pub(crate) expires_at: Moment,
    pub(crate) apps: HashMap<String, SessionApp>,
}

/// An application's part in a session.
#[derive(Clone)]
pub(crate) struct SessionApp {
    pub(crate) grant_id: String,
    pub(crate) sid: String,
    /// It was granted `offline_access`: its tokens outlive the session.
    pub(crate) persists: bool,
}

/// A user lets a third-party application act for them in an organization.
#[derive(PartialEq, Eq, Hash)]
struct ConsentedOrganization {
    app_id: String,
    user_id: String,
    organization_id: String,
}

/// A sign-out whose form has been sent to the browser.
pub(crate) struct PendingLogout {
    pub(crate) session: Option<String>,
    pub(crate) destination: Url,
}

#[derive(Default)]
pub(crate) struct Store {
    pub(crate) grants: HashMap<String, Grant>,
    pub(crate) codes: HashMap<String, Code>,
    pub(crate) refresh_tokens: HashMap<String, RefreshToken>,
    pub(crate) access_tokens: HashMap<String, AccessToken>,
    pub(crate) sessions: HashMap<String, Session>,
    /// Organizations that users let third-party applications act in.
    consented_organizations: HashSet<ConsentedOrganization>,
    /// Pushed authorization requests that were not used yet, by `request_uri`.
    pub(crate) pushed_requests: HashMap<String, (Params, Moment)>,
    /// By the secret in the form.
    pub(crate) pending_logouts: HashMap<String, PendingLogout>,
    /// The users that single-use impersonation tokens stand for, and when those end.
    pub(crate) impersonation_tokens: HashMap<String, (String, Moment)>,
    /// The users that personal access tokens stand for.
    pub(crate) personal_access_tokens: HashMap<String, String>,
    /// Client assertions that were shown, by client and `jti`, and when each ends.
    used_assertions: HashMap<(String, String), Moment>,
    /// Uses of a refresh token after the leeway.
    pub(crate) late_replays: usize,
    refresh_tokens_issued: u64,
}

impl Store {
    pub(crate) fn session(&self, id: &str, now: Moment) -> Option<&Session> {
        self.sessions
            .get(id)
            .filter(|session| now < session.expires_at)
    }

    pub(crate) fn grant(&self, id: &str, now: Moment) -> Option<&Grant> {
        self.grants
            .get(id)
            .filter(|grant| !grant.revoked && now < grant.expires_at)
    }

    /// Lets an application act for a user in an organization, in this and in later sign-ins.
    pub(crate) fn consent_to_organization(&mut self, app: &str, user: &str, organization: &str) {
        let consented = ConsentedOrganization {
            app_id: app.to_owned(),
            user_id: user.to_owned(),
            organization_id: organization.to_owned(),
        };
        self.consented_organizations.insert(consented);
    }

    pub(crate) fn consented_organizations(&self, app: &str, user: &str) -> Vec<String> {
        self.consented_organizations
            .iter()
            .filter(|consented| consented.app_id == app && consented.user_id == user)
            .map(|consented| consented.organization_id.clone())
            .collect()
    }

    /// Remembers a client assertion until it ends; `false` when it was shown before.
    pub(crate) fn use_assertion(
        &mut self,
        client_id: &str,
        id: &str,
        ends_at: Moment,
        now: Moment,
    ) -> bool {
        let key = (client_id.to_owned(), id.to_owned());
        let known = self.used_assertions.insert(key, ends_at);
        known.is_none_or(|end| end <= now)
    }

    /// Ends a grant: all its codes, refresh tokens and opaque access tokens stop working; JWT access tokens
    /// remain valid until they expire.
    pub(crate) fn revoke_grant(&mut self, id: &str) {
        if let Some(grant) = self.grants.get_mut(id) {
            grant.revoked = true;
        }
    }

    /// Whether the grant lives, and the session too where the authority is bound to one.
    pub(crate) fn is_alive(&self, authority: &Authority, now: Moment) -> bool {
        let in_session = |id: &String| {
            self.session(id, now).is_some_and(|session| {
                let app = session.apps.get(&authority.app_id);
                app.is_some_and(|app| app.grant_id == authority.grant_id)
            })
        };
        self.grant(&authority.grant_id, now).is_some()
            && authority.bound_to.as_ref().is_none_or(in_session)
    }

    pub(crate) fn access_token(&self, value: &str, now: Moment) -> Option<&AccessToken> {
        self.access_tokens
            .get(value)
            .filter(|token| now < token.expires_at && self.is_alive(&token.authority, now))
    }

    /// A refresh token that a refresh now would succeed with.
    pub(crate) fn usable_refresh_token(&self, value: &str, now: Moment) -> Option<&RefreshToken> {
        self.refresh_tokens.get(value).filter(|token| {
            token.lifetime.status(now) == TokenStatus::Usable
                && self.is_alive(&token.authority, now)
        })
    }

    /// Stores a refresh token; without `root` it begins a line of its own.
    pub(crate) fn insert_refresh_token(
        &mut self,
        value: String,
        authority: Authority,
        lifetime: Lifetime,
        root: Option<String>,
    ) {
        self.refresh_tokens_issued += 1;
        let root = root.unwrap_or_else(|| value.clone());
        let serial = self.refresh_tokens_issued;
        self.refresh_tokens.insert(
            value,
            RefreshToken {
                authority,
                lifetime,
                root,
                serial,
            },
        );
    }

    /// The newest token of the line that `value` belongs to, valid or not.
    pub(crate) fn latest_refresh_token(&self, value: &str) -> Option<&str> {
        let root = &self.refresh_tokens.get(value)?.root;
        let line = self
            .refresh_tokens
            .iter()
            .filter(|(_, token)| token.root == *root);
        line.max_by_key(|(_, token)| token.serial)
            .map(|(value, _)| value.as_str())
    }
}
