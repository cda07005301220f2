//! What to do about a callback.

use crate::web::{
    browser::{Browser, End},
    start::Start,
};

/// What to do about a callback.
pub(super) enum Decision<'b> {
    /// Redeem its code: this browser started the sign-in.
    Complete(&'b Browser),
    /// Start the sign-in again in this browser.
    StartAgain(&'b Browser),
    /// The callback was completed before: the user is signed in, or starts again if that session has ended.
    SignedInBefore(&'b Browser),
    /// Report again that the user cancelled.
    CancelledBefore,
    /// It belongs to no sign-in of this browser, or was refused before.
    Refuse,
}

impl<'b> Decision<'b> {
    /// `browsers` are those in the cookies.
    pub(super) fn of(start: &Start, state: &str, browsers: &'b [Browser]) -> Self {
        let own = browsers
            .iter()
            .find(|browser| browser.id().is(&start.browser));
        let Some(browser) = own else {
            // Either another tab replaced the cookie at the same moment, or an attacker has sent their own
            // callback to this user. Starting again is safe in both cases: no user is signed in as another one.
            // A start with an application's state is not repeated, because that state may be an attacker's.
            return match browsers.first() {
                Some(browser) if !start.sign_in.has_app_state() => Self::StartAgain(browser),
                _ => Self::Refuse,
            };
        };
        match browser.end_of(state) {
            None if start.is_current => Self::Complete(browser),
            None | Some(End::Interrupted) => Self::StartAgain(browser),
            Some(End::SignedIn) => Self::SignedInBefore(browser),
            Some(End::Cancelled) => Self::CancelledBefore,
            Some(End::Refused) => Self::Refuse,
        }
    }
}

#[cfg(test)]
mod tests {
    use logto_core::{SignIn, UnixTime};

    use super::*;

    const STATE: &str = "state";

    fn browser(cookie: &str, end: Option<End>) -> Browser {
        let mut browser = Browser::of_session(cookie);
        if let Some(end) = end {
            browser.end(STATE, end);
        }
        browser
    }

    #[test]
    fn what_to_do_depends_on_the_browser_and_on_how_the_callback_ended_before() {
        use End::*;

        let started = |is_current, sign_in| Start {
            browser: browser("own", None).id(),
            seed: [0; 32],
            at: UnixTime::from_secs(0),
            is_current,
            sign_in,
        };
        let now = started(true, SignIn::new());
        let before = started(false, SignIn::new());
        let with_app_state = started(true, SignIn::new().app_state(&"cart").unwrap());
        let own = |end| vec![browser("own", end)];
        let other = || vec![browser("other", Some(SignedIn))];
        let both = vec![browser("other", None), browser("own", Some(SignedIn))];
        let rows = [
            (&now, own(None), "Complete"),
            (&before, own(None), "StartAgain"),
            (&now, own(Some(Interrupted)), "StartAgain"),
            (&now, own(Some(SignedIn)), "SignedInBefore"),
            (&before, own(Some(SignedIn)), "SignedInBefore"),
            (&before, own(Some(Cancelled)), "CancelledBefore"),
            (&now, own(Some(Refused)), "Refuse"),
            (&with_app_state, own(None), "Complete"),
            (&now, both, "SignedInBefore"),
            (&now, other(), "StartAgain"),
            (&before, other(), "StartAgain"),
            (&with_app_state, other(), "Refuse"),
            (&now, Vec::new(), "Refuse"),
        ];
        for (row, (start, browsers, decision)) in rows.into_iter().enumerate() {
            let decided = match Decision::of(start, STATE, &browsers) {
                Decision::Complete(_) => "Complete",
                Decision::StartAgain(_) => "StartAgain",
                Decision::SignedInBefore(_) => "SignedInBefore",
                Decision::CancelledBefore => "CancelledBefore",
                Decision::Refuse => "Refuse",
            };
            let ends: Vec<Option<End>> = browsers.iter().map(|it| it.end_of(STATE)).collect();
            assert_eq!(decided, decision, "row {row}, browsers: {ends:?}");
        }
    }
}
