//! An application at several hosts.

use bytes::Bytes;
use http::{Request, Response, header, request};
use logto::LogtoApp;
use logto_testkit::Logto;
use url::Url;

use super::{Visitor, builder, location};

/// An application that is found at every host below `localhost`.
pub(crate) async fn at_several_hosts(logto: &Logto) -> LogtoApp {
    let builder = builder(logto).config(|config| config.other_hosts(["*.localhost"]));
    builder.await.unwrap()
}

/// The host at which a sign-in comes back that leads to this page of Logto.
pub(crate) fn comes_back_to(to_logto: &str) -> String {
    let to_logto = Url::parse(to_logto).unwrap();
    let mut query = to_logto.query_pairs();
    let (_, redirect_uri) = query.find(|(name, _)| name == "redirect_uri").unwrap();
    let redirect_uri = Url::parse(&redirect_uri).unwrap();
    redirect_uri.host_str().unwrap().to_owned()
}

impl<S: AsyncFn(Request<Bytes>) -> Response<Bytes>> Visitor<S> {
    /// A sign-in comes back to the host where it began, if that is allowed.
    pub(crate) async fn hosts(&mut self) {
        for (host, expected) in [
            ("one.localhost:3000", "one.localhost"),
            ("evil.example", "localhost"),
        ] {
            let request = Request::get("/sign-in").header(header::HOST, host);
            assert_eq!(self.begins(request).await, expected, "{host}");
        }
    }

    /// Begins a sign-in with a navigation: where that comes back.
    pub(crate) async fn begins(&mut self, request: request::Builder) -> String {
        let request = request.header("sec-fetch-mode", "navigate");
        let response = (self.send)(request.body(Bytes::new()).unwrap()).await;
        comes_back_to(&location(&response))
    }
}
