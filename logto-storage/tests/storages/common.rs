//! Shared by the tests of the storages.
#![allow(dead_code, reason = "no test file needs all of it")]

pub(crate) mod stores;
#[cfg(any(feature = "postgres", feature = "redis"))]
pub(crate) mod switch;

use logto_client::{
    entropy::{Entropy, EntropyError},
    seal::{KeyRing, SealKey},
    storage::Logout,
    web::cookies::{CookieCodec, CookieOptions},
};
use logto_core::{LogtoConfig, UnixTime};
use logto_storage::CookieStorage;
use url::Url;

pub(crate) const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

pub(crate) fn config(endpoint: &str, app_id: &str) -> LogtoConfig {
    LogtoConfig::builder(endpoint, app_id).build().unwrap()
}

pub(crate) fn codec(budget: usize) -> CookieCodec {
    let base_url = Url::parse("https://app.example.com").unwrap();
    CookieOptions::new(&base_url, "app")
        .budget(budget)
        .response_limit(65_536)
        .build()
        .unwrap()
}

pub(crate) fn ring(byte: u8) -> KeyRing {
    KeyRing::new(SealKey::new(&[byte; 32]))
}

/// A logout at [`NOW`].
pub(crate) fn logout(sid: Option<&str>, sub: Option<&str>) -> Logout {
    Logout {
        sid: sid.map(str::to_owned),
        sub: sub.map(str::to_owned),
        at: NOW,
    }
}

pub(crate) fn cookie_storage() -> CookieStorage {
    CookieStorage::new(
        ring(1),
        &config("https://tenant.logto.app", "app"),
        &codec(8_192),
    )
}

/// A source of randomness that is out of order.
#[derive(Debug)]
pub(crate) struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError("out of order".into()))
    }
}
