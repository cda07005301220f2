#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod administer;
mod api_answers;
mod authorization_request;
mod authorize;
mod browser;
mod builder;
mod callback;
mod claims;
mod client_assertion;
mod client_auth;
mod clock;
mod context;
/// Names of the tenant that [`Logto::demo`] sets up.
pub mod demo;
mod devices;
mod endpoints;
mod error;
mod etag;
mod faults;
mod forge;
mod interactions;
mod journal;
mod json;
mod keys;
#[cfg(feature = "listen")]
mod listen;
mod logout_token;
mod logto;
mod model;
mod observe;
mod one_time_tokens;
mod page;
mod public_key;
mod random;
mod reply;
mod request;
mod rotation;
mod script;
mod store;
mod subject_tokens;
mod webhook;

pub use browser::{Browser, BrowserError, FormPost};
pub use builder::{BuildError, LogtoBuilder};
pub use clock::TestClock;
pub use faults::{Fault, Lost, Reply};
pub use journal::{Endpoint, RequestRecord};
pub use keys::{KeyError, KeyType, RsaKeys};
#[cfg(feature = "listen")]
pub use listen::{ListenError, Server};
pub use logout_token::LogoutToken;
pub use logto::Logto;
pub use model::{App, Organization, OrganizationRole, Resource, Role, User, UserConsentScopes};
pub use webhook::{Interaction, Webhook};
