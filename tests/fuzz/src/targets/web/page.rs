//! A page of the application: what no route takes.

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Response, request::Parts};
use logto_client::{
    error::{Error, RequestError},
    web::{LogtoApp, RequestSession},
};

use crate::requested;

/// A page that requires a user.
pub(super) fn visit(app: &LogtoApp, parts: &Parts) -> Response<Bytes> {
    let begin = || app.begin(&parts.method, &parts.uri, &parts.headers);
    let is_from_another_site = requested::is_from_another_site(parts);
    let request = begin();
    let session = request.session().now_or_never();
    let session = session.expect("nothing to wait for");
    check_session(session.map(|found| found.is_some()), is_from_another_site);
    let required = request.require().now_or_never();
    let response = match required.expect("nothing to wait for") {
        Ok(_) => {
            assert!(!is_from_another_site, "another site acts for the user");
            Response::default()
        }
        Err(response) => *response,
    };
    let (mut head, body) = response.into_parts();
    let body = request.finish(&mut head).unwrap_or(body);
    check_late(&request, is_from_another_site);
    // One that is first asked for now.
    let request = begin();
    let (mut response, ()) = Response::new(()).into_parts();
    assert_eq!(request.finish(&mut response), None);
    check_late(&request, is_from_another_site);
    Response::from_parts(head, body)
}

/// Nobody has a session for what another site has caused, and nothing else is refused for that reason.
fn check_session(is_there: Result<bool, Error>, is_from_another_site: bool) {
    match is_there {
        Ok(is_there) => assert!(!(is_there && is_from_another_site)),
        Err(Error::Request(RequestError::CrossSite)) => assert!(is_from_another_site),
        Err(error) => panic!("{error}"),
    }
}

/// The same, once the response has begun.
fn check_late(request: &RequestSession, is_from_another_site: bool) {
    let read_only = request.read_only().now_or_never();
    let read_only = read_only.expect("nothing to wait for");
    check_session(read_only.map(|found| found.is_some()), is_from_another_site);
    let claims = request.claims().now_or_never();
    let claims = claims.expect("nothing to wait for");
    check_session(claims.map(|found| found.is_some()), is_from_another_site);
}
