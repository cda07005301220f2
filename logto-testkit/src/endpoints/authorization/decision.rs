//! What an authorization request leads to.

use super::super::pushed;
use crate::{
    authorization_request::{AuthorizationRequest, Prompt},
    authorize::{consent, grant, one_time_token, refusal::Refusal, request},
    callback::Callback,
    context::Context,
    error::OAuthError,
    interactions::Errand,
    request::Params,
    store::Session,
};

pub(crate) enum Decision {
    Callback(Callback),
    /// The user has to sign in first.
    SignIn,
    /// The user is signed in and has to consent.
    Consent {
        session_id: String,
    },
}

/// Checks a request, or the one that was pushed before it.
pub(crate) fn parse(
    cx: &mut Context<'_>,
    params: &Params,
) -> Result<AuthorizationRequest, Refusal> {
    let Some(request_uri) = params.get("request_uri") else {
        return request::parse(cx, params);
    };
    let client_id = params.get("client_id").unwrap_or_default();
    let pushed = pushed::take(cx, request_uri, client_id).map_err(|error| Refusal::Page {
        error,
        state: None,
        issuer: cx.issuer().to_owned(),
    })?;
    request::parse(cx, &pushed)
}

/// Answers from the session where that is possible.
pub(crate) fn decide(
    cx: &mut Context<'_>,
    request: &AuthorizationRequest,
    session_id: Option<&str>,
) -> Decision {
    let session = session_id.and_then(|id| cx.state.store.session(id, cx.now));
    let usable = session.filter(|session| {
        !request.prompts(Prompt::Login)
            && fresh(cx, request, session)
            && !one_time_token::overrules(cx, request, session)
    });
    if request.prompts(Prompt::None) {
        let refused = match usable {
            None => Some(OAuthError::new(
                "login_required",
                "End-User authentication is required",
            )),
            Some(session) => consent::missing(cx, &request.wanted, session),
        };
        if let Some(error) = refused {
            return Decision::Callback(request.return_address.with_error(&error));
        }
    }
    let Some((session, id)) = usable.zip(session_id) else {
        return Decision::SignIn;
    };
    let session_id = id.to_owned();
    let errand = Errand::Authorize(Box::new(request.clone()));
    if !request.prompts(Prompt::None) && consent::is_asked(cx, &errand, session) {
        return Decision::Consent { session_id };
    }
    grant::grant(cx, request, &session_id).map_or(Decision::SignIn, Decision::Callback)
}

/// The session's user may still sign in, and did so recently enough for `max_age`; nobody did for one of zero.
fn fresh(cx: &Context<'_>, request: &AuthorizationRequest, session: &Session) -> bool {
    let age = cx.now.since(session.signed_in_at).as_secs();
    cx.active_user(&session.user_id).is_some()
        && match request.wanted.max_age {
            None => true,
            Some(max_age) => max_age > 0 && age <= max_age,
        }
}
