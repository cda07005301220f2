//! What people see. The templates escape everything that they are given.

use askama::Template;
use axum::{
    body::Bytes,
    response::{Html, IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use logto::{
    AccessToken, Cached, Error, ReadOnlySession, Session, TokenTarget, UnixTime,
    core::error::Advice,
    web::{ErrorContext, public_description},
};
use url::form_urlencoded;

use crate::{
    claims::ClaimsTable,
    device::Progress,
    span::{ago, until},
};

/// Where the code and the guide behind a card are.
pub(crate) const SOURCE: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main");

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
    /// Of all parts together.
    pub(crate) characters: usize,
}

/// The page for a request that failed.
#[derive(Debug, Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    code: &'a str,
    description: &'static str,
    advice: &'static str,
    /// For the developer.
    hint: Option<&'static str>,
    next: &'a str,
    label: &'static str,
}

/// The page for an address that nothing is at.
#[derive(Debug, Template)]
#[template(path = "not_found.html")]
pub(crate) struct NotFoundPage;

/// One target on both paths.
#[derive(Debug)]
pub(crate) struct TokenRow {
    target: String,
    query: String,
    was_held: bool,
    before: &'static str,
    outcome: Result<TokenNow, Problem>,
}

#[derive(Debug)]
struct TokenNow {
    is_new: bool,
    scopes: Vec<String>,
    expires: String,
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
    pub(crate) length: usize,
    issued: String,
    expires: String,
    handed_out_by: &'static str,
}

/// An error in words.
#[derive(Debug)]
pub(crate) struct Problem {
    code: String,
    description: String,
}

impl TokenRow {
    /// What both paths said about `target`: `before` is the session as the read-only path saw it.
    pub(crate) fn new(
        target: &TokenTarget,
        before: &ReadOnlySession,
        outcome: Result<AccessToken, Error>,
        now: UnixTime,
    ) -> Self {
        let cached = before.access_token(target);
        // Right after the sign-in there is no token yet, and that is as it should be.
        let before = match &cached {
            Cached::Valid(_) => "valid",
            Cached::Never(_) => "not available",
            Cached::NeedsRefresh if before.snapshot().access_tokens().contains_key(target) => {
                "expired"
            }
            Cached::NeedsRefresh => "not fetched yet",
        };
        let held = cached.token();
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
            before,
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
            expires: until(token.expires_at, now),
        }
    }
}

impl PartRow {
    /// The parts of `session`, and which path hands them out: `before` is what the read-only path saw.
    pub(crate) fn all(session: &Session, before: &ReadOnlySession, now: UnixTime) -> Vec<Self> {
        let claims = session.claims();
        let mut parts = vec![Self {
            name: "ID token".to_owned(),
            length: session.kept_id_token().expose().len(),
            issued: ago(claims.iat, now),
            expires: "with the session".to_owned(),
            handed_out_by: "both paths, as claims",
        }];
        if let Some(refresh_token) = session.refresh_token() {
            parts.push(Self {
                name: "Refresh token".to_owned(),
                length: refresh_token.expose().len(),
                issued: String::new(),
                expires: "as configured at Logto".to_owned(),
                handed_out_by: "neither: the client keeps it, to fetch access tokens",
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
                issued: ago(token.issued_at, now),
                expires: until(token.expires_at, now),
                handed_out_by: match was_held {
                    true => "both paths",
                    false => "the writable path, which fetched it",
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

impl<'a> ProblemPage<'a> {
    fn new(context: &'a ErrorContext<'_>) -> Self {
        let advice = context.error.advice();
        let (label, next) = match advice {
            Advice::Retry { .. } => ("Try again", context.next),
            Advice::SignInAgain => ("Sign in again", context.next),
            _ => ("Sign in again", "/sign-in"),
        };
        Self {
            code: context.error.code(),
            description: public_description(context.error),
            advice: match advice {
                Advice::Retry { .. } => "This passes: try again in a moment.",
                Advice::FixConfiguration => "Somebody has to correct the configuration.",
                _ => "Nothing has changed.",
            },
            hint: context.hint(),
            next,
            label,
        }
    }
}

/// A page as a response.
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
/// Nothing but the style sheet, the script and the icon of this application is loaded, and no other site may
/// frame a page. Without `form-action`: Logto answers the form for signing out with redirects, to which that applies too.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'",
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
