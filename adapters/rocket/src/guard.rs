//! Request guards for the session of a request, and errors.

use logto_adapter_common::Pending;
use logto_client::web::{LogtoApp, RequestSession, Requirement};
use rocket::{
    Ignite, Response, Rocket, Sentinel,
    http::Status,
    outcome::try_outcome,
    request::{FromRequest, Outcome},
    response::{self, Responder},
};

use crate::convert;

logto_adapter_common::session_types!();
logto_adapter_common::error_type!();

/// If no user is signed in, a page is redirected to the sign-in.
impl<'r> Responder<'r, 'static> for Error {
    fn respond_to(self, request: &'r rocket::Request<'_>) -> response::Result<'static> {
        let begun = begin(request).succeeded();
        let (_, pending) = begun.ok_or(Status::InternalServerError)?;
        // The fairing replaces the response.
        Response::build().status(status(&pending.fail(self.0))).ok()
    }
}

/// The session of a user who meets `requirement`, for your own request guards; the page of this crate has an
/// example.
pub async fn require(
    request: &rocket::Request<'_>,
    requirement: &Requirement,
) -> Outcome<Session, Error> {
    let (session, pending) = try_outcome!(begin(request));
    let opened = session.session_as(requirement).await;
    outcome(pending.require(opened)).map(Session)
}

/// The application, as the fairing manages it.
pub(crate) struct Managed(pub(crate) LogtoApp);

fn begin<'r>(
    request: &'r rocket::Request<'_>,
) -> Outcome<(&'r RequestSession, &'r Pending), Error> {
    let Some(Managed(app)) = request.rocket().state() else {
        // The sentinels below prevent such an application from starting.
        return Outcome::Forward(Status::InternalServerError);
    };
    let pending = request.local_cache(|| Pending::new(app.clone()));
    Outcome::Success((pending.begin(|| convert::head(request)), pending))
}

/// If no user is signed in, Rocket forwards to routes of lower rank.
fn outcome<T>(required: std::result::Result<T, logto_client::Error>) -> Outcome<T, Error> {
    match required {
        Ok(opened) => Outcome::Success(opened),
        Err(error) if status(&error) == Status::Unauthorized => {
            Outcome::Forward(Status::Unauthorized)
        }
        Err(error) => Outcome::Error((status(&error), Error(error))),
    }
}

fn status(error: &logto_client::Error) -> Status {
    Status::new(error.status().as_u16())
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Request {
    type Error = Error;

    async fn from_request(request: &'r rocket::Request<'_>) -> Outcome<Self, Error> {
        begin(request).map(|(session, _)| Self(session.clone()))
    }
}

macro_rules! guards {
    ($($name:ident: $open:ident,)*) => { $(
        #[rocket::async_trait]
        impl<'r> FromRequest<'r> for $name {
            type Error = Error;

            async fn from_request(request: &'r rocket::Request<'_>) -> Outcome<Self, Error> {
                let (session, pending) = try_outcome!(begin(request));
                let opened = session.$open().await;
                outcome(pending.require(opened)).map(Self)
            }
        }
    )* };
}

guards! {
    User: claims,
    Session: session,
    ReadOnly: read_only,
}

macro_rules! sentinels {
    ($($name:ident,)*) => { $(
        /// Rocket does not start without the fairing.
        impl Sentinel for $name {
            fn abort(rocket: &Rocket<Ignite>) -> bool {
                rocket.state::<Managed>().is_none()
            }
        }
    )* };
}

sentinels!(User, Session, ReadOnly, Request,);
