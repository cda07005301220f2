//! One-time tokens: a link with one, the magic link, signs in the user who received it by email.

use std::{collections::HashMap, time::Duration};

use crate::clock::Moment;

/// Logto's default lifetime.
const ONE_TIME_TOKEN_TTL: Duration = Duration::from_secs(600);

struct OneTimeToken {
    email: String,
    expires_at: Moment,
    consumed: bool,
}

/// Why a token signs nobody in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Invalid {
    NotFound,
    EmailMismatch,
    Expired,
    Consumed,
}

impl Invalid {
    /// Logto's error code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NotFound => "one_time_token.token_not_found",
            Self::EmailMismatch => "one_time_token.email_mismatch",
            Self::Expired => "one_time_token.token_expired",
            Self::Consumed => "one_time_token.token_consumed",
        }
    }

    /// What the page says.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::NotFound => "Token not found.",
            Self::EmailMismatch => "Email mismatch with given token.",
            Self::Expired => "The token is expired.",
            Self::Consumed => "The token has been consumed.",
        }
    }
}

/// By their values.
#[derive(Default)]
pub(crate) struct OneTimeTokens(HashMap<String, OneTimeToken>);

impl OneTimeTokens {
    pub(crate) fn insert(&mut self, value: String, email: String, now: Moment) {
        let token = OneTimeToken {
            email,
            expires_at: now.plus(ONE_TIME_TOKEN_TTL),
            consumed: false,
        };
        self.0.insert(value, token);
    }

    /// Whether the token is valid for this email address now, checked in Logto's order.
    pub(crate) fn check(&self, value: &str, email: &str, now: Moment) -> Result<(), Invalid> {
        let token = self.0.get(value).ok_or(Invalid::NotFound)?;
        if token.email != email {
            return Err(Invalid::EmailMismatch);
        }
        if token.expires_at <= now {
            return Err(Invalid::Expired);
        }
        if token.consumed {
            return Err(Invalid::Consumed);
        }
        Ok(())
    }

    /// Checks the token and uses it up.
    pub(crate) fn consume(&mut self, value: &str, email: &str, now: Moment) -> Result<(), Invalid> {
        self.check(value, email, now)?;
        if let Some(token) = self.0.get_mut(value) {
            token.consumed = true;
        }
        Ok(())
    }
}
