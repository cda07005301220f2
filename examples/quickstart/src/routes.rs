//! One function for each address.

mod assets;
mod device;
mod home;
mod machine;
mod organizations;
mod token;
mod user;

use std::collections::BTreeSet;

use axum::{
    Json, Router,
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use logto::{AccessToken, Error, axum::RouterExt, core::error::UsageError};
use serde::Serialize;

use crate::app::App;

impl App {
    /// The routes. The SDK adds its own: sign-in, callback, sign-out, user and back-channel logout.
    pub fn router(self) -> Router {
        let logto = self.logto.clone();
        Router::new()
            .route("/", get(home::page))
            .route("/style.css", get(assets::style))
            .route("/fresh.js", get(assets::script))
            .route("/favicon.svg", get(assets::icon))
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
            .fallback(assets::not_found)
            .with_logto(logto)
            .layer(map_response(assets::harden))
            .with_state(self)
    }
}

/// What an address for programs needs: it answers 401 where a page would be redirected to the sign-in.
fn signed_in<T>(found: Option<T>) -> Result<T, UsageError> {
    found.ok_or(UsageError::NotSignedIn)
}

/// Why a program does not get what it asked for.
#[derive(Debug)]
pub(crate) enum Refusal {
    Logto(Error),
    /// The query says nothing that this application understands.
    BadQuery(String),
    /// This application was started without it.
    NotConfigured,
    /// The read-only path has no usable token.
    NeedsRefresh,
    /// No device of this user waits for an approval.
    NoDeviceWaits,
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Logto(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, failure) = match self {
            Self::Logto(error) if is_about_the_query(&error) => (
                StatusCode::BAD_REQUEST,
                Failure::new(error.code(), error.to_string()),
            ),
            Self::Logto(error) => return logto::axum::Error(error).into_response(),
            Self::BadQuery(problem) => (
                StatusCode::BAD_REQUEST,
                Failure::new("invalid_request", problem),
            ),
            Self::NotConfigured => (
                StatusCode::NOT_FOUND,
                Failure::new("not_configured", "this application was started without it"),
            ),
            Self::NeedsRefresh => (
                StatusCode::CONFLICT,
                Failure::new(
                    "needs_refresh",
                    "the session has no usable token; ask /token",
                ),
            ),
            Self::NoDeviceWaits => (
                StatusCode::CONFLICT,
                Failure::new("no_device_waits", "no device waits for an approval"),
            ),
        };
        (status, Json(failure)).into_response()
    }
}

/// Whether the target, which comes from the query here, is one that this application never asks for at
/// sign-in. Where a program names its targets itself this is a mistake in the program, and so a 500.
fn is_about_the_query(error: &Error) -> bool {
    matches!(
        error,
        Error::Protocol(logto::core::Error::Usage(
            UsageError::ResourceNotRequested(_) | UsageError::OrganizationsScopeMissing
        ))
    )
}

/// A token as JSON. This example hands tokens to whoever holds the cookie, to show them; an
/// application keeps them on the server.
#[derive(Debug, Serialize)]
pub(crate) struct TokenAnswer {
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
            scopes: (*token.scopes).clone(),
            refreshed: held.is_none_or(|held| held.token != token.token),
        }
    }
}

/// The error object of every JSON answer.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
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
