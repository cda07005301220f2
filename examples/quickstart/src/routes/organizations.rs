//! All organizations of the user.

use axum::{Json, extract::State, response::Response};
use http::HeaderMap;
use logto::{Error, TokenTarget, WritableSession};
use serde::Serialize;

use super::{Failure, TokenAnswer};
use crate::{
    adapter::{Refused, finish, refused, signed_in},
    app::App,
};

/// `GET /organizations`: for each organization a token, or why there is none.
pub(crate) async fn tokens(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let session = app.web.session(&headers).await.map_err(refused(&app.web))?;
    let answer = fetch(&session).await.map(Json);
    Ok(finish(&app.web, &headers, session.as_ref(), answer))
}

async fn fetch(session: &Option<WritableSession>) -> Result<Organizations, Error> {
    let session = signed_in(session)?;
    let before = session.snapshot();
    let tokens = session.organization_tokens().await?.into_iter();
    let organizations = tokens.map(|(organization_id, token)| {
        let target = TokenTarget::organization(&organization_id);
        let outcome = match token {
            Ok(token) => Outcome::Token(TokenAnswer::new(
                &token,
                before.access_tokens().get(&target),
            )),
            Err(error) => Outcome::Failure(Failure::new(error.code(), error.to_string())),
        };
        Organization {
            organization_id,
            outcome,
        }
    });
    Ok(Organizations {
        organizations: organizations.collect(),
    })
}

#[derive(Debug, Serialize)]
struct Organizations {
    organizations: Vec<Organization>,
}

#[derive(Debug, Serialize)]
struct Organization {
    organization_id: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome {
    Token(TokenAnswer),
    Failure(Failure),
}
