//! What is sealed into the `state` of a sign-in. The fuzzer chooses the plaintext, which is sealed with the right key,
//! and comes back in the browser that it names.

use crate::{
    Verdict,
    targets::web::{browser_cookie, callback, started_state},
};

/// The place of the browser's id in the plaintext, behind the format.
const BROWSER: std::ops::Range<usize> = 1..17;

/// Handles one input.
pub fn run(data: &[u8]) -> Verdict {
    let mut browser = [0; 16];
    if let Some(id) = data.get(BROWSER) {
        browser.copy_from_slice(id);
    }
    let response = callback(data, &browser_cookie(&browser));
    // Back to Logto, or to the page of the user: it was read.
    Verdict::accepted_if(response.status().is_redirection())
}

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    ["/", "/orders?page=2"].map(started_state).to_vec()
}
