//! How far back a process has forgotten which sessions have ended.

use crate::time::UnixTime;

/// How far back a process may have forgotten ends of sessions, because it remembers a limited number: which
/// sessions the forgotten ends may concern, and how recent they were.
///
/// The process numbers ends in the order in which it learns of them, so that an answer of the provider is known
/// to be newer than an end whatever any clock says. A session that the horizon reaches may have ended;
/// [`ConfirmSession`](super::ConfirmSession) asks the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Horizon(Option<(UnixTime, u64)>);

impl Horizon {
    /// An end is forgotten: that of sessions that began at `at` or before.
    pub fn raise(&mut self, number: u64, at: UnixTime) {
        let (latest_at, latest) = self.0.unwrap_or((at, number));
        self.0 = Some((latest_at.max(at), latest.max(number)));
    }

    /// Whether an end of a session that began at `began_at` may have been forgotten. `confirmed` is the number of
    /// the last end that the process knew when it asked, with success, whether the session continues.
    pub fn reaches(self, began_at: UnixTime, confirmed: Option<u64>) -> bool {
        self.0.is_some_and(|(at, number)| {
            began_at <= at && confirmed.is_none_or(|confirmed| confirmed < number)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l7_the_horizon_reaches_who_began_before_the_latest_end_that_was_forgotten() {
        // The marks that were forgotten, by number and time; when the session began; after which mark it was
        // confirmed; whether it must be asked for.
        for (forgotten, began_at, confirmed, reaches) in [
            (&[][..], i64::MIN, None, false),
            (&[(1, 10)], 9, None, true),
            (&[(1, 10)], 10, None, true),
            (&[(1, 10)], 11, None, false),
            (&[(1, 10), (2, 20)], 11, None, true),
            (&[(1, 20), (2, 10)], 20, None, true),
            (&[(1, 20), (2, 10)], 21, None, false),
            (&[(1, 10)], 9, Some(0), true),
            (&[(1, 10)], 9, Some(1), false),
            (&[(1, 10), (5, 10)], 9, Some(4), true),
            (&[(1, 10), (5, 10)], 9, Some(5), false),
            (&[(5, 10), (1, 20)], 15, Some(4), true),
            (&[(5, 10)], 9, Some(u64::MAX), false),
            (&[(1, i64::MIN)], i64::MIN, None, true),
            (&[(1, i64::MAX)], i64::MAX, None, true),
        ] {
            let mut horizon = Horizon::default();
            for &(number, at) in forgotten {
                let at = UnixTime::from_secs(at);
                horizon.raise(number, at);
            }
            let found = horizon.reaches(UnixTime::from_secs(began_at), confirmed);
            assert_eq!(found, reaches, "{forgotten:?}, {began_at}, {confirmed:?}");
        }
    }
}
