//! Requests of browsers, of other sites, and of Logto.

use super::PREVIEW;
use crate::input::joined;

/// What the fuzzer begins with.
pub fn seeds() -> Vec<Vec<u8>> {
    let iss = "iss=https%3A%2F%2Ftenant.logto.app%2Foidc";
    let form = "content-type: application/x-www-form-urlencoded";
    let own = "sec-fetch-site: same-origin\tsec-fetch-mode: navigate\tsec-fetch-dest: document";
    let callback = format!("GET /callback?code=the-code-1&state={{state}}&{iss}");
    let cancelled = format!("GET /callback?error=access_denied&state={{state}}&{iss}");
    let posted = format!("code=the-code-1&state={{state}}&{iss}");
    let at_preview = format!("host: {PREVIEW}");
    let previewed = format!("GET /callback?code=the-code-1&state={{preview}}&{iss}");
    let previewed_absolutely =
        format!("GET https://{PREVIEW}/callback?code=the-code-1&state={{preview}}&{iss}");
    [
        [
            "GET /sign-in?return_to=%2Forders&first_screen=register",
            "",
            own,
            "",
        ],
        ["GET /sign-up", "{browser}; {session}", "", ""],
        [&*callback, "{browser}", own, ""],
        [&*callback, "", "", ""],
        [&*cancelled, "{browser}; {session}", "", ""],
        ["POST /callback", "{browser}", form, &*posted],
        ["POST /sign-out", "{session}", own, ""],
        ["GET /sign-out", "{session}", own, ""],
        [
            "POST /sign-out",
            "{session}",
            "origin: https://evil.example",
            "",
        ],
        [
            "GET /user",
            "theme=dark; {session}",
            "accept: application/json",
            "",
        ],
        ["GET /user", "", "", ""],
        [
            "POST /back-channel-logout",
            "",
            form,
            "logout_token={logout}",
        ],
        ["POST /webhook", "", "logto-signature-sha-256: 00", "{}"],
        ["DELETE /user", "", "", ""],
        ["GET /sign-in", "", "host: app.example.de", ""],
        ["GET /sign-in", "", "host: APP.example.de:443", ""],
        ["GET /sign-in", "", "host: evil.example", ""],
        [
            "GET /sign-in",
            "",
            "host: app.example.de\thost: evil.example",
            "",
        ],
        [&*previewed, "{browser}", &*at_preview, ""],
        [&*previewed_absolutely, "{browser}", "", ""],
        [&*previewed, "{browser}", "", ""],
        [&*callback, "{browser}", "host: app.example.de", ""],
        [
            "POST /sign-out",
            "{session}",
            "host: app.example.de\torigin: https://app.example.de",
            "",
        ],
        ["GET /orders", "{session}", "", ""],
        ["GET /orders", "", own, ""],
        ["POST /orders", "{session}", own, "amount=1"],
        [
            "POST /orders",
            "{session}",
            "sec-fetch-site: cross-site",
            "amount=1",
        ],
        [
            "DELETE /orders/1",
            "{session}",
            "sec-fetch-site: same-site",
            "",
        ],
        [
            "POST /orders",
            "{session}",
            "host: app.example.de\torigin: https://app.example.de",
            "amount=1",
        ],
        [
            "POST /orders",
            "{session}",
            "host: app.example.de\torigin: https://shop.example.com",
            "amount=1",
        ],
        ["POST /orders", "{session}", "origin: null", "amount=1"],
        [
            "GET /feed",
            "{session}",
            "upgrade: websocket\torigin: https://evil.example",
            "",
        ],
    ]
    .map(|parts: [&str; 4]| joined(parts.map(str::as_bytes)))
    .to_vec()
}
