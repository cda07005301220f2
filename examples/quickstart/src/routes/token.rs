//! Access tokens on both paths. `resource` and `organization_id` say what for.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response, Result},
};
use http::{HeaderMap, StatusCode};
use logto::{Cached, Error, TokenTarget, WritableSession};
use serde::Serialize;
use serde_json::json;

use super::{Failure, MaybeQuery, TargetQuery, TokenAnswer};
use crate::{
    adapter::{finish, refused, signed_in},
    app::App,
};

type TokenQuery = MaybeQuery<TargetQuery>;

/// `GET /token`: a usable token, fetched if the session has none.
pub(crate) async fn usable(
    app: State<App>,
    headers: HeaderMap,
    query: TokenQuery,
) -> Result<Response> {
    with_session(app, headers, query, async |session, target| {
        let before = session.snapshot();
        let token = session.access_token(target).await?;
        Ok(TokenAnswer::new(&token, before.access_tokens().get(target)))
    })
    .await
}

/// `POST /token`: a new token, whatever the session has.
pub(crate) async fn refresh(
    app: State<App>,
    headers: HeaderMap,
    query: TokenQuery,
) -> Result<Response> {
    app.web
        .check_own_request(&headers)
        .map_err(refused(&app.web))?;
    with_session(app, headers, query, async |session, target| {
        Ok(TokenAnswer::new(
            &session.refresh_access_token(target).await?,
            None,
        ))
    })
    .await
}

/// `DELETE /token`: forgets the token; the next one is fetched.
pub(crate) async fn forget(
    app: State<App>,
    headers: HeaderMap,
    query: TokenQuery,
) -> Result<Response> {
    app.web
        .check_own_request(&headers)
        .map_err(refused(&app.web))?;
    with_session(app, headers, query, async |session, target| {
        session.forget(target).await?;
        Ok(json!({ "forgotten": true }))
    })
    .await
}

/// `GET /token/read-only`: the token that the session has, or 409 `needs_refresh`: nothing is fetched
/// and nothing is stored.
pub(crate) async fn read_only(
    State(app): State<App>,
    headers: HeaderMap,
    query: TokenQuery,
) -> Result<Response> {
    let target = TargetQuery::target(query)?;
    let session = app
        .web
        .read_only_session(&headers)
        .await
        .map_err(refused(&app.web))?;
    let answer = signed_in(&session).map(|session| match session.access_token(&target) {
        Cached::Valid(token) => Json(TokenAnswer::new(&token, Some(&token))).into_response(),
        Cached::Refused(error) => refused(&app.web)(error.into()).into_response(),
        Cached::NeedsRefresh => {
            let failure = Failure::new(
                "needs_refresh",
                "the session has no usable token; ask /token",
            );
            (StatusCode::CONFLICT, Json(failure)).into_response()
        }
    });
    Ok(finish(&app.web, &headers, None, answer))
}

/// What the writable routes have in common.
async fn with_session<T: Serialize>(
    State(app): State<App>,
    headers: HeaderMap,
    query: TokenQuery,
    work: impl AsyncFnOnce(&WritableSession, &TokenTarget) -> Result<T, Error>,
) -> Result<Response> {
    let target = TargetQuery::target(query)?;
    let session = app.web.session(&headers).await.map_err(refused(&app.web))?;
    let answer = match signed_in(&session) {
        Ok(session) => work(session, &target).await,
        Err(error) => Err(error),
    };
    let answer = match answer {
        Ok(answer) => Ok(Json(answer).into_response()),
        Err(error) if is_about_the_query(&error) => {
            let failure = Failure::new(error.code(), error.to_string());
            Ok((StatusCode::BAD_REQUEST, Json(failure)).into_response())
        }
        Err(error) => Err(error),
    };
    Ok(finish(&app.web, &headers, session.as_ref(), answer))
}

/// Whether the target, which comes from the query here, is one that this application never asks for at
/// sign-in. Where a program names its targets itself this is a mistake in the program, and so a 500.
fn is_about_the_query(error: &Error) -> bool {
    use logto::core::error::UsageError as Usage;
    matches!(
        error,
        Error::Protocol(logto::core::Error::Usage(
            Usage::ResourceNotRequested(_) | Usage::OrganizationsScopeMissing
        ))
    )
}
