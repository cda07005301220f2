//! The response of the token endpoint ([RFC 6749 section
//! 5.1](https://www.rfc-editor.org/rfc/rfc6749#section-5.1)).

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value};

use crate::{
    error::{Endpoint, Error, ResponseError},
    exchange,
    json::Given as _,
    jwt,
    secret::Secret,
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
    vocabulary::organization_urn,
};

/// The lifetime of a token if the server does not name one.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(300);
/// The longest lifetime of an access token. A longer `expires_in` is cut.
const MAX_LIFETIME: Duration = Duration::from_secs(365 * 24 * 3600);

/// A token response whose members are not checked yet. The refresh token is read first: after a rotation,
/// this response is the only copy of it.
pub(crate) struct TokenResponse {
    members: Map<String, Value>,
    status: u16,
    length: usize,
}

impl TokenResponse {
    pub(crate) fn read(response: &Response<Bytes>, now: UnixTime) -> Result<Self, Error> {
        let members = exchange::json_object(Endpoint::Token, response, now)?;
        if response.status() != StatusCode::OK {
            let problem = "success is answered with status 200";
            return Err(exchange::unusable(Endpoint::Token, response, problem).into());
        }
        Ok(Self {
            members,
            status: response.status().as_u16(),
            length: response.body().len(),
        })
    }

    /// The refresh token. Empty or absent means that the old one is kept.
    pub(crate) fn refresh_token(&self) -> Option<Secret> {
        self.text("refresh_token")
    }

    pub(crate) fn id_token(&self) -> Option<Secret> {
        self.text("id_token")
    }

    /// The access token. It must be a bearer token and, if it is a JWT, be for `target`.
    pub(crate) fn access_token(
        &self,
        target: &TokenTarget,
        requested_scopes: &BTreeSet<String>,
        requested_at: UnixTime,
    ) -> Result<AccessToken, ResponseError> {
        let token = self
            .text("access_token")
            .ok_or_else(|| self.unusable("`access_token` is missing or not a string"))?;
        match self.members.given("token_type").and_then(Value::as_str) {
            Some(kind) if kind.eq_ignore_ascii_case("bearer") => {}
            Some(_) => return Err(self.unusable("`token_type` is not Bearer")),
            None => return Err(self.unusable("`token_type` is missing or not a string")),
        }
        if !is_for(&token, target) {
            return Err(self.unusable(format!("the access token is not for {target}")));
        }
        Ok(AccessToken {
            token,
            scopes: self.scopes(requested_scopes)?.into(),
            issued_at: requested_at,
            expires_at: requested_at.plus(lifetime(self.members.given("expires_in"))),
            last_used: requested_at,
        })
    }

    /// The meaning of an absent `scope` where the server grants less than was requested without saying so, as
    /// Logto does to applications: the scopes in the token itself if it is a JWT, otherwise `requested`.
    pub(crate) fn scopes_in_token(&self, requested: &BTreeSet<String>) -> BTreeSet<String> {
        let token = self.text("access_token");
        match token.and_then(|token| jwt::unverified_claims(token.expose()).ok()) {
            Some(claims) => split(
                claims
                    .get("scope")
                    .and_then(Value::as_str)
                    .unwrap_or_default(),
            ),
            None => requested.clone(),
        }
    }

    /// Absent or `null` means the requested scopes, empty means none.
    fn scopes(&self, requested: &BTreeSet<String>) -> Result<BTreeSet<String>, ResponseError> {
        match self.members.given("scope") {
            None => Ok(requested.clone()),
            Some(Value::String(scopes)) => Ok(split(scopes)),
            Some(_) => Err(self.unusable("`scope` is not a string")),
        }
    }

    fn text(&self, name: &str) -> Option<Secret> {
        self.members
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(Secret::from)
    }

    pub(crate) fn unusable(&self, problem: impl Into<String>) -> ResponseError {
        ResponseError {
            endpoint: Endpoint::Token,
            status: self.status,
            length: self.length,
            problem: problem.into(),
        }
    }
}

fn split(scopes: &str) -> BTreeSet<String> {
    scopes
        .split(' ')
        .filter(|scope| !scope.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The lifetime in `expires_in`. Absent or `null` means [`DEFAULT_LIFETIME`]. A value that is not a duration
/// means a token for a single use, never one without an expiry.
fn lifetime(expires_in: Option<&Value>) -> Duration {
    match expires_in {
        None => DEFAULT_LIFETIME,
        Some(value) => exchange::seconds(value)
            .map(|lifetime| Duration::from_secs(lifetime.as_secs()))
            .unwrap_or_default()
            .min(MAX_LIFETIME),
    }
}

/// Whether a token can be used for `target`: a JWT must name it in `aud`; an opaque token cannot.
fn is_for(token: &Secret, target: &TokenTarget) -> bool {
    let audience = match (target.resource_indicator(), target.organization_id()) {
        (Some(resource), _) => resource.to_owned(),
        (None, Some(organization_id)) => organization_urn(organization_id),
        (None, None) => return true,
    };
    match jwt::unverified_claims(token.expose()) {
        Ok(claims) => match claims.get("aud") {
            Some(Value::String(one)) => *one == audience,
            Some(Value::Array(many)) => many.iter().any(|one| one.as_str() == Some(&audience)),
            _ => false,
        },
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn response(body: &Value) -> TokenResponse {
        let response = Response::builder()
            .header("content-type", "application/json")
            .body(Bytes::from(body.to_string()))
            .unwrap();
        TokenResponse::read(&response, UnixTime::from_secs(0)).unwrap()
    }

    fn lifetime_of(expires_in: &str) -> u64 {
        let value: Value = serde_json::from_str(expires_in).unwrap();
        lifetime(Some(&value)).as_secs()
    }

    #[test]
    fn c41_expires_in_is_never_for_ever() {
        assert_eq!(lifetime(None), DEFAULT_LIFETIME);
        let year = MAX_LIFETIME.as_secs();
        for (expires_in, expected) in [
            ("0", 0),
            ("3600", 3600),
            ("3599.9", 3599),
            (r#""3600""#, 3600),
            ("-1", 0),
            ("1e300", year),
            ("18446744073709551616", year),
            (r#""99999999999999999999999999""#, year),
            (r#""soon""#, 0),
            (r#""""#, 0),
            (r#""-1""#, 0),
            (r#""1e300""#, 0),
            (r#""NaN""#, 0),
            ("true", 0),
            ("{}", 0),
            ("[3600]", 0),
        ] {
            assert_eq!(lifetime_of(expires_in), expected, "{expires_in}");
        }
    }

    #[test]
    fn c41_c42_a_null_lifetime_and_a_null_scope_are_absent() {
        let body = json!({
            "access_token": "a", "token_type": "Bearer", "expires_in": null, "scope": null,
            "refresh_token": null, "id_token": null, "resource": null,
        });
        let requested = BTreeSet::from(["read".to_owned()]);
        let response = response(&body);
        let token = response
            .access_token(
                &TokenTarget::user_info(),
                &requested,
                UnixTime::from_secs(0),
            )
            .unwrap();
        assert_eq!(token.scopes, requested);
        assert_eq!(
            token.expires_at,
            UnixTime::from_secs(0).plus(DEFAULT_LIFETIME)
        );
        assert!(response.refresh_token().is_none());
        assert!(response.id_token().is_none());
    }

    #[test]
    fn c42_absent_scope_is_as_requested_and_empty_scope_is_none() {
        let requested = BTreeSet::from(["read".to_owned()]);
        let scopes = |scope: Value| {
            let mut body = json!({"access_token": "a", "token_type": "Bearer"});
            if !scope.is_null() {
                body["scope"] = scope;
            }
            response(&body)
                .access_token(
                    &TokenTarget::user_info(),
                    &requested,
                    UnixTime::from_secs(0),
                )
                .map(|token| token.scopes.iter().cloned().collect::<Vec<_>>())
        };
        assert_eq!(scopes(Value::Null).unwrap(), ["read"]);
        assert!(scopes(json!("")).unwrap().is_empty());
        assert_eq!(
            scopes(json!("read  write extra")).unwrap(),
            ["extra", "read", "write"]
        );
        assert!(scopes(json!(["read"])).is_err());
    }

    #[test]
    fn c40_access_token_and_token_type_are_strings_and_the_type_is_bearer() {
        let accept = |body: Value| {
            response(&body)
                .access_token(
                    &TokenTarget::user_info(),
                    &BTreeSet::new(),
                    UnixTime::from_secs(0),
                )
                .is_ok()
        };
        assert!(accept(json!({"access_token": "a", "token_type": "Bearer"})));
        assert!(accept(json!({"access_token": "a", "token_type": "bEARER"})));
        for refused in [
            json!({"token_type": "Bearer"}),
            json!({"access_token": "", "token_type": "Bearer"}),
            json!({"access_token": 1, "token_type": "Bearer"}),
            json!({"access_token": "a"}),
            json!({"access_token": "a", "token_type": null}),
            json!({"access_token": "a", "token_type": "DPoP"}),
            json!({"access_token": "a", "token_type": ["Bearer"]}),
        ] {
            assert!(!accept(refused.clone()), "{refused}");
        }
    }

    #[test]
    fn f12_an_empty_refresh_token_does_not_replace_a_good_one() {
        assert!(
            response(&json!({"refresh_token": ""}))
                .refresh_token()
                .is_none()
        );
        assert!(
            response(&json!({"refresh_token": null}))
                .refresh_token()
                .is_none()
        );
        assert!(response(&json!({})).refresh_token().is_none());
        assert_eq!(
            response(&json!({"refresh_token": "r"}))
                .refresh_token()
                .unwrap()
                .expose(),
            "r"
        );
    }
}
