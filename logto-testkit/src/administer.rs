//! What an administrator does while users are signed in.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::{
    endpoints::end_session,
    keys::{KeyError, KeyType},
    logto::Logto,
    model::{AppSecret, User},
};

impl Logto {
    /// Sets a response of the Account API (`/api/my-account`) or the Management API (everything else below
    /// `/api`) to authorized requests; `null` is an empty body. Without one, the response is 404. As at
    /// Logto, authorized are a user with their opaque access token, and an application with a token for the
    /// Management API and the scope `all`. [`Logto::requests`] shows the requests and their headers.
    ///
    /// ```
    /// use http::{Method, StatusCode};
    /// # use logto_testkit::Logto;
    /// # use serde_json::json;
    /// # let logto = Logto::demo().build()?;
    /// logto.answer_api(Method::GET, "/api/users", StatusCode::OK, json!([{ "username": "alice" }]));
    /// # Ok::<(), logto_testkit::BuildError>(())
    /// ```
    pub fn answer_api(&self, method: Method, path: &str, status: StatusCode, body: Value) {
        let mut state = self.state();
        state.api_answers.set(method, path, status, body);
    }

    /// Rotates the signing keys at once: a new key signs, the previous one stays in the JWKS, and an older
    /// one is removed from it.
    ///
    /// # Errors
    ///
    /// When the cryptography library cannot make a key, and while a [staged](Logto::stage_key) one waits.
    pub fn rotate_keys(&self, key_type: KeyType) -> Result<(), KeyError> {
        self.state().keys.rotate(key_type)
    }

    /// Begins a rotation with a grace period: the JWKS lists a new key, while the current one goes on signing
    /// until [`Logto::activate_staged_key`]. A key that was staged before is dropped.
    ///
    /// # Errors
    ///
    /// When the cryptography library cannot make a key.
    pub fn stage_key(&self, key_type: KeyType) -> Result<(), KeyError> {
        self.state().keys.stage(key_type)
    }

    /// Ends the grace period: the staged key signs, the previous one stays in the JWKS, and an older one is
    /// removed from it. `false` if no key is staged.
    pub fn activate_staged_key(&self) -> bool {
        self.state().keys.activate()
    }

    /// Removes the previous signing key from the JWKS.
    pub fn remove_previous_key(&self) {
        self.state().keys.remove_previous();
    }

    /// Adds a secret to an application: while it rolls over to a new one, both are accepted. `false` when there
    /// is no such application.
    pub fn add_secret(&self, app_id: &str, secret: &str) -> bool {
        let mut state = self.state();
        let app = state.tenant.apps.get_mut(app_id);
        app.is_some_and(|app| {
            app.secrets.push(AppSecret::new(secret.to_owned()));
            true
        })
    }

    /// Removes a secret from an application; `false` if it had no such secret.
    pub fn remove_secret(&self, app_id: &str, secret: &str) -> bool {
        let mut state = self.state();
        let app = state.tenant.apps.get_mut(app_id);
        app.is_some_and(|app| {
            let before = app.secrets.len();
            app.secrets.retain(|known| known.value != secret);
            app.secrets.len() < before
        })
    }

    /// Adds a user to an organization, or changes their roles in it; `false` when there is no such
    /// organization.
    pub fn set_member(&self, organization_id: &str, username: &str, roles: &[&str]) -> bool {
        let mut state = self.state();
        let organization = state.tenant.organizations.get_mut(organization_id);
        organization.is_some_and(|organization| {
            let roles = roles.iter().map(|role| (*role).to_owned()).collect();
            organization.members.insert(username.to_owned(), roles);
            true
        })
    }

    /// Removes a user from an organization; `false` when they were not in it.
    pub fn remove_member(&self, organization_id: &str, username: &str) -> bool {
        let mut state = self.state();
        let organization = state.tenant.organizations.get_mut(organization_id);
        organization.is_some_and(|organization| organization.members.remove(username).is_some())
    }

    /// Suspends a user: their refresh tokens and opaque access tokens stop working; JWT access tokens remain
    /// valid. `false` when there is no such user.
    pub fn suspend_user(&self, username: &str) -> bool {
        self.edit_user(username, |user| user.suspended = true)
    }

    /// Lifts a suspension; `false` when there is no such user.
    pub fn reactivate_user(&self, username: &str) -> bool {
        self.edit_user(username, |user| user.suspended = false)
    }

    /// Replaces a user's data, as [`User`]'s methods do; their tokens carry it from the next refresh on. The
    /// username and the id stay. `false` when there is no such user.
    ///
    /// ```
    /// # use logto_testkit::Logto;
    /// # let logto = Logto::demo().build()?;
    /// logto.update_user("alice", |alice| alice.name("Alice B. Lab"));
    /// # Ok::<(), logto_testkit::BuildError>(())
    /// ```
    pub fn update_user(&self, username: &str, change: impl FnOnce(User) -> User) -> bool {
        self.edit_user(username, |user| {
            let changed = change(user.clone());
            *user = User {
                id: user.id.clone(),
                username: user.username.clone(),
                ..changed
            };
        })
    }

    /// Revokes the grant that a refresh token belongs to; `false` for a token that was never issued.
    pub fn revoke_grant(&self, refresh_token: &str) -> bool {
        let store = &mut self.state().store;
        let token = store.refresh_tokens.get(refresh_token);
        let Some(grant_id) = token.map(|token| token.authority.grant_id.clone()) else {
            return false;
        };
        store.revoke_grant(&grant_id);
        true
    }

    /// Ends every session of a user at Logto, as signing out in each of their browsers does. Logout tokens are
    /// then waiting in [`Logto::take_logout_tokens`].
    ///
    /// # Errors
    ///
    /// When a logout token cannot be signed.
    pub fn end_sessions(&self, username: &str) -> Result<(), KeyError> {
        self.with(|cx| {
            let user = cx
                .state
                .tenant
                .user_by_identifier(username)
                .map(|user| user.id.clone());
            let sessions = cx.state.store.sessions.iter();
            let ids: Vec<String> = sessions
                .filter(|(_, session)| Some(&session.user_id) == user.as_ref())
                .map(|(id, _)| id.clone())
                .collect();
            ids.iter()
                .try_for_each(|id| end_session::end_session(cx, id))
        })
    }

    fn edit_user(&self, username: &str, edit: impl FnOnce(&mut User)) -> bool {
        self.state()
            .tenant
            .user_by_identifier_mut(username)
            .map(edit)
            .is_some()
    }
}
