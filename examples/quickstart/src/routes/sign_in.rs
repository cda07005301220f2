//! To Logto and back.

use std::str::FromStr;

use axum::{
    body::Body,
    extract::{Query, Request, State},
    response::{IntoResponse, Response},
};
use http::HeaderMap;
use logto::{
    SignIn,
    core::vocabulary::{FirstScreen, Prompt, UnknownWord},
    web::CallbackOutcome,
};
use serde::Deserialize;

use super::{BadQuery, MaybeQuery};
use crate::{
    adapter::{buffered, respond},
    app::App,
    page,
};

/// What a link to `/sign-in` may ask for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SignInQuery {
    return_to: String,
    first_screen: String,
    login_hint: String,
    prompt: String,
}

/// `GET /sign-in`: sends the browser to Logto.
pub(crate) async fn start(
    State(app): State<App>,
    headers: HeaderMap,
    query: MaybeQuery<SignInQuery>,
) -> Response {
    match query
        .map_err(BadQuery::from)
        .and_then(|Query(query)| query.sign_in())
    {
        Ok(sign_in) => respond(&app.web, app.web.sign_in(&headers, &sign_in).await),
        Err(problem) => problem.into_response(),
    }
}

/// `GET /callback` and, with `response_mode=form_post`, `POST /callback`: Logto sends the browser
/// back here.
pub(crate) async fn callback(State(app): State<App>, request: Request) -> Response {
    let (parts, body) = buffered(request).await;
    let answer = app.web.callback(&parts, &body).await;
    let failure = match &answer.outcome {
        Ok(CallbackOutcome::Cancelled { error, .. }) | Err(error) => Some(error.clone()),
        Ok(_) => None,
    };
    let response = answer.into_response().map(Body::from);
    match failure {
        Some(error) => page::problem(&parts.headers, &error, response),
        None => response,
    }
}

impl SignInQuery {
    fn sign_in(&self) -> Result<SignIn, BadQuery> {
        let mut sign_in = SignIn::new();
        if !self.return_to.is_empty() {
            // Anything but a path of this application becomes the base URL.
            sign_in = sign_in.return_to(&self.return_to);
        }
        if !self.first_screen.is_empty() {
            sign_in = sign_in.first_screen(word::<FirstScreen>(&self.first_screen)?);
        }
        if !self.login_hint.is_empty() {
            sign_in = sign_in.login_hint(&self.login_hint);
        }
        let prompts = self.prompt.split_ascii_whitespace().map(word::<Prompt>);
        let prompts: Vec<Prompt> = prompts.collect::<Result<_, _>>()?;
        if !prompts.is_empty() {
            sign_in = sign_in.prompt(prompts);
        }
        Ok(sign_in)
    }
}

fn word<T: FromStr<Err = UnknownWord>>(word: &str) -> Result<T, BadQuery> {
    word.parse()
        .map_err(|unknown: UnknownWord| BadQuery(unknown.to_string()))
}
