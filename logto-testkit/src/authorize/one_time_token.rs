//! Signing in by a one-time token: the authorization request brings it, with the email address as `login_hint`.

use crate::{
    authorization_request::{AuthorizationRequest, Prompt},
    context::Context,
    interactions::Errand,
    one_time_tokens::Invalid,
    store::Session,
};

/// Why a token signs nobody in.
pub(crate) enum Refused {
    Token(Invalid),
    /// The token was good, but nobody with this email address may sign in.
    User(String),
}

/// Whether the token says who signs in, and not the session. A token that has signed in the session's own user
/// says nothing more: they reload the page.
pub(crate) fn overrules(
    cx: &Context<'_>,
    request: &AuthorizationRequest,
    session: &Session,
) -> bool {
    let hints = &request.hints;
    let link = hints.one_time_token.as_ref().zip(hints.login_hint.as_ref());
    let Some((token, email)) = link.filter(|_| !request.prompts(Prompt::None)) else {
        return false;
    };
    let user = cx.state.tenant.user(&session.user_id);
    let is_own = user.is_some_and(|user| user.email.as_ref() == Some(email));
    let checked = cx.state.one_time_tokens.check(token, email, cx.now);
    !(is_own && checked == Err(Invalid::Consumed))
}

/// Uses up the token that the errand came with and gives its user's id; `None` when it came without one.
pub(crate) fn redeem(cx: &mut Context<'_>, errand: &Errand) -> Option<Result<String, Refused>> {
    let Errand::Authorize(request) = errand else {
        return None;
    };
    let token = request.hints.one_time_token.as_deref()?;
    let email = request.hints.login_hint.as_deref().unwrap_or_default();
    let consumed = cx.state.one_time_tokens.consume(token, email, cx.now);
    Some(consumed.map_err(Refused::Token).and_then(|()| {
        let mut users = cx.state.tenant.users.iter();
        let user = users.find(|user| user.email.as_deref() == Some(email) && !user.suspended);
        let user = user.ok_or_else(|| Refused::User(email.to_owned()))?;
        Ok(user.id.clone())
    }))
}
