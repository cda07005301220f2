//! What a test lets the Account API and the Management API answer.

use http::{Method, StatusCode};
use serde_json::Value;

#[derive(Default)]
pub(crate) struct ApiAnswers(Vec<ApiAnswer>);

pub(crate) struct ApiAnswer {
    method: Method,
    path: String,
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl ApiAnswers {
    /// Answers this from now on.
    pub(crate) fn set(&mut self, method: Method, path: &str, status: StatusCode, body: Value) {
        self.0.retain(|known| !known.is_for(&method, path));
        let path = path.to_owned();
        self.0.push(ApiAnswer {
            method,
            path,
            status,
            body,
        });
    }

    pub(crate) fn get(&self, method: &Method, path: &str) -> Option<&ApiAnswer> {
        self.0.iter().find(|known| known.is_for(method, path))
    }
}

impl ApiAnswer {
    fn is_for(&self, method: &Method, path: &str) -> bool {
        self.method == *method && self.path == path
    }
}
