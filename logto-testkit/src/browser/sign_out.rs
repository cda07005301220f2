//! Signing out at the provider.

use http::StatusCode;
use url::Url;

use super::{Browser, BrowserError, error_page};
use crate::{
    endpoints::end_session,
    journal::{Endpoint, RequestRecord},
};

impl Browser {
    /// Opens an end-session URL and lets its form submit itself: the session is over. Gives the URL that the
    /// browser ends at.
    ///
    /// # Errors
    ///
    /// See [`BrowserError`].
    pub fn sign_out(&self, end_session_url: &Url) -> Result<Url, BrowserError> {
        let incoming = self.incoming(end_session_url)?;
        let mut session = self.session();
        let ended = self.logto.with(|cx| {
            let mut record = RequestRecord::new(Endpoint::EndSession, &incoming);
            let ended =
                end_session::begin(cx, &incoming.query, session.as_deref()).and_then(|xsrf| {
                    let form = [
                        ("xsrf".to_owned(), xsrf),
                        ("logout".to_owned(), "yes".to_owned()),
                    ];
                    end_session::confirm(cx, &form.into_iter().collect(), session.as_deref())
                });
            record.answered(
                ended
                    .as_ref()
                    .map_or_else(|error| error.status, |_| StatusCode::OK),
            );
            cx.state.journal.push(record);
            ended
        });
        let url = ended.map_err(error_page)?;
        *session = None;
        Ok(url)
    }
}
