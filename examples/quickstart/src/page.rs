//! What people see. The templates escape everything that they are given.

use askama::Template;
use axum::{
    body::Bytes,
    response::{Html, IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use logto::{
    AccessToken, Error, ReadOnlySession, Session, TokenTarget, UnixTime,
    core::error::Advice,
    web::{ErrorContext, public_description},
};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::device::Progress;

/// The page for somebody who is not signed in.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub(crate) struct SignedOutPage<'a> {
    pub(crate) endpoint: &'a str,
    pub(crate) app_id: &'a str,
    pub(crate) storage: &'a str,
    pub(crate) demo_users: Option<&'a str>,
    pub(crate) notice: Option<String>,
}

/// The page for somebody who is.
#[derive(Debug, Template)]
#[template(path = "signed_in.html")]
pub(crate) struct SignedInPage<'a> {
    pub(crate) name: String,
    pub(crate) initial: String,
    pub(crate) signed_in: String,
    pub(crate) storage: &'a str,
    pub(crate) tokens: Vec<TokenRow>,
    pub(crate) hidden_organizations: usize,
    pub(crate) has_machine: bool,
    pub(crate) machine_tokens: Vec<MachineRow>,
    pub(crate) device: Option<Progress>,
    pub(crate) can_approve: bool,
    pub(crate) claims: ClaimsTable,
    pub(crate) user_info: Result<ClaimsTable, Problem>,
    pub(crate) parts: Vec<PartRow>,
}

/// Claims by name.
#[derive(Debug, Template)]
#[template(path = "claims.html")]
pub(crate) struct ClaimsTable {
    labelled_by: &'static str,
    claims: Vec<ClaimRow>,
}

/// The page for a sign-in that failed.
#[derive(Debug, Template)]
#[template(path = "problem.html")]
pub(crate) struct ProblemPage {
    code: String,
    description: &'static str,
    advice: &'static str,
}

#[derive(Debug)]
struct ClaimRow {
    name: String,
    value: String,
}

/// One target on both paths.
#[derive(Debug)]
pub(crate) struct TokenRow {
    target: String,
    query: String,
    was_held: bool,
    outcome: Result<TokenNow, Problem>,
}

#[derive(Debug)]
struct TokenNow {
    is_new: bool,
    scopes: Vec<String>,
    ends: String,
}

/// What the application gets in its own name.
#[derive(Debug)]
pub(crate) struct MachineRow {
    target: String,
    query: String,
    outcome: Result<TokenNow, Problem>,
}

/// One part of the stored session.
#[derive(Debug)]
pub(crate) struct PartRow {
    name: String,
    length: usize,
    age: String,
    ends: String,
    served_by: &'static str,
}

/// An error in words.
#[derive(Debug)]
pub(crate) struct Problem {
    code: String,
    description: String,
}

impl ClaimsTable {
    pub(crate) fn new(labelled_by: &'static str, claims: Map<String, Value>) -> Self {
        let rows = claims.into_iter().map(|(name, value)| {
            let value = match value {
                Value::String(text) => text,
                other => other.to_string(),
            };
            ClaimRow { name, value }
        });
        Self {
            labelled_by,
            claims: rows.collect(),
        }
    }
}

impl TokenRow {
    /// What both paths said about `target`: `before` is the session as the read-only path saw it.
    pub(crate) fn new(
        target: &TokenTarget,
        before: &ReadOnlySession,
        outcome: Result<AccessToken, Error>,
        now: UnixTime,
    ) -> Self {
        let held = before.access_token(target).token();
        let was_held = held.is_some();
        let outcome = outcome
            .map(|token| {
                let is_new = held.is_none_or(|held| held.token != token.token);
                TokenNow::new(&token, is_new, now)
            })
            .map_err(|error| Problem::new(&error));
        Self {
            target: target.to_string(),
            query: query(target),
            was_held,
            outcome,
        }
    }
}

impl MachineRow {
    pub(crate) fn new(resource: &str, outcome: Result<AccessToken, Error>, now: UnixTime) -> Self {
        let is_new = outcome
            .as_ref()
            .is_ok_and(|token| now.since(token.issued_at).is_zero());
        Self {
            target: resource.to_owned(),
            query: query(&TokenTarget::resource(resource)),
            outcome: outcome
                .map(|token| TokenNow::new(&token, is_new, now))
                .map_err(|error| Problem::new(&error)),
        }
    }
}

impl TokenNow {
    fn new(token: &AccessToken, is_new: bool, now: UnixTime) -> Self {
        Self {
            is_new,
            scopes: token.scopes.iter().cloned().collect(),
            ends: ends(token.expires_at, now),
        }
    }
}

impl PartRow {
    /// The parts of `session`, and which path served them: `before` is what the read-only path saw.
    pub(crate) fn all(session: &Session, before: &ReadOnlySession, now: UnixTime) -> Vec<Self> {
        let claims = session.claims();
        let mut parts = vec![Self {
            name: "ID token".to_owned(),
            length: session.kept_id_token().expose().len(),
            age: ago(claims.iat, now),
            ends: "with the session".to_owned(),
            served_by: "read-only path, as claims",
        }];
        if let Some(refresh_token) = session.refresh_token() {
            parts.push(Self {
                name: "Refresh token".to_owned(),
                length: refresh_token.expose().len(),
                age: String::new(),
                ends: "when Logto says so".to_owned(),
                served_by: "nobody: the client spends it",
            });
        }
        parts.extend(session.access_tokens().iter().map(|(target, token)| {
            let was_held = before
                .access_token(target)
                .token()
                .is_some_and(|held| held.token == token.token);
            Self {
                name: format!("Access token: {target}"),
                length: token.token.expose().len(),
                age: ago(token.issued_at, now),
                ends: ends(token.expires_at, now),
                served_by: if was_held {
                    "read-only path"
                } else {
                    "writable path"
                },
            }
        }));
        parts
    }
}

impl Problem {
    pub(crate) fn new(error: &Error) -> Self {
        Self {
            code: error.code().to_owned(),
            description: error.to_string(),
        }
    }
}

impl ProblemPage {
    fn new(context: &ErrorContext<'_>) -> Self {
        let advice = match context.error.advice() {
            Advice::Retry { .. } => "This passes: try again in a moment.",
            Advice::FixConfiguration => "Somebody has to correct the configuration.",
            _ => "Nothing has changed.",
        };
        Self {
            code: context.error.code().to_owned(),
            description: public_description(context.error),
            advice,
        }
    }
}

/// A page as a response. Nothing but its style sheet and its script is loaded, and no other
/// site may frame it.
pub(crate) fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => {
            let mut response = Html(html).into_response();
            response
                .headers_mut()
                .insert(header::CONTENT_SECURITY_POLICY, POLICY);
            response
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The SDK's error page, in the look of this application. A script gets JSON.
pub(crate) fn problem(context: &ErrorContext<'_>) -> Option<http::Response<Bytes>> {
    let page = context
        .wants_page
        .then(|| ProblemPage::new(context).render());
    let mut response = http::Response::new(Bytes::from(page?.ok()?));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HTML);
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    Some(response)
}

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The query that asks `/token` for `target`.
fn query(target: &TokenTarget) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(resource) = target.resource_indicator() {
        query.append_pair("resource", resource);
    }
    if let Some(organization_id) = target.organization_id() {
        query.append_pair("organization_id", organization_id);
    }
    query.finish()
}

/// How long ago something happened.
pub(crate) fn ago(then: UnixTime, now: UnixTime) -> String {
    match now.since(then).as_secs() {
        0..5 => "just now".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

fn ends(then: UnixTime, now: UnixTime) -> String {
    match then.since(now).as_secs() {
        0 => "over".to_owned(),
        seconds => format!("in {}", span(seconds)),
    }
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
