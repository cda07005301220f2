//! A signed-in user: the session, the tokens it holds, and how it changes.

mod data;
mod delta;
mod parts;
mod stored;
mod verified_id_token;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use self::stored::Part;
pub use self::{
    data::SessionData,
    delta::SessionDelta,
    parts::{SessionParts, UnreadableSession},
    stored::{StoredContent, StoredHead},
    verified_id_token::VerifiedIdToken,
};
use crate::{
    claims::IdTokenClaims,
    config::LogtoConfig,
    error::UsageError,
    grants::{RefreshTokens, UnverifiedTokens},
    metadata::ProviderMetadata,
    secret::Secret,
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
    vocabulary::{ReservedScope, UserScope},
};

/// Everything that is stored for one signed-in user of one application.
///
/// A session is a plain value. [`CompleteSignIn`](crate::sign_in::CompleteSignIn) creates it,
/// [`usable_token`](Self::usable_token) reads it, [`Refresh`](crate::refresh::Refresh) refreshes it, and
/// [`apply`](Self::apply) changes it by a [`SessionDelta`]. It serializes all its content, tokens in clear:
/// seal it before it leaves the process.
#[derive(Clone, PartialEq, Hash, Serialize, Deserialize)]
#[serde(try_from = "SessionParts", into = "SessionParts")]
pub struct Session {
    id: SessionId,
    id_token: Part<VerifiedIdToken>,
    refresh_token: Part<Option<Secret>>,
    refresh_token_issued_at: Option<UnixTime>,
    access_tokens: Part<BTreeMap<TokenTarget, AccessToken>>,
    requested_scopes: Part<BTreeSet<String>>,
    requested_resources: Part<BTreeSet<String>>,
    granted_scopes: Part<BTreeSet<String>>,
    data: Part<Option<SessionData>>,
    began_at: UnixTime,
    created_at: UnixTime,
    changed_at: UnixTime,
}

/// The id of a session, which stays the same when its tokens are rotated: 128 random bits. Each sign-in
/// creates a new one, so that an attacker who knows an earlier id gains nothing.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// The id made of these random bytes.
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The random bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId([redacted])")
    }
}

impl Session {
    /// The session that a redeemed code starts. `tokens` must be verified.
    pub(crate) fn start(
        id: SessionId,
        id_token: VerifiedIdToken,
        tokens: UnverifiedTokens,
        requested_scopes: &[String],
        requested_resources: &[String],
        now: UnixTime,
    ) -> Self {
        let granted_scopes = (*tokens.access_token.scopes).clone();
        Self {
            began_at: id_token.claims().iat,
            id,
            id_token: id_token.into(),
            refresh_token_issued_at: tokens.refresh_token.is_some().then_some(now),
            refresh_token: tokens.refresh_token.into(),
            access_tokens: BTreeMap::from([(TokenTarget::user_info(), tokens.access_token)]).into(),
            requested_scopes: BTreeSet::from_iter(requested_scopes.iter().cloned()).into(),
            requested_resources: BTreeSet::from_iter(requested_resources.iter().cloned()).into(),
            granted_scopes: granted_scopes.into(),
            data: None.into(),
            created_at: now,
            changed_at: now,
        }
    }

    /// A session that a storage has written: some parts are already read, the others are read on demand.
    pub fn from_stored(head: StoredHead, content: Arc<dyn StoredContent>) -> Self {
        Self {
            id: head.id,
            id_token: Part::stored(&content, |content| {
                VerifiedIdToken::stored(content.id_token())
            }),
            refresh_token: Part::stored(&content, |content| content.refresh_token()),
            refresh_token_issued_at: head.refresh_token_issued_at,
            access_tokens: Part::stored(&content, |content| content.access_tokens()),
            requested_scopes: Part::stored(&content, |content| content.requested_scopes()),
            requested_resources: Part::stored(&content, |content| content.requested_resources()),
            granted_scopes: Part::stored(&content, |content| content.granted_scopes()),
            data: Part::stored(&content, |content| content.data()),
            began_at: head.began_at,
            created_at: head.created_at,
            changed_at: head.changed_at,
        }
    }

    /// The id, which never changes.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// The claims of the ID token, from memory. They do not expire: an ID token says who signed in, not for
    /// how long.
    pub fn claims(&self) -> &IdTokenClaims {
        self.id_token.claims()
    }

    /// The same as [`claims`](Self::claims), as a shared value.
    pub fn shared_claims(&self) -> Arc<IdTokenClaims> {
        self.id_token.shared_claims()
    }

    /// The ID token as issued, for an `id_token_hint`. `None` if the session had to
    /// [forget](Self::forget_organizations) a part of it.
    pub fn id_token(&self) -> Option<&Secret> {
        self.id_token.is_whole().then_some(self.id_token.token())
    }

    /// Whether the claims of the ID token can be read. A storage writes only such sessions, so that it need not
    /// check when it reads one.
    pub fn is_readable(&self) -> bool {
        self.id_token.is_readable()
    }

    /// The ID token as the session serializes it, for storages with their own format. It has no signature if
    /// a part of it is forgotten.
    pub fn kept_id_token(&self) -> &Secret {
        self.id_token.token()
    }

    /// The refresh token, if one was issued.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    /// When the refresh token was issued, by the application's clock. `None` if there is none, or if an older
    /// release has stored the session.
    pub fn refresh_token_issued_at(&self) -> Option<UnixTime> {
        self.refresh_token_issued_at
    }

    /// The stored access tokens, whether or not they are fresh.
    pub fn access_tokens(&self) -> &BTreeMap<TokenTarget, AccessToken> {
        &self.access_tokens
    }

    /// The scopes that the sign-in requested.
    pub fn requested_scopes(&self) -> &BTreeSet<String> {
        &self.requested_scopes
    }

    /// The API resources that the sign-in requested.
    pub fn requested_resources(&self) -> &BTreeSet<String> {
        &self.requested_resources
    }

    /// The OpenID Connect scopes that were granted. Permissions of API resources are granted with each
    /// token; see [`AccessToken::scopes`].
    pub fn granted_scopes(&self) -> &BTreeSet<String> {
        &self.granted_scopes
    }

    /// The data of the application, if it has [set](SessionDelta::data) any. No refresh changes it.
    pub fn data(&self) -> Option<&SessionData> {
        self.data.as_ref()
    }

    /// The requested scopes that are neither granted nor in a stored token: a reason to ask for consent
    /// again. Permissions of a resource count as missing until a token for the resource has been fetched.
    pub fn missing_scopes(&self) -> BTreeSet<&str> {
        let held = |scope: &String| {
            self.granted_scopes.contains(scope)
                || self
                    .access_tokens
                    .values()
                    .any(|token| token.scopes.contains(scope))
        };
        self.requested_scopes
            .iter()
            .filter(|scope| !held(scope))
            .map(String::as_str)
            .collect()
    }

    /// When the session began by the provider's clock: the `iat` of its first ID token, which a refresh does
    /// not change. Logout tokens are compared with it, so that differences between the clocks do not matter.
    pub fn began_at(&self) -> UnixTime {
        self.began_at
    }

    /// When the user signed in, by the application's clock.
    pub fn created_at(&self) -> UnixTime {
        self.created_at
    }

    /// When the session last changed.
    pub fn changed_at(&self) -> UnixTime {
        self.changed_at
    }

    /// The token for `target`, if the session has one that is usable at `now`.
    pub fn usable_token(
        &self,
        config: &LogtoConfig,
        target: &TokenTarget,
        now: UnixTime,
    ) -> Option<&AccessToken> {
        let token = match self.access_tokens.unread() {
            Some(content) => content.access_token(target),
            None => self.access_tokens.get(target),
        };
        token.filter(|token| token.is_usable(now, config.expiry_leeway()))
    }

    /// The exchange that fetches a token for `target`, whether or not the session has one.
    ///
    /// It is a single request. [`Refresh`](crate::refresh::Refresh) also handles a response that is late,
    /// lost or unusable, without losing the session.
    ///
    /// # Errors
    /// [`UsageError`] if the server would refuse: the resource or scope was never requested, the
    /// organizations scope is missing, or there is no refresh token. Checking here saves the refresh token,
    /// because Logto rotates it before it refuses.
    pub fn refresh(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        target: &TokenTarget,
        now: UnixTime,
    ) -> Result<RefreshTokens, UsageError> {
        self.may_ask_for(target)?;
        let refresh_token = self
            .refresh_token()
            .cloned()
            .ok_or(UsageError::NoRefreshToken)?;
        Ok(RefreshTokens::new(
            config,
            metadata,
            refresh_token,
            target.clone(),
            &self.requested_scopes,
            now,
        ))
    }

    /// Checks that a token for `target` can be fetched for this session at all.
    ///
    /// # Errors
    /// The same as [`refresh`](Self::refresh).
    pub fn can_fetch(&self, target: &TokenTarget) -> Result<(), UsageError> {
        self.may_ask_for(target)?;
        match *self.refresh_token {
            Some(_) => Ok(()),
            None => Err(UsageError::NoRefreshToken),
        }
    }

    /// Checks that the provider can be asked for a token for `target`.
    ///
    /// # Errors
    /// The same as [`refresh`](Self::refresh), except for the refresh token.
    pub(crate) fn may_ask_for(&self, target: &TokenTarget) -> Result<(), UsageError> {
        if let Some(resource) = target.resource_indicator() {
            if !self.requested_resources.contains(resource) {
                return Err(UsageError::ResourceNotRequested(resource.to_owned()));
            }
        }
        if target.organization_id().is_some()
            && !self
                .granted_scopes
                .contains(UserScope::Organizations.as_str())
        {
            return Err(UsageError::OrganizationsScopeMissing);
        }
        let asked_for = |scope: &&String| {
            self.requested_scopes.contains(*scope) || self.granted_scopes.contains(*scope)
        };
        match target.scopes().iter().find(|scope| !asked_for(scope)) {
            Some(scope) => Err(UsageError::ScopeNotGranted(scope.clone())),
            None => Ok(()),
        }
    }

    /// Whether this session can outlive the user's session at Logto. Without `offline_access` the refresh
    /// token ends with the latter.
    pub fn has_offline_access(&self) -> bool {
        self.granted_scopes
            .contains(ReservedScope::OfflineAccess.as_str())
    }

    /// Applies a change.
    pub fn apply(&mut self, delta: &SessionDelta) {
        if delta.refresh_token.is_some() && delta.refresh_token != *self.refresh_token {
            self.refresh_token = delta.refresh_token.clone().into();
            self.refresh_token_issued_at = delta.at;
        }
        if let Some(id_token) = &delta.id_token {
            self.id_token = id_token.clone().into();
        }
        if let Some(data) = &delta.data {
            self.data = Some(data.clone()).into();
        }
        self.access_tokens.change(|tokens| {
            for target in &delta.forgotten {
                tokens.remove(target);
            }
            if let Some((target, token)) = &delta.access_token {
                tokens.insert(target.clone(), token.clone());
            }
        });
        if let Some(at) = delta.at {
            self.changed_at = self.changed_at.max(at);
        }
    }

    /// The part of a change that is newer than this session; `None` if nothing is.
    ///
    /// A ledger uses it to update an old copy of a session. Tokens are compared by when they were issued, so
    /// that an old change reverts nothing. The data of the application is never part of it: nothing tells which
    /// of two values is newer, and every copy of a session has it.
    pub fn news_in(&self, delta: &SessionDelta) -> Option<SessionDelta> {
        let mut news = delta.clone();
        news.forgotten.clear();
        news.data = None;
        news.access_token = news.access_token.filter(|(target, token)| {
            let held = self.access_tokens.get(target);
            held.is_none_or(|held| held.issued_at < token.issued_at)
        });
        news.id_token = news
            .id_token
            .filter(|id_token| id_token.claims().iat > self.claims().iat);
        news.refresh_token = news
            .refresh_token
            .filter(|refresh_token| Some(refresh_token) != self.refresh_token.as_ref());
        (!news.is_empty()).then_some(news)
    }

    /// Records that a token was handed out at `now`, for storages that must choose which one to drop.
    pub fn touch(&mut self, target: &TokenTarget, now: UnixTime) {
        self.access_tokens.change(|tokens| {
            if let Some(token) = tokens.get_mut(target) {
                token.last_used = token.last_used.max(now);
            }
        });
    }

    /// Removes the user's organizations, roles and organization data from the claims, for a storage without
    /// enough space for them. The application finds them in userinfo, and in the ID token of the next
    /// refresh. The ID token itself loses its signature. Returns whether there were any.
    pub fn forget_organizations(&mut self) -> bool {
        let shortened = self.id_token.without_organizations();
        let any = shortened.is_some();
        if let Some(shortened) = shortened {
            self.id_token = shortened.into();
        }
        any
    }

    /// Removes the access token for `target`, which can be fetched again. Returns whether there was one.
    pub fn forget(&mut self, target: &TokenTarget) -> bool {
        self.access_tokens
            .change(|tokens| tokens.remove(target).is_some())
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("claims", self.claims())
            .field("refresh_token", &self.refresh_token())
            .field("access_tokens", self.access_tokens())
            .field("granted_scopes", self.granted_scopes())
            .field("created_at", &self.created_at)
            .field("changed_at", &self.changed_at)
            .finish_non_exhaustive()
    }
}
