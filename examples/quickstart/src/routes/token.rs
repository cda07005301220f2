//! Access tokens on both paths. `resource` and `organization_id` say what for.

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, StatusCode};
use logto::{Cached, Error, TokenTarget, WritableSession};
use serde::Serialize;
use serde_json::json;

use super::{Failure, MaybeQuery, TargetQuery, TokenAnswer};
use crate::{
    adapter::{finish, respond, signed_in},
    app::App,
};

type TokenQuery = MaybeQuery<TargetQuery>;

/// `GET /token`: a usable token, fetched if the session has none.
pub(crate) async fn usable(app: State<App>, headers: HeaderMap, query: TokenQuery) -> Response {
    with_session(app, headers, query, async |session, target| {
        let before = session.snapshot();
        let token = session.access_token(target).await?;
        Ok(TokenAnswer::new(&token, before.access_tokens().get(target)))
    })
    .await
}

/// `POST /token`: a new token, whatever the session has.
pub(crate) async fn anew(app: State<App>, headers: HeaderMap, query: TokenQuery) -> Response {
    with_session(app, headers, query, async |session, target| {
        Ok(TokenAnswer::new(
            &session.access_token_anew(target).await?,
            None,
        ))
    })
    .await
}

/// `DELETE /token`: forgets the token; the next one is fetched.
pub(crate) async fn forget(app: State<App>, headers: HeaderMap, query: TokenQuery) -> Response {
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
) -> Response {
    let target = match TargetQuery::target(query) {
        Ok(target) => target,
        Err(problem) => return problem.into_response(),
    };
    let session = match app.web.read_only_session(&headers).await {
        Ok(session) => session,
        Err(error) => return respond(Err(error)),
    };
    let answer = signed_in(&session).map(|session| match session.access_token(&target) {
        Cached::Valid(token) => Json(TokenAnswer::new(&token, Some(&token))).into_response(),
        Cached::NeedsRefresh => {
            let failure = Failure::new(
                "needs_refresh",
                "the session has no usable token; ask /token",
            );
            (StatusCode::CONFLICT, Json(failure)).into_response()
        }
    });
    finish(&app.web, &headers, None, answer)
}

/// What the writable routes have in common.
async fn with_session<T: Serialize>(
    State(app): State<App>,
    headers: HeaderMap,
    query: TokenQuery,
    work: impl AsyncFnOnce(&WritableSession, &TokenTarget) -> Result<T, Error>,
) -> Response {
    let target = match TargetQuery::target(query) {
        Ok(target) => target,
        Err(problem) => return problem.into_response(),
    };
    let session = match app.web.session(&headers).await {
        Ok(session) => session,
        Err(error) => return respond(Err(error)),
    };
    let answer = match signed_in(&session) {
        Ok(session) => work(session, &target).await.map(Json),
        Err(error) => Err(error),
    };
    finish(&app.web, &headers, session.as_ref(), answer)
}
