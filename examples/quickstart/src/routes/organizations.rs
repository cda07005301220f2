//! All organizations of the user.

use axum::Json;
use logto::{
    TokenTarget,
    axum::{Result, Session},
};
use serde::Serialize;

use super::{Failure, TokenAnswer, signed_in};

/// `GET /organizations`: for each organization a token, or why there is none.
pub(crate) async fn tokens(session: Option<Session>) -> Result<Json<Organizations>> {
    let session = signed_in(session)?;
    let before = session.snapshot();
    let tokens = session.organization_tokens().await?.into_iter();
    let organizations = tokens.map(|(organization_id, token)| {
        let target = TokenTarget::organization(&organization_id);
        let outcome = match token {
            Ok(token) => {
                let held = before.access_tokens().get(&target);
                Outcome::Token(TokenAnswer::new(&token, held))
            }
            Err(error) => Outcome::Failure(Failure::new(error.code(), error.to_string())),
        };
        Organization {
            organization_id,
            outcome,
        }
    });
    Ok(Json(Organizations {
        organizations: organizations.collect(),
    }))
}

#[derive(Debug, Serialize)]
pub(crate) struct Organizations {
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
