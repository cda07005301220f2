//! `/api/…`: the Account API and the Management API. Who may ask is Logto's rule, what they answer is the
//! test's.

use bytes::Bytes;
use http::{Response, StatusCode, header::AUTHORIZATION};
use serde_json::Value;

use crate::{context::Context, json::Members, reply, request::Incoming};

/// The resource indicator of the Management API of every Logto that is not in the cloud.
const MANAGEMENT_API: &str = "https://default.logto.app/api";

pub(super) fn handle(cx: &Context<'_>, request: &Incoming) -> Response<Bytes> {
    let is_account = request.path.starts_with("/api/my-account");
    let permitted = match request.bearer() {
        None if request.header(AUTHORIZATION).is_none() => Err(Refusal::NO_TOKEN),
        None => Err(Refusal::OTHER_TYPE),
        Some(token) if is_account => account(cx, token),
        Some(token) => management(cx, token),
    };
    if let Err(refusal) = permitted {
        return refusal.response();
    }
    match cx.state.api_answers.get(&request.method, &request.path) {
        Some(answer) => {
            let body = match &answer.body {
                Value::Null => String::new(),
                body => body.to_string(),
            };
            reply::with_type(answer.status, "application/json; charset=utf-8", body)
        }
        None => reply::text(StatusCode::NOT_FOUND, "Not Found"),
    }
}

/// The user's own: the opaque access token.
fn account(cx: &Context<'_>, token: &str) -> Result<(), Refusal> {
    let token = cx.state.store.access_token(token, cx.now);
    let authority = &token.ok_or(Refusal::UNAUTHORIZED)?.authority;
    cx.active_user(&authority.user_id)
        .ok_or(Refusal::UNAUTHORIZED)?;
    match authority.has_scope("openid") {
        true => Ok(()),
        false => Err(Refusal::FORBIDDEN),
    }
}

/// The tenant: a JWT for the Management API with the scope `all`.
fn management(cx: &Context<'_>, token: &str) -> Result<(), Refusal> {
    let claims = cx.state.keys.verify(token).ok_or(Refusal::UNAUTHORIZED)?;
    let is_ours = claims["iss"] == cx.issuer()
        && (claims["aud"] == MANAGEMENT_API
            || claims["aud"] == format!("{}/api", cx.addresses.base))
        && claims["exp"].as_u64() > Some(cx.now.seconds());
    if !is_ours {
        return Err(Refusal::UNAUTHORIZED);
    }
    let scopes = claims["scope"].as_str().unwrap_or_default();
    match scopes.split(' ').any(|scope| scope == "all") {
        true => Ok(()),
        false => Err(Refusal::FORBIDDEN),
    }
}

/// Why a request is refused.
struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: &'static str,
}

impl Refusal {
    const NO_TOKEN: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        code: "auth.authorization_header_missing",
        message: "Authorization header is missing.",
    };
    const OTHER_TYPE: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        code: "auth.authorization_token_type_not_supported",
        message: "Authorization type is not supported.",
    };
    const UNAUTHORIZED: Self = Self {
        status: StatusCode::UNAUTHORIZED,
        code: "auth.unauthorized",
        message: "Unauthorized. Please check credentials and its scope.",
    };
    const FORBIDDEN: Self = Self {
        status: StatusCode::FORBIDDEN,
        code: "auth.forbidden",
        message: "Forbidden. Please check your user roles and permissions.",
    };

    fn response(&self) -> Response<Bytes> {
        let body = Members::new()
            .with("code", self.code)
            .with("message", self.message);
        reply::json(self.status, &body)
    }
}
