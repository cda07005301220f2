//! `GET` and `POST /oidc/auth`.

pub(crate) mod callback;
pub(crate) mod consent;
pub(crate) mod request;

use bytes::Bytes;
use http::{Method, Response, StatusCode};

use self::callback::Callback;
pub(crate) use self::request::{AuthorizationRequest, Prompt, Wanted};
use super::interaction;
use crate::{
    context::Context,
    error::OAuthError,
    logto::SignInMode,
    reply,
    request::{Incoming, Params},
    store::Session,
};

/// Why there will be no code.
pub(crate) enum Refusal {
    /// Nobody may be redirected: the redirect URI or the client is not known.
    Page {
        error: OAuthError,
        state: Option<String>,
        issuer: String,
    },
    Callback {
        error: OAuthError,
        callback: Callback,
    },
}

/// What an authorization request leads to.
pub(crate) enum Decision {
    Callback(Callback),
    /// The user has to do something first.
    Interact,
}

impl Refusal {
    pub(crate) fn into_response(self) -> Response<Bytes> {
        match self {
            Self::Callback { callback, .. } => callback.into_response(),
            Self::Page {
                error,
                state,
                issuer,
            } => {
                let body = error.body().with_some("state", state).with("iss", issuer);
                reply::no_store(reply::json(StatusCode::BAD_REQUEST, &body))
            }
        }
    }
}

pub(super) fn handle(cx: &mut Context<'_>, request: &Incoming) -> Response<Bytes> {
    let params = match request.method {
        Method::POST => request.form(),
        _ => Ok(request.query.clone()),
    };
    let params = match params {
        Ok(params) => params,
        Err(error) => return reply::no_store(error.into_response()),
    };
    let parsed = match parse(cx, &params) {
        Ok(parsed) => parsed,
        Err(refusal) => return refusal.into_response(),
    };
    let session = request.cookie(interaction::SESSION_COOKIE);
    match decide(cx, &parsed, session) {
        Decision::Callback(callback) => callback.into_response(),
        Decision::Interact => match immediate_user(cx, &parsed) {
            Some(user_id) => interaction::finish(cx, &parsed, session, &user_id),
            None => interaction::begin(cx, parsed),
        },
    }
}

/// Checks a request, or the one that was pushed before it.
pub(crate) fn parse(
    cx: &mut Context<'_>,
    params: &Params,
) -> Result<AuthorizationRequest, Refusal> {
    let Some(request_uri) = params.get("request_uri") else {
        return AuthorizationRequest::parse(cx, params);
    };
    let client_id = params.get("client_id").unwrap_or_default();
    let pushed = cx
        .state
        .pushed_requests
        .take(request_uri, client_id, cx.now);
    let pushed = pushed.map_err(|error| Refusal::Page {
        error,
        state: None,
        issuer: cx.issuer().to_owned(),
    })?;
    AuthorizationRequest::parse(cx, &pushed)
}

/// Answers from the session where that is possible.
pub(crate) fn decide(
    cx: &mut Context<'_>,
    request: &AuthorizationRequest,
    session_id: Option<&str>,
) -> Decision {
    let session = session_id.and_then(|id| cx.state.store.session(id, cx.now));
    let usable =
        session.filter(|session| !request.prompts(Prompt::Login) && fresh(cx, request, session));
    if request.prompts(Prompt::None) {
        let refused = match usable {
            None => Some(OAuthError::new(
                "login_required",
                "End-User authentication is required",
            )),
            Some(session) => consent::missing_consent(cx, &request.wanted, session),
        };
        if let Some(error) = refused {
            return Decision::Callback(request.return_address.with_error(&error));
        }
    }
    let id = usable.and(session_id).map(str::to_owned);
    id.and_then(|id| consent::grant(cx, request, &id))
        .map_or(Decision::Interact, Decision::Callback)
}

/// The session's user may still sign in, and did so recently enough for `max_age`.
fn fresh(cx: &Context<'_>, request: &AuthorizationRequest, session: &Session) -> bool {
    let age = cx.now.since(session.signed_in_at).as_secs();
    cx.active_user(&session.user_id).is_some()
        && request.wanted.max_age.is_none_or(|max_age| age <= max_age)
}

/// Who signs in without a page: the user that the request hints at, else the one of the mode.
fn immediate_user(cx: &Context<'_>, request: &AuthorizationRequest) -> Option<String> {
    let SignInMode::Immediate(default) = cx.sign_in else {
        return None;
    };
    let tenant = &cx.state.tenant;
    let hinted = request
        .hints
        .login_hint
        .as_deref()
        .and_then(|hint| tenant.user_by_identifier(hint));
    let user = hinted.or_else(|| tenant.user_by_identifier(default))?;
    (!user.suspended).then(|| user.id.clone())
}
