//! The grants of the token endpoint: one exchange each.

mod authorization_code;
mod refresh_token;
mod response;

pub use authorization_code::{RedeemCode, RedeemedTokens};
pub use refresh_token::{RefreshTokens, Refreshed};
pub(crate) use response::TokenResponse;
