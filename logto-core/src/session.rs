//! A signed-in user: the session value, what it can give, and how it changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    claims::IdTokenClaims,
    config::LogtoConfig,
    error::UsageError,
    grants::{RedeemedTokens, RefreshTokens},
    jwt,
    metadata::ProviderMetadata,
    secret::Secret,
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
    vocabulary::{ReservedScope, UserScope},
};

/// Everything that is kept for one signed-in user of one application.
///
/// A session is a plain value. It is made by [`CompleteSignIn`](crate::machine::CompleteSignIn),
/// asked with [`plan`](Self::plan) and changed by [`apply`](Self::apply) with a [`SessionDelta`]. It
/// serializes to everything it holds, tokens in clear: seal it before it leaves the process.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SessionParts", into = "SessionParts")]
pub struct Session {
    id: SessionId,
    id_token: Secret,
    /// Shared, because sessions are copied often and a user may be in a thousand organizations.
    claims: Arc<IdTokenClaims>,
    refresh_token: Option<Secret>,
    access_tokens: BTreeMap<TokenTarget, AccessToken>,
    requested_scopes: BTreeSet<String>,
    requested_resources: BTreeSet<String>,
    granted_scopes: BTreeSet<String>,
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

/// What a session can do about a token that is asked for.
#[derive(Debug)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "a plan is carried out at once")]
pub enum Plan<'a> {
    /// The session holds it and it lives long enough.
    Use(&'a AccessToken),
    /// It has to be fetched: run this exchange.
    Refresh(RefreshTokens),
}

/// One change of a session, committed as a whole or not at all.
///
/// It can be applied to a newer state of the same session than the one it was made from: that is how
/// two writers that meet in a store are merged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SessionDelta {
    /// The refresh token that replaces the one that was spent.
    pub refresh_token: Option<Secret>,
    /// A new, verified ID token.
    pub id_token: Option<VerifiedIdToken>,
    /// An access token that was fetched.
    pub access_token: Option<(TokenTarget, AccessToken)>,
    /// Access tokens that are to be forgotten.
    pub forgotten: Vec<TokenTarget>,
    /// When the change happened.
    pub at: Option<UnixTime>,
}

/// An ID token that has passed all checks, with what it says.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Secret", into = "Secret")]
pub struct VerifiedIdToken {
    token: Secret,
    claims: Arc<IdTokenClaims>,
}

impl SessionDelta {
    /// A change of nothing but the time: the session was in use at `now`.
    pub fn touch(now: UnixTime) -> Self {
        Self {
            at: Some(now),
            ..Self::default()
        }
    }

    /// Whether applying it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.refresh_token.is_none()
            && self.id_token.is_none()
            && self.access_token.is_none()
            && self.forgotten.is_empty()
    }
}

impl Session {
    /// The session that a redeemed code starts. `tokens` must have been checked.
    pub(crate) fn start(
        id: SessionId,
        id_token: VerifiedIdToken,
        tokens: RedeemedTokens,
        requested_scopes: &[String],
        requested_resources: &[String],
        now: UnixTime,
    ) -> Self {
        let granted_scopes = tokens.access_token.scopes.clone();
        Self {
            id,
            id_token: id_token.token,
            claims: id_token.claims,
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
        &self.claims
    }

    /// The ID token as it was issued, for an `id_token_hint`; `None` when the session had to
    /// [forget](Self::forget_organizations) a part of it.
    pub fn id_token(&self) -> Option<&Secret> {
        jwt::is_signed(self.id_token.expose()).then_some(&self.id_token)
    }

    /// The ID token as the session serializes it, for storages with a format of their own: without a
    /// signature when a part of it is forgotten.
    pub fn kept_id_token(&self) -> &Secret {
        &self.id_token
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

    /// When the user signed in.
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

    /// What to do about a token for `target`.
    ///
    /// # Errors
    /// [`UsageError`] when the server would refuse: the resource or scope was never asked for, the
    /// organizations scope is missing, there is no refresh token. Found out here, it costs no refresh
    /// token; Logto rotates before it refuses.
    pub fn plan(
        &self,
        config: &LogtoConfig,
        metadata: &ProviderMetadata,
        target: &TokenTarget,
        now: UnixTime,
    ) -> Result<Plan<'_>, UsageError> {
        self.may_ask_for(target)?;
        match self.usable_token(config, target, now) {
            Some(token) => Ok(Plan::Use(token)),
            None => self
                .refresh(config, metadata, target, now)
                .map(Plan::Refresh),
        }
    }

    /// The exchange that fetches a token for `target`, whether or not the session holds one.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
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

    fn may_ask_for(&self, target: &TokenTarget) -> Result<(), UsageError> {
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
        if let Some(VerifiedIdToken { token, claims }) = &delta.id_token {
            self.id_token = token.clone();
            self.claims = Arc::clone(claims);
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
        let mut claims = self.claims.to_map();
        let before = claims.len();
        claims.retain(|name, _| !ORGANIZATION_CLAIMS.contains(&name.as_str()));
        if claims.len() == before {
            return false;
        }
        let id_token = Secret::from(jwt::without_signature(self.id_token.expose(), &claims));
        // What was read before is read again without them.
        let Ok(claims) = claims_of(&id_token) else {
            return false;
        };
        self.id_token = id_token;
        self.claims = claims;
        true
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
            .field("claims", &self.claims)
            .field("refresh_token", &self.refresh_token)
            .field("access_tokens", &self.access_tokens)
            .field("granted_scopes", &self.granted_scopes)
            .field("created_at", &self.created_at)
            .field("changed_at", &self.changed_at)
            .finish_non_exhaustive()
    }
}

impl VerifiedIdToken {
    /// The only way from a token to a verified one: `claims` are the answer of its verification.
    pub(crate) fn new(token: Secret, claims: IdTokenClaims) -> Self {
        Self {
            token,
            claims: Arc::new(claims),
        }
    }

    /// What the token says.
    pub fn claims(&self) -> &IdTokenClaims {
        &self.claims
    }
}

impl fmt::Debug for VerifiedIdToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedIdToken")
            .field("claims", &self.claims)
            .finish_non_exhaustive()
    }
}

impl From<VerifiedIdToken> for Secret {
    fn from(id_token: VerifiedIdToken) -> Self {
        id_token.token
    }
}

impl TryFrom<Secret> for VerifiedIdToken {
    type Error = UnreadableSession;

    fn try_from(token: Secret) -> Result<Self, UnreadableSession> {
        let claims = claims_of(&token)?;
        Ok(Self { token, claims })
    }
}

/// What grows with the organizations of a user.
const ORGANIZATION_CLAIMS: [&str; 3] = ["organizations", "organization_roles", "organization_data"];

/// A stored session that cannot be read: treat it as no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored session is unreadable")]
pub struct UnreadableSession;

/// A session, part by part: how it is serialized, and how a storage with a format of its own puts one
/// together. What the user's claims are is read from the ID token. Members may be added, none may
/// change its meaning.
#[derive(Serialize, Deserialize)]
pub struct SessionParts {
    /// [`Session::id`]
    pub id: SessionId,
    /// [`Session::kept_id_token`]
    pub id_token: Secret,
    /// [`Session::refresh_token`]
    pub refresh_token: Option<Secret>,
    /// [`Session::access_tokens`]
    pub access_tokens: Vec<(TokenTarget, AccessToken)>,
    /// [`Session::requested_scopes`]
    pub requested_scopes: BTreeSet<String>,
    /// [`Session::requested_resources`]
    pub requested_resources: BTreeSet<String>,
    /// [`Session::granted_scopes`]
    pub granted_scopes: BTreeSet<String>,
    /// [`Session::created_at`]
    pub created_at: UnixTime,
    /// [`Session::changed_at`]
    pub changed_at: UnixTime,
}

impl fmt::Debug for SessionParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionParts")
            .field("access_tokens", &self.access_tokens)
            .field("created_at", &self.created_at)
            .finish_non_exhaustive()
    }
}

impl From<Session> for SessionParts {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            id_token: session.id_token,
            refresh_token: session.refresh_token,
            access_tokens: session.access_tokens.into_iter().collect(),
            requested_scopes: session.requested_scopes,
            requested_resources: session.requested_resources,
            granted_scopes: session.granted_scopes,
            created_at: session.created_at,
            changed_at: session.changed_at,
        }
    }
}

impl TryFrom<SessionParts> for Session {
    type Error = UnreadableSession;

    fn try_from(parts: SessionParts) -> Result<Self, UnreadableSession> {
        Ok(Self {
            claims: claims_of(&parts.id_token)?,
            id: parts.id,
            id_token: parts.id_token,
            refresh_token: parts.refresh_token,
            access_tokens: parts.access_tokens.into_iter().collect(),
            requested_scopes: parts.requested_scopes,
            requested_resources: parts.requested_resources,
            granted_scopes: parts.granted_scopes,
            created_at: parts.created_at,
            changed_at: parts.changed_at,
        })
    }
}

/// Reads the claims of a token that was verified before it was stored.
fn claims_of(id_token: &Secret) -> Result<Arc<IdTokenClaims>, UnreadableSession> {
    let payload = jwt::unverified_payload(id_token.expose()).map_err(|_| UnreadableSession)?;
    let claims = payload.members().map_err(|_| UnreadableSession)?;
    let claims = IdTokenClaims::from_members(claims).map_err(|_| UnreadableSession)?;
    Ok(Arc::new(claims))
}
