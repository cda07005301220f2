//! `Retry-After` ([RFC 9110 section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)).

use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderMap, header};

use crate::time::UnixTime;

/// The longest wait that a server can impose.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// How long to wait from `now`, given in seconds or as a date; `None` if the value is invalid.
pub(crate) fn parse(headers: &HeaderMap, now: UnixTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        let seconds = date.duration_since(UNIX_EPOCH).ok()?.as_secs();
        UnixTime::from_secs(i64::try_from(seconds).ok()?).since(now)
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f16_seconds_dates_and_nonsense() {
        let now = UnixTime::from_secs(1_795_335_764); // Sun, 22 Nov 2026 08:22:44 GMT
        for (value, expected) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("1000000000", Some(3600)),
            ("99999999999999999999999", Some(3600)),
            ("Sun, 22 Nov 2026 08:22:54 GMT", Some(10)),
            ("Sun, 22 Nov 2020 08:22:54 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            assert_eq!(
                parse(&headers, now),
                expected.map(Duration::from_secs),
                "{value:?}"
            );
        }
        assert_eq!(parse(&HeaderMap::new(), now), None);
    }
}
