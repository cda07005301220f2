//! Times as people say them.

use logto::UnixTime;

/// How long ago something happened.
pub(crate) fn ago(then: UnixTime, now: UnixTime) -> String {
    match now.since(then).as_secs() {
        0..5 => "just now".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

/// How long something is good for.
pub(crate) fn until(then: UnixTime, now: UnixTime) -> String {
    match then.since(now).as_secs() {
        0 => "expired".to_owned(),
        seconds => format!("in {}", span(seconds)),
    }
}

fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..60 => (seconds, "second"),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    match count {
        1 => format!("1 {unit}"),
        count => format!("{count} {unit}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_one_unit_and_in_words() {
        let now = UnixTime::from_secs(1_800_000_000);
        let at = |seconds: i64| UnixTime::from_secs(1_800_000_000 + seconds);
        for (seconds, expected) in [
            (-4, "just now"),
            (-5, "5 seconds ago"),
            (-60, "1 minute ago"),
            (-7_199, "1 hour ago"),
            (-172_800, "2 days ago"),
        ] {
            assert_eq!(ago(at(seconds), now), expected);
        }
        for (seconds, expected) in [
            (0, "expired"),
            (1, "in 1 second"),
            (3_599, "in 59 minutes"),
            (3_600, "in 1 hour"),
            (1_209_600, "in 14 days"),
        ] {
            assert_eq!(until(at(seconds), now), expected);
        }
    }
}
