//! Exchanges with the token endpoint and arbitrary responses.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use http::Response;
use logto_core::{
    Error, Exchange, LogtoConfig, Machine, Secret, TokenTarget,
    grants::{RefreshTokens, Refreshed},
    jwt::AwsLcVerifier,
    sign_in::{CompleteSignIn, ProviderKeys},
};

use super::provider::{self, NOW, config, done, metadata, sent};

pub fn scopes<const N: usize>(scopes: [&str; N]) -> BTreeSet<String> {
    scopes.map(str::to_owned).into()
}

pub fn refresh(config: &LogtoConfig, target: TokenTarget) -> RefreshTokens {
    let refresh_token = Secret::from("old-refresh-token");
    let asked_for = scopes(["openid", "read:products"]);
    RefreshTokens::new(config, &metadata(), refresh_token, target, &asked_for, NOW)
}

pub fn refreshed(response: Response<Bytes>) -> Result<Refreshed, Error> {
    refresh(&config(), TokenTarget::user_info()).accept(response, NOW)
}

pub fn redeem() -> CompleteSignIn {
    let (config, metadata) = (config(), metadata());
    let record = provider::pending_record(&config);
    let resumed = provider::resumed(record, &config, &metadata, "the-code");
    let keys = ProviderKeys::new(None, Arc::new(AwsLcVerifier));
    CompleteSignIn::new(&config, &metadata, resumed, keys)
}

/// How a machine ends when the token endpoint answers like this.
pub fn redeemed(response: Response<Bytes>) -> Error {
    let mut machine = redeem();
    sent(&mut machine);
    machine.handle(response, NOW);
    done(&mut machine).unwrap_err().error
}
