//! Sessions to test with, the size of real ones.

use base64_simd::URL_SAFE_NO_PAD;
use logto_core::{Session, UnixTime};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const ISSUER: &str = "https://tenant.logto.app/oidc";
const APP_ID: &str = "n6yl7nlozwh5s4aj3kzsb";
const RESOURCE: &str = "https://api.example.com";
const SCOPES: &[&str] = &[
    "email",
    "offline_access",
    "openid",
    "profile",
    "urn:logto:scope:organization_roles",
    "urn:logto:scope:organizations",
];

/// A made-up session. Its tokens have the form and the size of Logto's. Their signatures are invalid. The
/// same sample gives the same session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Distinguishes samples: the id of the session and its tokens depend on it.
    pub id: u8,
    /// The user's id, `sub`.
    pub subject: String,
    /// The session at the provider, `sid`.
    pub provider_session: Option<String>,
    /// The refresh token.
    pub refresh_token: Option<String>,
    /// How many access tokens there are: the opaque one first, then JWTs for organizations, each used
    /// a second later than the one before and good for an hour.
    pub access_tokens: usize,
    /// How many organizations the ID token lists, with a role in each.
    pub organizations: usize,
    /// The data of the application.
    pub data: Option<Value>,
    /// When the user signed in, by all clocks.
    pub created_at: UnixTime,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            id: 0,
            subject: "3xd0sv4gw2qm".to_owned(),
            provider_session: Some("HNDPMfB0Rk6xwqBVnTnq9".to_owned()),
            refresh_token: Some(random_text("refresh token", 0, 43)),
            access_tokens: 1,
            organizations: 2,
            data: None,
            created_at: UnixTime::from_secs(1_800_000_000),
        }
    }
}

impl Sample {
    /// The session.
    ///
    /// # Errors
    /// If sessions are no longer read from the form this writes.
    pub fn build(&self) -> Result<Session, serde_json::Error> {
        let session = json!({
            "id": vec![self.id; 16],
            "id_token": self.id_token(),
            "refresh_token": self.refresh_token,
            "access_tokens": (0..self.access_tokens).map(|i| self.access_token(i)).collect::<Vec<_>>(),
            "requested_scopes": SCOPES,
            "requested_resources": [RESOURCE],
            "granted_scopes": SCOPES,
            "data": self.data.as_ref().map(Value::to_string),
            "began_at": self.created_at,
            "created_at": self.created_at,
            "changed_at": self.created_at,
        });
        serde_json::from_value(session)
    }

    fn id_token(&self) -> String {
        let organizations: Vec<String> = (0..self.organizations).map(organization_id).collect();
        let roles: Vec<String> = organizations
            .iter()
            .map(|id| format!("{id}:member"))
            .collect();
        let mut claims = json!({
            "iss": ISSUER,
            "sub": self.subject,
            "aud": APP_ID,
            "iat": self.created_at.as_secs(),
            "exp": self.created_at.as_secs().saturating_add(3_600),
            "nonce": random_text("nonce", self.id.into(), 43),
            "name": "Alice Example",
            "picture": "https://example.com/pictures/alice.png",
            "username": "alice",
            "email": "alice@example.com",
            "email_verified": true,
            "roles": ["customer"],
            "organizations": organizations,
            "organization_roles": roles,
        });
        if let (Some(claims), Some(sid)) = (claims.as_object_mut(), &self.provider_session) {
            claims.insert("sid".to_owned(), Value::from(sid.as_str()));
        }
        self.jwt("ID token", 0, &claims)
    }

    fn access_token(&self, index: usize) -> Value {
        let opaque = index == 0;
        let organization = organization_id(index);
        let issued_at = self.created_at.as_secs();
        let expires_at = issued_at.saturating_add(3_600);
        let token = if opaque {
            random_text("access token", self.id.into(), 43)
        } else {
            let claims = json!({
                "iss": ISSUER,
                "sub": self.subject,
                "aud": format!("urn:logto:organization:{organization}"),
                "client_id": APP_ID,
                "jti": random_text("jti", index, 21),
                "scope": "read:documents write:documents invite:member",
                "iat": issued_at,
                "exp": expires_at,
            });
            self.jwt("access token", index, &claims)
        };
        let scopes: &[&str] = if opaque {
            SCOPES
        } else {
            &["invite:member", "read:documents", "write:documents"]
        };
        json!([
            { "organization_id": if opaque { Value::Null } else { organization.into() } },
            {
                "token": token,
                "scopes": scopes,
                "issued_at": issued_at,
                "expires_at": expires_at,
                "last_used": issued_at.saturating_add(i64::try_from(index).unwrap_or(i64::MAX)),
            },
        ])
    }

    fn jwt(&self, what: &str, index: usize, claims: &Value) -> String {
        let header = json!({ "alg": "ES384", "typ": "JWT", "kid": random_text("kid", 0, 43) });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode_to_string(value.to_string());
        // 96 bytes: a signature by ES384.
        let signature = random_text(&format!("{what} {}", self.id), index, 128);
        format!("{}.{}.{signature}", encode(&header), encode(claims))
    }
}

/// Twelve letters and digits, as Logto's ids of organizations.
fn organization_id(index: usize) -> String {
    let text = random_text("organization", index, 40).to_ascii_lowercase();
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .take(12)
        .collect()
}

/// Deterministic text that looks random.
fn random_text(what: &str, index: usize, length: usize) -> String {
    let blocks =
        (0..length.div_ceil(32)).map(|block| Sha256::digest(format!("{what} {index} {block}")));
    let bytes: Vec<u8> = blocks.flatten().collect();
    let mut text = URL_SAFE_NO_PAD.encode_to_string(bytes);
    text.truncate(length);
    text
}
