//! What an authorization request is checked for and leads to, whichever way it came: through the
//! authorization endpoint, pushed before, or from a device. The pages decide by the same rules.

pub(crate) mod consent;
pub(crate) mod grant;
pub(crate) mod one_time_token;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod session;
