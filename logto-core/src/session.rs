//! A signed-in user: the session value, what it can give, and how it changes.

mod delta;
mod parts;
mod verified_id_token;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

pub use self::{
    delta::SessionDelta,
    parts::{SessionParts, UnreadableSession},
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

/// Everything that is kept for one signed-in user of one application.
///
/// A session is a plain value. It is made by [`CompleteSignIn`](crate::sign_in::CompleteSignIn),
/// asked with [`usable_token`](Self::usable_token), refreshed by [`Refresh`](crate::refresh::Refresh) and
/// changed by [`apply`](Self::apply) with a [`SessionDelta`]. It serializes to everything it holds, tokens
/// in clear: seal it before it leaves the process.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SessionParts", into = "SessionParts")]
pub struct Session {
    id: SessionId,
    id_token: VerifiedIdToken,
    /// Shared, because sessions are copied often and a user may be in a thousand organizations.
    refresh_token: Option<Secret>,
    access_tokens: BTreeMap<TokenTarget, AccessToken>,
    requested_scopes: BTreeSet<String>,
    requested_resources: BTreeSet<String>,
    granted_scopes: BTreeSet<String>,
    began_at: UnixTime,
    created_at: UnixTime,
    changed_at: UnixTime,
}

/// The name of a session for as long as it lives, through all rotations of its tokens: 128 random
/// bits. Made anew at every sign-in, so that no session continues under a name from before it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId([u8; 16]);

impl SessionId {
    /// The name made of these random bytes.
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
    /// The session that a redeemed code starts. `tokens` must have been checked.
    pub(crate) fn start(
        id: SessionId,
        id_token: VerifiedIdToken,
        tokens: UnverifiedTokens,
        requested_scopes: &[String],
        requested_resources: &[String],
        now: UnixTime,
    ) -> Self {
        let granted_scopes = tokens.access_token.scopes.clone();
        Self {
            began_at: id_token.claims().iat,
            id,
            id_token,
            refresh_token: tokens.refresh_token,
            access_tokens: BTreeMap::from([(TokenTarget::user_info(), tokens.access_token)]),
            requested_scopes: requested_scopes.iter().cloned().collect(),
            requested_resources: requested_resources.iter().cloned().collect(),
            granted_scopes,
            created_at: now,
            changed_at: now,
        }
    }

    /// The name that stays.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// What the ID token says about the user. Read from memory; never expires by itself, because an
    /// ID token tells who signed in and not until when.
    pub fn claims(&self) -> &IdTokenClaims {
        self.id_token.claims()
    }

    /// As [`claims`](Self::claims), shared.
    pub fn shared_claims(&self) -> Arc<IdTokenClaims> {
        self.id_token.shared_claims()
    }

    /// The ID token as it was issued, for an `id_token_hint`; `None` when the session had to
    /// [forget](Self::forget_organizations) a part of it.
    pub fn id_token(&self) -> Option<&Secret> {
        self.id_token.is_whole().then_some(self.id_token.token())
    }

    /// The ID token as the session serializes it, for storages with a format of their own: without a
    /// signature when a part of it is forgotten.
    pub fn kept_id_token(&self) -> &Secret {
        self.id_token.token()
    }

    /// The refresh token, when one was issued.
    pub fn refresh_token(&self) -> Option<&Secret> {
        self.refresh_token.as_ref()
    }

    /// The access tokens that are kept, fresh or not.
    pub fn access_tokens(&self) -> &BTreeMap<TokenTarget, AccessToken> {
        &self.access_tokens
    }

    /// The scopes that the sign-in asked for.
    pub fn requested_scopes(&self) -> &BTreeSet<String> {
        &self.requested_scopes
    }

    /// The API resources that the sign-in asked for.
    pub fn requested_resources(&self) -> &BTreeSet<String> {
        &self.requested_resources
    }

    /// The OpenID Connect scopes that were granted. Permissions of API resources are granted with each
    /// token; see [`AccessToken::scopes`].
    pub fn granted_scopes(&self) -> &BTreeSet<String> {
        &self.granted_scopes
    }

    /// The scopes that were asked for and are neither granted nor in one of the tokens at hand: a
    /// reason to ask for consent again. Permissions of a resource count as missing until a token for
    /// the resource has been fetched.
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
    /// not move. A logout token is compared with it, so that no difference between clocks matters.
    pub fn began_at(&self) -> UnixTime {
        self.began_at
    }

    /// When the user signed in, by the application's clock.
    pub fn created_at(&self) -> UnixTime {
        self.created_at
    }

    /// When the session last changed, or was last written because it is in use.
    pub fn changed_at(&self) -> UnixTime {
        self.changed_at
    }

    /// The token for `target`, if the session holds one that is usable at `now`.
    pub fn usable_token(
        &self,
        config: &LogtoConfig,
        target: &TokenTarget,
        now: UnixTime,
    ) -> Option<&AccessToken> {
        self.access_tokens
            .get(target)
            .filter(|token| token.is_usable(now, config.expiry_leeway()))
    }

    /// The exchange that fetches a token for `target`, whether or not the session holds one.
    ///
    /// This is one request. A [`Refresh`](crate::refresh::Refresh) also loses nothing when the response is
    /// late, lost or unusable.
    ///
    /// # Errors
    /// [`UsageError`] when the server would refuse: the resource or scope was never asked for, the
    /// organizations scope is missing, there is no refresh token. Found out here, it costs no refresh
    /// token; Logto rotates before it refuses.
    pub fn refresh(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        target: &TokenTarget,
        now: UnixTime,
    ) -> Result<RefreshTokens, UsageError> {
        self.may_ask_for(target)?;
        let refresh_token = self
            .refresh_token
            .clone()
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

    /// Whether the provider can be asked for a token for `target`.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh), but for the refresh token.
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

    /// Whether Logto will let this session outlive the user's session there. Without
    /// `offline_access` the refresh token ends with it.
    pub fn has_offline_access(&self) -> bool {
        self.granted_scopes
            .contains(ReservedScope::OfflineAccess.as_str())
    }

    /// Commits a change.
    pub fn apply(&mut self, delta: &SessionDelta) {
        if let Some(refresh_token) = &delta.refresh_token {
            self.refresh_token = Some(refresh_token.clone());
        }
        if let Some(id_token) = &delta.id_token {
            self.id_token = id_token.clone();
        }
        for target in &delta.forgotten {
            self.access_tokens.remove(target);
        }
        if let Some((target, token)) = &delta.access_token {
            self.access_tokens.insert(target.clone(), token.clone());
        }
        if let Some(at) = delta.at {
            self.changed_at = self.changed_at.max(at);
        }
    }

    /// The part of a change that is newer than this session; `None` if there is none.
    ///
    /// A ledger brings an old copy of a session up to date with it. Tokens are compared by when they were
    /// issued, so that an old change takes nothing back.
    pub fn news_in(&self, delta: &SessionDelta) -> Option<SessionDelta> {
        let mut news = delta.clone();
        news.forgotten.clear();
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

    /// Notes that a token was handed out at `now`, for storage that has to choose which to drop.
    pub fn touch(&mut self, target: &TokenTarget, now: UnixTime) {
        if let Some(token) = self.access_tokens.get_mut(target) {
            token.last_used = token.last_used.max(now);
        }
    }

    /// Leaves the user's organizations out of the claims, with the roles and the data there: for a storage
    /// that has no room for them. They are in userinfo, and in the ID token that the next refresh brings.
    /// The ID token itself is gone with them, as it cannot be changed. Says whether there were any.
    pub fn forget_organizations(&mut self) -> bool {
        let shortened = self.id_token.without_organizations();
        let any = shortened.is_some();
        if let Some(shortened) = shortened {
            self.id_token = shortened;
        }
        any
    }

    /// Forgets the access token for `target`, which can be fetched again, and says whether there was
    /// one.
    pub fn forget(&mut self, target: &TokenTarget) -> bool {
        self.access_tokens.remove(target).is_some()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("claims", self.claims())
            .field("refresh_token", &self.refresh_token)
            .field("access_tokens", &self.access_tokens)
            .field("granted_scopes", &self.granted_scopes)
            .field("created_at", &self.created_at)
            .field("changed_at", &self.changed_at)
            .finish_non_exhaustive()
    }
}
