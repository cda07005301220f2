//! Webhooks: verifying that a request comes from Logto
//! ([Logto's guide](https://docs.logto.io/developers/webhooks/secure-webhooks)), and whose sessions it ends.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use http::HeaderMap;
use serde_json::Value;
use sha2::Sha256;

use crate::{secret::Secret, time::UnixTime};

/// The header with the signature: the HMAC-SHA256 of the body, in hexadecimal digits.
const SIGNATURE_HEADER: &str = "logto-signature-sha-256";

/// Why a webhook request is refused. Respond with 401 and do nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// There is no signature, or there are several.
    #[error("the request does not have exactly one `{SIGNATURE_HEADER}` header")]
    Header,
    /// The signature does not match this body and key.
    #[error("the signature is wrong")]
    Signature,
    /// The body is signed, but is not a JSON object with the name of an event.
    #[error("the body is not the JSON of an event")]
    Body,
}

/// An event that should end the sessions of a user, and for which Logto sends no back-channel logout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountEvent {
    /// `User.SuspensionStatus.Updated`, when the user is suspended now.
    Suspended,
    /// `User.Deleted`.
    Deleted,
    /// The password changed: `PostResetPassword`, or `User.Data.Updated` by a route of Logto's APIs that
    /// ends in `/password`.
    PasswordChanged,
}

/// A user whose sessions should end. It is only created from a webhook with a valid signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountChange {
    event: AccountEvent,
    sub: String,
    at: UnixTime,
}

impl AccountChange {
    /// What happened.
    pub const fn event(&self) -> AccountEvent {
        self.event
    }

    /// The user's id, `sub`.
    pub fn sub(&self) -> &str {
        &self.sub
    }

    /// When it happened, by Logto's clock. A session that began later remains valid.
    pub const fn at(&self) -> UnixTime {
        self.at
    }
}

/// [Checks](verify) a webhook and returns the user whose sessions should end. `None` for all other events.
///
/// Set up the webhook in the Console with the events `User.Deleted`, `User.SuspensionStatus.Updated`,
/// `User.Data.Updated` and `PostResetPassword`. Handling an event twice does no harm.
///
/// # Errors
/// [`WebhookError`]
pub fn account_change(
    signing_key: &Secret,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Option<AccountChange>, WebhookError> {
    verify(signing_key, headers, body)?;
    let body: BTreeMap<String, Value> =
        serde_json::from_slice(body).map_err(|_| WebhookError::Body)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let within = |name: &str, member: &str| body.get(name).and_then(|value| value.get(member));
    let is_suspended = || within("data", "isSuspended") == Some(&Value::Bool(true));
    let route = || text("matchedRoute").or_else(|| text("path"));
    let event = match text("event").ok_or(WebhookError::Body)? {
        "User.Deleted" => AccountEvent::Deleted,
        "User.SuspensionStatus.Updated" if is_suspended() => AccountEvent::Suspended,
        "PostResetPassword" => AccountEvent::PasswordChanged,
        "User.Data.Updated" if route().is_some_and(|route| route.ends_with("/password")) => {
            AccountEvent::PasswordChanged
        }
        _ => return Ok(None),
    };
    // A deleted user has no data any more; the route names it.
    let sub = text("userId")
        .or_else(|| within("data", "id")?.as_str())
        .or_else(|| within("params", "userId")?.as_str());
    let at = text("createdAt").and_then(from_iso);
    match (sub, at) {
        (Some(sub), Some(at)) => Ok(Some(AccountChange {
            event,
            sub: sub.to_owned(),
            at,
        })),
        _ => Err(WebhookError::Body),
    }
}

/// A moment as JavaScript writes it, such as `2026-11-28T02:26:10.123Z`.
fn from_iso(text: &str) -> Option<UnixTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let time = time.split('.').next()?;
    let numbers = |text: &str, separator| -> Option<[i64; 3]> {
        let numbers: Option<Vec<i64>> = text
            .split(separator)
            .map(|digits| digits.parse::<u16>().ok().map(i64::from))
            .collect();
        numbers?.try_into().ok()
    };
    let ([year, month, day], [hour, minute, second]) = (numbers(date, '-')?, numbers(time, ':')?);
    let is_valid = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    // Years that begin in March: the leap day is the last one of each.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let seconds = (days + day_of_year - 719_468) * 86_400 + hour * 3_600 + minute * 60 + second;
    is_valid.then(|| UnixTime::from_secs(seconds))
}

/// Verifies that the signature in `headers` was made for `body` with the webhook's signing key.
///
/// `body` must be the bytes as received: JSON that was parsed and serialized again differs. A signature
/// contains no time, so anyone who saw a request can repeat it: make sure that handling an event twice does no
/// harm.
///
/// # Errors
/// [`WebhookError`]
pub fn verify(signing_key: &Secret, headers: &HeaderMap, body: &[u8]) -> Result<(), WebhookError> {
    let mut values = headers.get_all(SIGNATURE_HEADER).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(WebhookError::Header);
    };
    // Anyone can sign with an empty key, which a configuration may contain by mistake.
    if signing_key.expose().is_empty() {
        return Err(WebhookError::Signature);
    }
    let signature = from_hex(value.as_bytes()).ok_or(WebhookError::Signature)?;
    let mut hmac = Hmac::<Sha256>::new_from_slice(signing_key.expose().as_bytes())
        .map_err(|_| WebhookError::Signature)?;
    hmac.update(body);
    // Compares in constant time.
    hmac.verify_slice(&signature)
        .map_err(|_| WebhookError::Signature)
}

fn from_hex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    digits
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(value(high)? * 16 + value(low)?).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_javascript_writes_them() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T12:34:56Z", 951_827_696),
            ("2026-11-28T02:26:10.123Z", 1_795_832_770),
            ("2100-03-01T00:00:00.000Z", 4_107_542_400),
        ] {
            assert_eq!(from_iso(text), Some(UnixTime::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "Z",
            "2026-11-28",
            "2026-11-28T02:26:10",
            "2026-13-28T02:26:10Z",
            "2026-11-32T02:26:10Z",
            "2026-11-28T24:00:00Z",
            "2026-11-28T02:26Z",
            "-1-1-1T0:0:0Z",
            "99999-01-01T00:00:00Z",
        ] {
            assert_eq!(from_iso(text), None, "{text}");
        }
    }
}
