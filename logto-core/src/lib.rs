//! The sans-IO core of the Logto SDK for Rust: OpenID Connect as Logto speaks it, as values.
//!
//! Nothing in here opens a socket, reads a clock or generates randomness. A protocol step is an
//! [`Exchange`]: a request to send, and the meaning of its response. A job of several steps is a
//! [`Machine`], or a [`SessionJob`](refresh::SessionJob) if it reads and stores a session. The caller,
//! usually `logto-client`, sends the requests and stores the sessions.
//!
//! | to | start with |
//! |---|---|
//! | configure an application | [`LogtoConfig`] |
//! | find the provider's endpoints and keys | [`Discover`](discovery::Discover), [`FetchKeys`](discovery::FetchKeys) |
//! | sign a user in | [`SignIn`], [`PendingSignIn`](sign_in::PendingSignIn), [`CompleteSignIn`](sign_in::CompleteSignIn) |
//! | keep the request out of the URL | [`SignIn::start_pushed`], [`PushAuthorization`](pushed_authorization::PushAuthorization) |
//! | sign in on a device without a browser | [`DeviceSignIn`](sign_in::DeviceSignIn), [`CompleteSignIn`](sign_in::CompleteSignIn) |
//! | let a portal start the sign-in | [`ThirdPartyLogin`](third_party_login::ThirdPartyLogin) |
//! | know the user | [`Session::claims`], [`FetchUserInfo`](user_info::FetchUserInfo) |
//! | get access tokens | [`TokenTarget`], [`Session::usable_token`], [`Refresh`](refresh::Refresh) |
//! | act for the application itself | [`ClientCredentials`](grants::ClientCredentials) |
//! | act for a user who is absent | [`ExchangeToken`](grants::ExchangeToken) |
//! | prove who the application is without a secret | [`client_assertion`] |
//! | protect an API | [`bearer`], [`AccessTokenVerification`](api_token::AccessTokenVerification), [`Introspect`](introspection::Introspect) |
//! | sign the user out | [`SignOut`](sign_out::SignOut), [`RevokeRefreshToken`](revocation::RevokeRefreshToken) |
//! | receive back-channel logouts | [`LogoutTokenVerification`](logout_token::LogoutTokenVerification) |
//! | call Logto's own APIs | [`AccountApi`](logto_api::AccountApi), [`ManagementApi`](logto_api::ManagementApi) |
//! | receive webhooks | [`webhook`] |
//!
//! # A sign-in, driven by hand
//!
//! ```
//! # use logto_core::{error::NoResponse, sign_in::*, metadata::*, jwt::*, *};
//! # use std::sync::Arc;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "aws-lc")] {
//! # let document = serde_json::json!({
//! #     "issuer": "https://tenant.logto.app/oidc",
//! #     "authorization_endpoint": "https://tenant.logto.app/oidc/auth",
//! #     "token_endpoint": "https://tenant.logto.app/oidc/token",
//! #     "jwks_uri": "https://tenant.logto.app/oidc/jwks",
//! #     "authorization_response_iss_parameter_supported": true,
//! # });
//! # let serde_json::Value::Object(document) = document else { return Ok(()) };
//! # let (random, now) = ([7; SIGN_IN_RANDOM_BYTES], UnixTime::from_secs(1_795_335_764));
//! # let send = |_: http::Request<bytes::Bytes>| http::Response::builder().status(503).body(bytes::Bytes::new());
//! let config = LogtoConfig::builder("https://tenant.logto.app", "app-id")
//!     .app_secret("app-secret")
//!     .base_url("https://shop.example.com")
//!     .build()?;
//! let metadata = ProviderMetadata::from_document(&config, document)?;
//!
//! // `random` comes from the operating system, `now` from the clock.
//! let (url, pending) = SignIn::new().return_to("/orders").start(&config, &metadata, &random, now)?;
//! // The browser goes to `url` and comes back with a query; `pending` waited in a sealed cookie.
//! # let query = format!("code=abc&state={}&iss=https%3A%2F%2Ftenant.logto.app%2Foidc", pending.state().expose());
//! let callback = Callback::from_query(&query)?;
//! let resumed = pending.resume(callback, &config, &metadata, now)?;
//!
//! let keys = ProviderKeys::new(None, Arc::new(AwsLcVerifier));
//! let mut machine = CompleteSignIn::new(&config, &metadata, resumed, keys);
//! let signed_in = loop {
//!     match machine.poll(now) {
//!         Step::Send { request, .. } => match send(request) {
//!             Ok(response) => machine.handle(response, now),
//!             Err(_) => machine.handle_failure(NoResponse::Lost, now),
//!         },
//!         Step::Wait(pause) => std::thread::sleep(pause),
//!         Step::Done(output) => break output,
//!     }
//! };
//! match signed_in {
//!     Ok(signed_in) => println!("hello {}", signed_in.session.claims().sub),
//!     Err(incomplete) => println!("{incomplete}: {:?}", incomplete.remedy),
//! }
//! # }
//! # Ok(()) }
//! ```
//!
//! The [`refresh`] module has the same for a refresh.
//!
//! # HTTP
//!
//! If the application authenticates with signed assertions, pass each request through
//! [`client_authentication::authenticate`] first; otherwise send it unchanged. Do not follow redirects. Pass
//! every response to the exchange, whatever its status. Stop reading a body, after decompression, at
//! [`exchange::MAX_BODY`]. Give up after a total timeout. Never blindly repeat a request to the token endpoint
//! whose response was lost: the code or refresh token in it may have been spent.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `aws-lc` | yes | `AwsLcVerifier` and `AwsLcSigner`: fast, native targets |
//! | `rust-crypto` | no | `RustCryptoVerifier`: no C, WebAssembly |

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod api_token;
pub mod bearer;
pub mod claims;
pub mod client_assertion;
pub mod client_authentication;
pub mod config;
pub mod discovery;
pub mod error;
pub mod exchange;
pub mod freshness;
pub mod grants;
pub mod id_token;
pub mod introspection;
pub mod jwt;
pub mod logout_token;
pub mod logto_api;
pub mod metadata;
pub mod pushed_authorization;
pub mod refresh;
pub mod revocation;
pub mod session;
pub mod sign_in;
pub mod sign_out;
pub mod third_party_login;
pub mod tokens;
pub mod user_info;
pub mod vocabulary;
pub mod webhook;

mod json;
mod retry_after;
mod secret;
mod time;

pub use self::{
    config::LogtoConfig,
    error::Error,
    exchange::{Exchange, Machine, Step},
    secret::Secret,
    session::Session,
    sign_in::SignIn,
    time::UnixTime,
    tokens::{AccessToken, TokenTarget},
};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
