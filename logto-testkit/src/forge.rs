//! Tokens that Logto would never issue.

use serde_json::{Map, Value};

use crate::{keys::KeyError, logto::Logto};

impl Logto {
    /// A token with any content, signed by the provider's current key: for tests of how an application or an
    /// API treats tokens that are validly signed but wrong.
    ///
    /// The header has the `alg` and `kid` of the key, changed and completed by `header`; a `null` removes a
    /// member.
    ///
    /// ```
    /// # use logto_testkit::Logto;
    /// # use serde_json::json;
    /// # let logto = Logto::demo().build()?;
    /// let claims = json!({"iss": logto.issuer(), "aud": "https://other.example.com/api"});
    /// let token = logto.sign_token(json!({"typ": "at+jwt"}), &claims)?;
    /// assert_eq!(token.split('.').count(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the cryptography library cannot sign.
    pub fn sign_token(&self, header: Value, claims: &Value) -> Result<String, KeyError> {
        let state = self.state();
        let (alg, kid) = state.keys.current();
        let mut members = Map::from_iter([
            ("alg".to_owned(), alg.into()),
            ("kid".to_owned(), kid.into()),
        ]);
        if let Value::Object(changes) = header {
            members.extend(changes);
        }
        members.retain(|_, value| !value.is_null());
        let header = Value::Object(members).to_string();
        state.keys.sign_text(&header, &claims.to_string())
    }
}
