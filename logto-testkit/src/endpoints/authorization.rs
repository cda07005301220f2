//! `GET` and `POST /oidc/auth`.

pub(crate) mod decision;

use bytes::Bytes;
use http::{Method, Response};

use self::decision::Decision;
use super::pages::flow;
use crate::{
    authorization_request::AuthorizationRequest,
    authorize::{consent, session},
    context::{Context, SignInMode},
    interactions::Errand,
    reply,
    request::Incoming,
};

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    let params = match request.method {
        Method::POST => request.form(),
        _ => Ok(request.query.clone()),
    };
    let params = match params {
        Ok(params) => params,
        Err(error) => return reply::no_store(error.into_response()),
    };
    let parsed = match decision::parse(cx, &params) {
        Ok(parsed) => parsed,
        Err(refusal) => return refusal.into_response(),
    };
    let session = request.cookie(flow::SESSION_COOKIE);
    let decision = decision::decide(cx, &parsed, session);
    let at_once = match &decision {
        Decision::SignIn => {
            let user_id = immediate_user(cx, &parsed);
            user_id.map(|user_id| session::sign_in(cx, session, &user_id))
        }
        Decision::Consent { session_id } if cx.sign_in.is_immediate() => Some(session_id.clone()),
        _ => None,
    };
    let errand = Errand::Authorize(Box::new(parsed));
    match (decision, at_once) {
        (Decision::Callback(callback), _) => callback.into_response(),
        (_, Some(session)) => {
            consent::to_preselected(cx, &errand, &session);
            flow::finish(cx, &errand, &session)
        }
        (Decision::SignIn, None) => flow::to_sign_in(cx, errand),
        (Decision::Consent { .. }, None) => flow::to_consent(cx, errand),
    }
}

/// Who signs in without a page: the user that the request hints at, else the one of the mode. A one-time token is
/// left to the page.
fn immediate_user(cx: &Context<'_>, request: &AuthorizationRequest) -> Option<String> {
    let SignInMode::Immediate(default) = cx.sign_in else {
        return None;
    };
    if request.hints.one_time_token.is_some() {
        return None;
    }
    let tenant = &cx.state.tenant;
    let hinted = request
        .hints
        .login_hint
        .as_deref()
        .and_then(|hint| tenant.user_by_identifier(hint));
    let user = hinted.or_else(|| tenant.user_by_identifier(default))?;
    (!user.suspended).then(|| user.id.clone())
}
