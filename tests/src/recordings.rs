//! Exchanges recorded from a Logto OSS 1.42, in `tests/recordings`.

use std::{fs, path::Path};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

/// One recorded exchange.
#[derive(Clone, Debug)]
pub struct Recording {
    /// The number its file name begins with.
    pub number: u16,
    /// What was tried, in the words of who recorded it.
    pub title: String,
    /// What was sent. The URI has no authority; the `host` header has.
    pub request: http::Request<Bytes>,
    /// What Logto answered.
    pub response: http::Response<Bytes>,
}

/// The exchange with this number.
pub fn load(number: u16) -> Recording {
    let (file, response) = read(number);
    let response = response.unwrap_or_else(|| panic!("recording {number} holds no answer"));
    Recording {
        number,
        title: file.title,
        request: file.request.into_http(),
        response,
    }
}

/// Every exchange, in the order of their numbers.
pub fn all() -> Vec<Recording> {
    numbers()
        .into_iter()
        .filter(|number| *number != LOGOUT_TOKEN)
        .map(load)
        .collect()
}

/// The one recording without an answer: the request that Logto sends to an application's back-channel
/// logout URI.
pub fn backchannel_logout_request() -> http::Request<Bytes> {
    read(LOGOUT_TOKEN).0.request.into_http()
}

const LOGOUT_TOKEN: u16 = 114;
const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings");

#[derive(Deserialize)]
struct RecordedExchange {
    title: String,
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
    json: Option<Value>,
    body: Option<String>,
}

impl RecordedRequest {
    fn into_http(self) -> http::Request<Bytes> {
        let mut request = http::Request::builder()
            .method(self.method.as_str())
            .uri(self.target);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request
            .body(self.body.into())
            .expect("a recorded request is valid")
    }
}

impl RecordedResponse {
    fn into_http(self) -> http::Response<Bytes> {
        let mut response = http::Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        let body = match self.json {
            Some(json) => json.to_string(),
            None => self.body.unwrap_or_default(),
        };
        response
            .body(body.into())
            .expect("a recorded response is valid")
    }
}

fn read(number: u16) -> (RecordedExchange, Option<http::Response<Bytes>>) {
    let prefix = format!("{number:03}-");
    let name = file_names()
        .find(|name| name.starts_with(&prefix))
        .unwrap_or_else(|| panic!("there is no recording {number} in {DIRECTORY}"));
    let json = fs::read(Path::new(DIRECTORY).join(&name)).expect("the recording is readable");
    let mut file: RecordedExchange =
        serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{name}: {error}"));
    let response = file.response.take().map(RecordedResponse::into_http);
    (file, response)
}

fn numbers() -> Vec<u16> {
    let mut numbers: Vec<u16> = file_names()
        .filter_map(|name| name.split('-').next()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

fn file_names() -> impl Iterator<Item = String> {
    fs::read_dir(DIRECTORY)
        .expect("tests/recordings is there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_becomes_an_exchange() {
        let recordings = all();
        assert_eq!(recordings.len() + 1, file_names().count());
        let discovery = load(1);
        assert_eq!(
            discovery.request.uri(),
            "/oidc/.well-known/openid-configuration"
        );
        let metadata: Value = serde_json::from_slice(discovery.response.body()).unwrap();
        assert_eq!(metadata["issuer"], "http://localhost:3001/oidc");
        assert!(
            backchannel_logout_request()
                .body()
                .starts_with(b"logout_token=")
        );
    }
}
