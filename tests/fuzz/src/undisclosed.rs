//! Nothing shows a token.

use std::fmt::Debug;

/// Shorter texts, and texts that are names, stand in `Debug` by chance.
const MIN_LEN: usize = 12;

/// Panics if the `Debug` of `value` has `secret` in it.
///
/// A secret that stands elsewhere in the input too is no secret: what is shown may be the other one.
pub(crate) fn assert_undisclosed(value: &impl Debug, secret: &str, input: &[u8]) {
    let is_secret = secret.len() >= MIN_LEN
        && secret.bytes().any(|byte| byte.is_ascii_digit())
        && secret.bytes().any(|byte| byte.is_ascii_alphabetic());
    if is_secret && String::from_utf8_lossy(input).matches(secret).count() <= 1 {
        let shown = format!("{value:?}");
        assert!(!shown.contains(secret), "Debug shows a token: {shown}");
    }
}
