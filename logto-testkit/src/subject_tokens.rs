//! Tokens that stand for a user, made by the Management API or by the user.

use std::time::Duration;

use crate::logto::Logto;

const SUBJECT_TOKEN_TTL: Duration = Duration::from_secs(600);

impl Logto {
    /// A subject token for impersonation, as the Management API makes: single-use, valid for 10 minutes. `None`
    /// when there is no such user.
    pub fn create_subject_token(&self, username: &str) -> Option<String> {
        self.with(|cx| {
            let user_id = cx.state.tenant.user_by_identifier(username)?.id.clone();
            let token = format!("sub_{}", cx.state.random.letters(21));
            let expires_at = cx.now.plus(SUBJECT_TOKEN_TTL);
            let tokens = &mut cx.state.store.impersonation_tokens;
            tokens.insert(token.clone(), (user_id, expires_at));
            Some(token)
        })
    }

    /// A one-time token for the user with this email address, as the Management API makes: for a magic link,
    /// valid for 10 minutes and for one sign-in, whose authorization request carries it as `one_time_token` and
    /// the address as `login_hint`. `None` when there is no such user: this provider registers nobody.
    pub fn create_one_time_token(&self, email: &str) -> Option<String> {
        self.with(|cx| {
            let mut users = cx.state.tenant.users.iter();
            users.find(|user| user.email.as_deref() == Some(email))?;
            let token = cx.state.random.letters(32);
            let tokens = &mut cx.state.one_time_tokens;
            tokens.insert(token.clone(), email.to_owned(), cx.now);
            Some(token)
        })
    }

    /// A personal access token of a user, valid until the end. `None` when there is no such user.
    pub fn create_personal_access_token(&self, username: &str) -> Option<String> {
        self.with(|cx| {
            let user_id = cx.state.tenant.user_by_identifier(username)?.id.clone();
            let token = format!("pat_{}", cx.state.random.letters(32));
            let tokens = &mut cx.state.store.personal_access_tokens;
            tokens.insert(token.clone(), user_id);
            Some(token)
        })
    }
}
