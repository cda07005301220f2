//! The grants of the token endpoint, one exchange each.

mod authorization_code;
mod client_credentials;
mod refresh_token;
mod response;
mod token_exchange;

use std::borrow::Cow;

pub use authorization_code::{RedeemCode, UnverifiedTokens};
pub use client_credentials::ClientCredentials;
pub use refresh_token::{RefreshTokens, Refreshed};
pub(crate) use response::TokenResponse;
pub use token_exchange::{ExchangeToken, TypedToken};

use crate::tokens::TokenTarget;

/// The parameters for the target of a token.
fn target_parameters(target: &TokenTarget) -> Vec<(&'static str, Cow<'_, str>)> {
    let scopes: Vec<&str> = target.scopes().iter().map(String::as_str).collect();
    [
        ("resource", target.resource_indicator().map(Cow::from)),
        ("organization_id", target.organization_id().map(Cow::from)),
        (
            "scope",
            (!scopes.is_empty()).then(|| scopes.join(" ").into()),
        ),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}
