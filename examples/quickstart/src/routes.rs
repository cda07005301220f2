//! One function for each address.

mod device;
mod home;
mod machine;
mod organizations;
mod sign_in;
mod sign_out;
mod token;
mod user;

use std::collections::BTreeSet;

use axum::{
    Json, Router,
    extract::{Query, rejection::QueryRejection},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use logto::{AccessToken, TokenTarget};
use serde::{Deserialize, Serialize};

use crate::app::App;

impl App {
    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/", get(home::page))
            .route("/style.css", get(home::style))
            .route("/fresh.js", get(home::script))
            .route("/sign-in", get(sign_in::start))
            .route("/callback", get(sign_in::callback).post(sign_in::callback))
            .route(
                "/sign-out",
                get(sign_out::everywhere).post(sign_out::everywhere),
            )
            .route("/sign-out/local", post(sign_out::here))
            .route("/user", get(user::claims))
            .route("/user-info", get(user::user_info))
            .route(
                "/token",
                get(token::usable)
                    .post(token::refresh)
                    .delete(token::forget),
            )
            .route("/token/read-only", get(token::read_only))
            .route("/organizations", get(organizations::tokens))
            .route("/machine-token", get(machine::token))
            .route("/device", get(device::progress).post(device::start))
            .route("/device/approve", post(device::approve))
            .route("/backchannel-logout", post(sign_out::back_channel))
            .with_state(self)
    }
}

/// A query whose rejection the handler sees.
type MaybeQuery<T> = Result<Query<T>, QueryRejection>;

/// What a token is asked for. Both empty means the userinfo endpoint.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TargetQuery {
    resource: String,
    organization_id: String,
}

impl TargetQuery {
    fn target(query: MaybeQuery<Self>) -> Result<TokenTarget, BadQuery> {
        let Self {
            resource,
            organization_id,
        } = required(query)?;
        Ok(match (resource.as_str(), organization_id.as_str()) {
            ("", "") => TokenTarget::user_info(),
            (_, "") => TokenTarget::resource(resource),
            ("", _) => TokenTarget::organization(organization_id),
            (_, _) => TokenTarget::resource(resource).in_organization(organization_id),
        })
    }
}

fn required<T>(query: MaybeQuery<T>) -> Result<T, BadQuery> {
    let Query(query) = query.map_err(BadQuery::from)?;
    Ok(query)
}

/// What this application was started without: 404.
#[derive(Debug)]
struct NotConfigured;

impl IntoResponse for NotConfigured {
    fn into_response(self) -> Response {
        let failure = Failure::new("not_configured", "this application was started without it");
        (StatusCode::NOT_FOUND, Json(failure)).into_response()
    }
}

/// A query that says nothing this application understands: 400.
#[derive(Debug)]
struct BadQuery(String);

impl From<QueryRejection> for BadQuery {
    fn from(rejection: QueryRejection) -> Self {
        Self(rejection.body_text())
    }
}

impl IntoResponse for BadQuery {
    fn into_response(self) -> Response {
        (
            StatusCode::BAD_REQUEST,
            Json(Failure::new("invalid_request", self.0)),
        )
            .into_response()
    }
}

/// A token as JSON. This example hands tokens to whoever holds the cookie, to show them; an
/// application keeps them on the server.
#[derive(Debug, Serialize)]
struct TokenAnswer {
    access_token: String,
    expires_at: i64,
    scopes: BTreeSet<String>,
    /// Whether the session had another token or none when the request came.
    refreshed: bool,
}

impl TokenAnswer {
    fn new(token: &AccessToken, held: Option<&AccessToken>) -> Self {
        Self {
            access_token: token.token.expose().to_owned(),
            expires_at: token.expires_at.as_secs(),
            scopes: token.scopes.clone(),
            refreshed: held.is_none_or(|held| held.token != token.token),
        }
    }
}

/// The error object of every JSON answer.
#[derive(Debug, Serialize)]
struct Failure {
    error: String,
    error_description: String,
}

impl Failure {
    fn new(error: &str, error_description: impl Into<String>) -> Self {
        Self {
            error: error.to_owned(),
            error_description: error_description.into(),
        }
    }
}
