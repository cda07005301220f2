//! Claims as a page shows them.

#![allow(clippy::unwrap_used)]

use askama::Template;
use logto::UnixTime;
use quickstart::{
    claims::ClaimsTable,
    span::{ago, until},
};
use serde_json::json;

#[test]
fn claims_are_shown_so_that_they_can_be_read() {
    let now = UnixTime::from_secs(1_800_000_000);
    let claims = json!({
        "custom_data": { "plan": "free", "seats": [1, 2] },
        "email": "alice@example.com",
        "exp": 1_800_003_600,
        "roles": ["admin", "<b>"],
        "updated_at": 1_799_999_940_000_i64,
    });
    let claims = claims.as_object().unwrap().clone();
    let table = ClaimsTable::new("claims", claims, now);
    let html = table.render().unwrap();
    let rows = html.split("<th scope=\"row\">").skip(1);
    let names: Vec<&str> = rows.map(|row| row.split('<').next().unwrap()).collect();
    let (first, rest) = html.split_once("<details>").unwrap();
    assert_eq!(
        names,
        ["email", "roles", "custom_data", "exp", "updated_at"]
    );
    assert!(first.contains(">roles<") && rest.contains(">custom_data<"));
    for shown in [
        "{&#34;plan&#34;: &#34;free&#34;, &#34;seats&#34;: [1, 2]}",
        "<span title=\"1800003600\">in 1 hour</span>",
        ">1 minute ago<",
        "<code>admin</code>",
        "<code>&#60;b&#62;</code>",
        "3 more claims",
    ] {
        assert!(html.contains(shown), "{shown}\n{html}");
    }
}

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
