//! Exchanges recorded from a Logto OSS 1.42: the JSON files beside this package, as requests and responses.
//! A recording that is missing or unreadable fails the test that asked for it.

#![allow(clippy::expect_used, clippy::panic)]

pub mod ordered;

use std::{fs, path::Path};

use bytes::Bytes;
use http::{Request, Response};
use ordered::Node;
use serde::Deserialize;
use serde_json::Value;

/// One recorded exchange.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The name of its file, which begins with its number.
    pub name: String,
    /// What was sent, with the whole URI.
    pub request: Request<Bytes>,
    /// What Logto answered. The members of a JSON body have the order in which Logto sent them.
    pub response: Response<Bytes>,
}

impl Recording {
    /// The exchange with this number.
    pub fn load(number: u16) -> Self {
        Self::read(file_name(number)).unwrap_or_else(|| panic!("recording {number} has no answer"))
    }

    /// Every exchange, in the order of their numbers. [`logout_request`] is none.
    pub fn all() -> Vec<Self> {
        let mut names: Vec<String> = file_names().collect();
        names.sort();
        names.into_iter().filter_map(Self::read).collect()
    }

    /// The body of the response.
    pub fn json(&self) -> Value {
        serde_json::from_slice(self.response.body()).expect("the answer is JSON")
    }

    /// Where the response sends the browser.
    pub fn redirect(&self) -> &str {
        let location = self.response.headers().get("location");
        let location = location.expect("the answer is a redirect").to_str();
        location.expect("a location is text")
    }

    fn read(name: String) -> Option<Self> {
        let file = RecordedExchange::read(&name);
        Some(Self {
            name,
            request: file.request.into_http(),
            response: file.response?.into_http(),
        })
    }
}

/// The request that Logto sends to an application's back-channel logout URI, recording 114: the one recording
/// without an answer.
pub fn logout_request() -> Request<Bytes> {
    RecordedExchange::read(&file_name(114)).request.into_http()
}

const DIRECTORY: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Deserialize)]
struct RecordedExchange {
    request: RecordedRequest,
    response: Option<RecordedResponse>,
}

#[derive(Deserialize)]
struct RecordedRequest {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: String,
}

#[derive(Deserialize)]
struct RecordedResponse {
    status: u16,
    headers: Vec<(String, String)>,
    json: Option<Node>,
    #[serde(default)]
    body: String,
}

impl RecordedExchange {
    fn read(name: &str) -> Self {
        let json = fs::read(Path::new(DIRECTORY).join(name)).expect("the recording is readable");
        serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

impl RecordedRequest {
    fn into_http(self) -> Request<Bytes> {
        let host = self.headers.iter().find(|(name, _)| name == "host");
        let (_, host) = host.expect("a request names its host");
        let mut request = Request::builder()
            .method(self.method.as_str())
            .uri(format!("http://{host}{}", self.target));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request
            .body(self.body.into())
            .expect("a recorded request is valid")
    }
}

impl RecordedResponse {
    fn into_http(self) -> Response<Bytes> {
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let body = match self.json {
            Some(json) => serde_json::to_string(&json).expect("JSON can be written"),
            None => self.body,
        };
        response
            .body(body.into())
            .expect("a recorded response is valid")
    }
}

fn file_name(number: u16) -> String {
    let prefix = format!("{number:03}-");
    file_names()
        .find(|name| name.starts_with(&prefix))
        .unwrap_or_else(|| panic!("there is no recording {number} in {DIRECTORY}"))
}

fn file_names() -> impl Iterator<Item = String> {
    fs::read_dir(DIRECTORY)
        .expect("tests/recordings is there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_becomes_an_exchange() {
        let recordings = Recording::all();
        assert_eq!(recordings.len() + 1, file_names().count());
        let discovery = Recording::load(1);
        assert_eq!(discovery.name, recordings[0].name);
        assert_eq!(
            discovery.request.uri(),
            "http://localhost:3001/oidc/.well-known/openid-configuration"
        );
        assert_eq!(discovery.json()["issuer"], "http://localhost:3001/oidc");
        assert!(logout_request().body().starts_with(b"logout_token="));
    }
}
