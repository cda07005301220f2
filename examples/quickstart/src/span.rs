//! Times as people say them.

use logto::UnixTime;

/// How long ago something happened.
pub fn ago(then: UnixTime, now: UnixTime) -> String {
    match now.since(then).as_secs() {
        0..5 => "just now".to_owned(),
        seconds => format!("{} ago", span(seconds)),
    }
}

/// How long something is good for.
pub fn until(then: UnixTime, now: UnixTime) -> String {
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
