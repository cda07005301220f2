//! A log of who signed in and out.

use std::sync::{Arc, Mutex};

use logto::LogtoBuilder;
use logto::client::event::{Event, Observer};

// ANCHOR: observer
/// Receives every event, in the task in which it occurs: it hands over and never waits.
#[derive(Clone, Debug, Default)]
pub struct AuditLog {
    lines: Arc<Mutex<Vec<String>>>,
}

impl Observer for AuditLog {
    fn on_event(&self, event: &Event) {
        let line = match event {
            Event::SignedIn { user, .. } => format!("{user} signed in"),
            Event::SignedOut { user, .. } => format!("{user} signed out"),
            Event::SessionEnded { reason, .. } => format!("a session ended: {reason}"),
            Event::RequestFailed { code, status, .. } => format!("{status} {code}"),
            _ => return,
        };
        if let Ok(mut lines) = self.lines.lock() {
            lines.push(line);
        }
    }
}

/// The observer belongs to the client.
pub fn with_audit_log(logto: LogtoBuilder, log: AuditLog) -> LogtoBuilder {
    logto.client(|client| client.observer(log))
}
// ANCHOR_END: observer

impl AuditLog {
    /// What was logged.
    pub fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .map_or_else(|_| Vec::new(), |lines| lines.clone())
    }
}
