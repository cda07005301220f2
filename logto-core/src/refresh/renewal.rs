//! When to spend an unused refresh token.

use std::time::Duration;

use crate::{session::Session, time::UnixTime};

/// The default lifetime of refresh tokens at Logto: 14 days. The Console has a setting for each application.
pub const REFRESH_TOKEN_LIFETIME: Duration = Duration::from_secs(14 * 24 * 3600);

/// Whether the session's refresh token should be spent at `now` although no token is needed, so that it does
/// not expire. `lifetime` is how long refresh tokens live.
///
/// Logto replaces a refresh token that is used past 70 % of its life, and earlier use prolongs nothing. So
/// that is when it is spent. If it was not replaced then, because tokens live longer than `lifetime` or are never
/// replaced, that is repeated at most every fourteenth of `lifetime`: once a day with the default.
pub fn is_renewal_due(session: &Session, lifetime: Duration, now: UnixTime) -> bool {
    // An older release did not record when the token was issued: it may have any age.
    let issued_at = session.refresh_token_issued_at();
    if issued_at.is_some_and(|at| now.since(at) < lifetime / 10 * 7) {
        return false;
    }
    let fetched = session
        .access_tokens()
        .values()
        .map(|token| token.issued_at);
    let used_at = fetched.fold(session.changed_at(), UnixTime::max);
    session.refresh_token().is_some() && now.since(used_at) >= lifetime / 14
}
