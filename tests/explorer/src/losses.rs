//! How sessions get lost: the rows of the table "What can still be lost" in `docs/sessions.md`.

use crate::{
    provider::{Cause, Fate},
    setup::{Fault, Setup},
};

/// A session that is lost.
pub(crate) struct Loss<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) cause: Cause,
    pub(crate) faults: &'a [Fault],
}

impl Loss<'_> {
    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    /// The newest refresh token was in a ledger only, and sessions live in cookies.
    fn is_unheld_cookie(&self) -> bool {
        let is_held = matches!(
            self.cause,
            Cause::Unheld(Fate::Received | Fate::HolderKilled)
        );
        is_held && !self.setup.shares_lease()
    }

    /// The row that this loss belongs to.
    pub(crate) fn row(&self) -> Option<&'static str> {
        let rows = ROWS.iter().find(|row| (row.matches)(self));
        rows.map(|row| row.title)
    }
}

/// The titles of the rows, from the page itself.
pub(crate) fn titles_in_documentation() -> Vec<&'static str> {
    let page = include_str!("../../../docs/sessions.md");
    let (_, section) = page.split_once("\n## What can still be lost\n").unwrap();
    // Only the first table of the section.
    let lines = section.lines().skip_while(|line| !line.starts_with('|'));
    let table = lines.take_while(|line| line.starts_with('|'));
    let rows = table.filter_map(|line| line.strip_prefix("| "));
    rows.skip(1)
        .filter_map(|row| row.split(" | ").next())
        .collect()
}

/// A row of the table: its title, and which losses it means. A loss belongs to the first row that matches.
pub(crate) struct Row {
    pub(crate) title: &'static str,
    matches: fn(&Loss<'_>) -> bool,
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        title: "a process is killed after it has sent a refresh that replaces the token and before anybody \
                else knows the new one",
        matches: |loss| match loss.cause {
            Cause::Unheld(Fate::ReceiverKilled) => true,
            Cause::Unheld(Fate::HolderKilled) => loss.setup.shares_lease(),
            _ => false,
        },
    },
    Row {
        title: "the answer to a refresh that replaced the token is lost, and that to the replay too, or the \
                loss shows too late for a replay",
        matches: |loss| loss.cause == Cause::Unheld(Fate::AnswerLost),
    },
    Row {
        title: "the connection breaks, or the process is killed or stands still, while a refresh request is \
                on its way, and it arrives more than three seconds after the next one",
        matches: |loss| {
            loss.cause == Cause::LateReplayAdrift
                || loss.cause == Cause::LateReplaySlow && !loss.setup.shares_nothing()
        },
    },
    Row {
        title: "the storage or the shared ledger fails for all attempts, and before the next use of the session \
                in that process, the process is killed, or others are asked for it for a minute",
        matches: |loss| {
            matches!(
                loss.cause,
                Cause::Unheld(Fate::KeeperKilled) | Cause::HeldByKeeper
            )
        },
    },
    Row {
        title: "the store or the shared ledger forgets a lease while its holder refreshes",
        matches: |loss| loss.cause == Cause::LateReplayTwoLeases,
    },
    Row {
        title: "the storage answers a read from a copy that lacks the last write",
        matches: |loss| {
            matches!(loss.cause, Cause::LateReplay | Cause::Removed) && loss.has(Fault::StaleRead)
        },
    },
    Row {
        title: "an application that may not introspect: a process uses a refresh token that another one has \
                replaced, more than three seconds later or when it has expired",
        matches: |loss| {
            use Cause::{LateReplay, LateReplaySlow, Removed, Revoked};
            let is_of_use = matches!(loss.cause, LateReplay | LateReplaySlow | Removed | Revoked);
            is_of_use && !loss.setup.may_introspect
        },
    },
    Row {
        title: "a new sign-in replaces a session while a refresh of it is under way that has lost its lease, \
                or the removal arrives late",
        matches: |loss| loss.cause == Cause::Revoked && loss.has(Fault::SignedInAgain),
    },
    Row {
        title: "sessions in cookies: `fetch_access_token_or_lose_session` replaced the token, and the process \
                is killed, or the browser goes to another one, before the session is opened for writing",
        matches: |loss| loss.is_unheld_cookie() && loss.has(Fault::NotStored),
    },
    Row {
        title: "sessions in cookies: the response with the new cookie does not arrive, and the process is \
                killed, or a day passes, before the browser comes back",
        matches: |loss| loss.is_unheld_cookie() && loss.has(Fault::Killed),
    },
    Row {
        title: "sessions in cookies and a shared ledger: the ledger fails while a refresh takes its lease there \
                or writes to it, and a request with an older cookie goes to another process more than three seconds \
                later",
        matches: |loss| loss.cause == Cause::LateReplayGap,
    },
    Row {
        title: "sessions in cookies, several processes that share nothing: the newest cookie does not arrive, \
                or an older one arrives after it, and the browser goes to another process",
        matches: |loss| {
            let is_old = loss.is_unheld_cookie() || loss.cause == Cause::HeldElsewhere;
            is_old && loss.setup.shares_nothing()
        },
    },
    Row {
        title: "sessions in cookies, several processes that share nothing: two refresh at the same time, and \
                the request of one, or its replay, arrives more than three seconds after the other",
        matches: |loss| {
            let is_late = matches!(loss.cause, Cause::LateReplay | Cause::LateReplaySlow);
            is_late
                && loss.setup.shares_nothing()
                && (loss.has(Fault::Slow) || loss.has(Fault::Stalled))
        },
    },
    Row {
        title: "two processes redeem the same callback at the same time, and the browser keeps the response of \
                the first",
        matches: |loss| loss.cause == Cause::CodeReplayed && loss.has(Fault::CallbackTwice),
    },
];
