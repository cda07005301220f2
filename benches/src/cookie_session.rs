//! Read a session from the `Cookie` header of a request: is somebody signed in, what do the claims say,
//! and which token is there for the API?

use std::collections::BTreeMap;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use cookie::{Cookie, CookieJar};
use http::{HeaderMap, HeaderValue, header};
use logto_client::{
    Context, LogtoClient, LogtoConfig, TokenTarget,
    clock::Clock,
    core::{Session, UnixTime},
    seal::{KeyRing, SealKey},
    session::Cached,
    storage::SessionStorage,
    web::{LogtoWeb, cookies::CookieOptions},
};
use logto_storage::CookieStorage;
use logto_testkit::Logto;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    claims::{self, APP_ID, ISSUER, IdToken, NOW},
    contest::Contest,
    fixtures::{self, at_once},
    keys::{ALGORITHMS, Key},
};

/// The SDK's cookie session beside those made by hand and with the `cookie` crate.
pub fn contest() -> Contest {
    let session = Tokens::sample(2);
    let carried = session.carried();
    let header = carried[header::COOKIE].to_str().expect("ASCII").to_owned();
    let wanted = api(1);
    let (sealed, json_sealed) = (session.sealed_binary(), session.sealed_json());
    let (open, key, json_key) = (sealed.clone(), aes(), aes());
    let jar_key = cookie::Key::from(&[9; 64]);
    let jar_header = session.in_a_jar(&jar_key);
    let target = TokenTarget::resource(wanted.as_str());
    let read = |storage: CookieStorage, asks_for_claims: bool| {
        let (web, headers, target) = (web_with(storage), carried.clone(), target.clone());
        move || {
            let session = at_once(web.read_only_session(&headers))
                .expect("readable")
                .expect("signed in");
            let sub = asks_for_claims.then(|| session.claims().sub.len());
            let Cached::Valid(token) = session.access_token(&target) else {
                unreachable!("it is there")
            };
            (sub, token)
        }
    };
    let (by_hand, by_hand_json, in_jar) = (wanted.clone(), wanted.clone(), wanted);
    Contest::new(format!(
        "Session from a Cookie header of {} bytes",
        header.len()
    ))
    .enter("limit: AES-256-GCM, open only", {
        let key = aes();
        move || open_sealed(&key, &open)
    })
    .enter(
        "by hand: SIMD base64, AES-256-GCM, binary, ID token not decoded",
        {
            let header = format!(
                "theme=dark; session={}",
                base64_simd::URL_SAFE_NO_PAD.encode_to_string(&sealed)
            );
            move || {
                let record = opened(&key, &header);
                let tokens: Borrowed<'_> = postcard::from_bytes(&record).expect("the session");
                assert!(NOW < tokens.exp);
                tokens
                    .access_tokens
                    .get(by_hand.as_str())
                    .expect("a token")
                    .to_string()
            }
        },
    )
    .enter("by hand: SIMD base64, AES-256-GCM, JSON, claims decoded", {
        let header = format!(
            "theme=dark; session={}",
            base64_simd::URL_SAFE_NO_PAD.encode_to_string(&json_sealed)
        );
        move || {
            let record = opened(&json_key, &header);
            let tokens: Borrowed<'_> = serde_json::from_slice(&record).expect("the session");
            assert!(NOW < tokens.exp);
            let token = tokens
                .access_tokens
                .get(by_hand_json.as_str())
                .expect("a token")
                .to_string();
            (claims_of(tokens.id_token), token)
        }
    })
    .enter("logto, seen before", read(storage(), true))
    .enter(
        "logto, at first sight, ID token not decoded",
        read(storage().keep_opened(0), false),
    )
    .enter(
        "logto, at first sight",
        read(storage().keep_opened(0), true),
    )
    .enter("cookie PrivateJar, serde_json, claims decoded", move || {
        let mut jar = CookieJar::new();
        for cookie in Cookie::split_parse(jar_header.clone()) {
            jar.add_original(cookie.expect("a cookie"));
        }
        let cookie = jar.private(&jar_key).get("session").expect("sealed by us");
        let tokens: Tokens = serde_json::from_str(cookie.value()).expect("the session");
        assert!(NOW < tokens.exp);
        (
            claims_of(&tokens.id_token),
            tokens.access_tokens[&in_jar].clone(),
        )
    })
}

/// What a session holds, in the simplest form.
#[derive(Clone, Serialize, Deserialize)]
pub struct Tokens {
    id_token: String,
    refresh_token: String,
    access_tokens: BTreeMap<String, String>,
    exp: i64,
}

#[derive(Deserialize)]
struct Borrowed<'a> {
    id_token: &'a str,
    #[expect(dead_code, reason = "read and not used here")]
    refresh_token: &'a str,
    #[serde(borrow)]
    access_tokens: BTreeMap<&'a str, &'a str>,
    exp: i64,
}

impl Tokens {
    /// An ID token of some organizations, a refresh token and three access tokens of a kibibyte.
    pub fn sample(organizations: usize) -> Self {
        let key = Key::generate(ALGORITHMS[0]);
        let access_token = |i: usize| {
            let mut claims = claims::access_token(ISSUER, NOW, &"lorem ipsum dolor ".repeat(17));
            claims["aud"] = api(i).into();
            (api(i), key.sign(Some("at+jwt"), &claims))
        };
        Self {
            id_token: key.sign(None, &claims::id_token(NOW, organizations)),
            refresh_token: "mLdQ7cXFxkEvC0vT3w2u5QGqJf0yWn5kq7Wm1vS2x9Y".to_owned(),
            access_tokens: (0..3).map(access_token).collect(),
            exp: NOW + 3_600,
        }
    }

    /// The same as a session of the SDK.
    pub fn session(&self) -> Session {
        self.session_with(self.access_tokens.len())
    }

    /// The same with some of the access tokens.
    pub fn session_with(&self, access_tokens: usize) -> Session {
        let access_tokens: Vec<Value> = self
            .access_tokens
            .iter()
            .take(access_tokens)
            .map(|(api, token)| {
                let scopes = ["read:products", "write:products"];
                json!([{ "resource": api }, {
                    "token": token, "scopes": scopes, "issued_at": NOW, "expires_at": self.exp, "last_used": NOW,
                }])
            })
            .collect();
        let scopes = [
            "openid",
            "offline_access",
            "profile",
            "email",
            "urn:logto:scope:organizations",
        ];
        let session = json!({
            "id": vec![1; 16],
            "id_token": self.id_token,
            "refresh_token": self.refresh_token,
            "access_tokens": access_tokens,
            "requested_scopes": scopes,
            "requested_resources": self.access_tokens.keys().collect::<Vec<_>>(),
            "granted_scopes": scopes,
            "began_at": NOW,
            "created_at": NOW,
            "changed_at": NOW,
        });
        serde_json::from_value(session).expect("a session")
    }

    /// The headers of a request that carries the session in the SDK's cookies.
    pub fn carried(&self) -> HeaderMap {
        let (storage, codec) = (storage(), cookie_options().build().expect("cookies"));
        let (handle, _) =
            at_once(storage.create(&self.session(), UnixTime::from_secs(NOW))).expect("it fits");
        let written = codec.write(&codec.read(&HeaderMap::new()), &handle, 0);
        let set_cookies = written.expect("it fits").set_cookies;
        let mut header = "theme=dark".to_owned();
        for cookie in &set_cookies {
            let cookie = cookie.to_str().expect("ASCII");
            header.push_str("; ");
            header.push_str(cookie.split(';').next().unwrap_or_default());
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            HeaderValue::from_str(&header).expect("ASCII"),
        );
        headers
    }

    fn in_a_jar(&self, key: &cookie::Key) -> String {
        let mut jar = CookieJar::new();
        let value = serde_json::to_string(self).expect("JSON");
        jar.private_mut(key).add(Cookie::new("session", value));
        format!(
            "theme=dark; {}",
            jar.get("session").expect("just added").stripped()
        )
    }

    fn sealed_binary(&self) -> Vec<u8> {
        sealed(postcard::to_allocvec(self).expect("bytes"))
    }

    fn sealed_json(&self) -> Vec<u8> {
        sealed(serde_json::to_vec(self).expect("JSON"))
    }
}

/// The routes of an application that keeps its sessions in cookies, at the time of the tokens.
pub fn web(_: &Tokens) -> LogtoWeb {
    web_with(storage())
}

fn web_with(storage: CookieStorage) -> LogtoWeb {
    let logto = Logto::demo().build().expect("a tenant");
    let context = Context::new(fixtures::http(&logto)).clock(Then);
    let client = LogtoClient::builder(config(), context, storage)
        .build()
        .expect("a client");
    let cookies = cookie_options().build().expect("cookies");
    LogtoWeb::new(client, cookies, KeyRing::new(SealKey::new(&[7; 32])))
}

/// The time of the tokens.
#[derive(Debug)]
pub struct Then;

impl Then {
    /// What it says.
    pub const NOW: UnixTime = UnixTime::from_secs(NOW);
}

impl Clock for Then {
    fn now(&self) -> UnixTime {
        Self::NOW
    }

    fn monotonic(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

fn api(i: usize) -> String {
    format!("{}/{i}", claims::API)
}

fn config() -> LogtoConfig {
    LogtoConfig::builder("https://tenant.logto.app", APP_ID)
        .app_secret("secret")
        .base_url("https://app.example.com")
        .build()
        .expect("a configuration")
}

fn cookie_options() -> CookieOptions {
    CookieOptions::new(config().base_url().expect("set above"), APP_ID)
        .budget(65_536)
        .response_limit(65_536)
}

fn storage() -> CookieStorage {
    let codec = cookie_options().build().expect("cookies");
    CookieStorage::new(KeyRing::new(SealKey::new(&[7; 32])), &config(), &codec)
}

fn aes() -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[3; 32]).expect("a key"))
}

fn sealed(mut plain: Vec<u8>) -> Vec<u8> {
    let nonce = [5; NONCE_LEN];
    aes()
        .seal_in_place_append_tag(Nonce::from(&nonce), Aad::from(b"session"), &mut plain)
        .expect("sealed");
    [&nonce[..], &plain].concat()
}

fn open_sealed(key: &LessSafeKey, sealed: &[u8]) -> Vec<u8> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().expect("a nonce");
    let mut body = body.to_vec();
    let len = key
        .open_in_place(Nonce::from(nonce), Aad::from(b"session"), &mut body)
        .expect("sealed by us")
        .len();
    body.truncate(len);
    body
}

/// The bytes behind the cookie `session`.
fn opened(key: &LessSafeKey, header: &str) -> Vec<u8> {
    let value = header
        .split("; ")
        .find_map(|pair| pair.strip_prefix("session="))
        .expect("the cookie");
    let sealed = base64_simd::URL_SAFE_NO_PAD
        .decode_to_vec(value)
        .expect("base64url");
    open_sealed(key, &sealed)
}

fn claims_of(id_token: &str) -> IdToken {
    let payload = id_token.split('.').nth(1).expect("a JWT");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("claims")
}
