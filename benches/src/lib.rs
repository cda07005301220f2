//! What the SDK does for every request, beside what its peers need for the same.
//!
//! A [`Contest`](contest::Contest) puts all who do one job side by side; each module makes some. The first
//! contender is the limit: the cheapest thing that could possibly do the job.

pub mod actix;
pub mod claims;
pub mod contest;
pub mod cookie_session;
pub mod first_sight;
pub mod fixtures;
pub mod growth;
pub mod keys;
pub mod request;
pub mod seen_again;
pub mod sign_in_url;
pub mod stores;

use contest::Contest;

/// Every contest.
pub fn all() -> Vec<Contest> {
    let mut contests = first_sight::contests();
    contests.push(seen_again::contest());
    contests.push(cookie_session::contest());
    contests.push(request::contest());
    contests.push(sign_in_url::contest());
    contests
}

/// The contests and contenders that the command line names: a part of a title, and a part of a name.
pub fn chosen() -> Vec<Contest> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|one| !one.starts_with('-'))
        .collect();
    let part = |place: usize| arguments.get(place).map_or("", String::as_str);
    let mut contests = all();
    contests.retain(|contest| contest.title().contains(part(0)));
    let contests = contests.into_iter();
    contests.map(|contest| contest.only(part(1))).collect()
}
