//! The description of an error for visitors.

use http::StatusCode;

use crate::error::Error;

/// Returns a fixed sentence for the code of this error, for anonymous visitors.
///
/// The text of an [`Error`] is for operators: it may name hosts, users and ports of a storage, or contain
/// text of the provider or of the request, which an attacker may have written. The sentence contains none of
/// that.
pub fn public_description(error: &Error) -> &'static str {
    match error.code() {
        "not_authenticated" => "Sign in to continue.",
        "session_ended" => "The session has ended. Sign in again.",
        "session_lifetime_reached" => {
            "The session has reached its longest lifetime. Sign in again."
        }
        "sign_in_session_not_found" => {
            "This browser has not started the sign-in, or it is completed already. Start again."
        }
        "sign_in_session_expired" => "The sign-in took too long. Start again.",
        "missing_state"
        | "state_mismatched"
        | "redirect_uri_mismatched"
        | "missing_issuer"
        | "issuer_mismatched"
        | "duplicate_parameter"
        | "missing_code"
        | "malformed_code"
        | "callback_too_long" => "This is not a response to a sign-in. Start again.",
        "access_denied" => "Access is denied.",
        "login_required"
        | "consent_required"
        | "interaction_required"
        | "account_selection_required" => "The sign-in needs your input. Start it again on a page.",
        "expired_token" => "The code has expired. Start again.",
        "cross_site_request" => {
            "Another site may have caused this request. Use the application's page."
        }
        "not_a_navigation" => "Open the address in a window of its own to sign in.",
        "method_not_allowed" => "This address does not accept this method.",
        "forbidden" => "This page is for other users.",
        "sign_in_refused" => "The application does not admit this user.",
        "response_begun" => "A part of this page could not be loaded. Reloading it may help.",
        "session_too_large" => "The session is too large to be stored.",
        "storage_unavailable" => "Sessions are temporarily unavailable. Try again later.",
        "temporarily_unavailable" => "A service is not available now. Try again later.",
        _ => by_status(error.status()),
    }
}

fn by_status(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "The sign-in has failed. Start again.",
        StatusCode::UNAUTHORIZED => "Sign in again.",
        StatusCode::FORBIDDEN => "The request is refused.",
        StatusCode::SERVICE_UNAVAILABLE => "A service is not available now. Try again later.",
        _ => "The application is not configured correctly. Please inform its operator.",
    }
}
