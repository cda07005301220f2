//! The ends of sessions: by removal, and by time.

use std::time::Duration;

use logto_client::storage::{Logout, Replaced};
use logto_core::UnixTime;

use super::{NOW, OrViolated, Rule, Sample, StorageKind, Suite, Violation};
use crate::Lifetimes;

impl Suite {
    pub(super) async fn removed_sessions_stay_removed(&self) -> Result<(), Violation> {
        let rule = "a removed session does not come back";
        let session = Sample::default().build().or_violated(rule)?;
        let handle = self.create(rule, &session).await?;
        let version = self.loaded(rule, &handle).await?.version;
        self.one.remove(&handle).await.or_violated(rule)?;
        self.one.remove(&handle).await.or_violated(rule)?;
        if self.promises.kind == StorageKind::Browser {
            return Ok(());
        }
        let late_write = self.replace(rule, &handle, version, &session).await?;
        rule.ensure(late_write == Replaced::Gone, "a late write was taken")?;
        let found = self.load(rule, &handle, NOW).await?;
        rule.ensure(found.is_none(), "it is there")
    }

    pub(super) async fn removing_by_logout(&self) -> Result<(), Violation> {
        let rule = "remove_all removes the sessions that a logout ends, and no other";
        // The store may contain earlier sessions: handles are new, and so are ids made from one.
        let unique = self
            .create(rule, &Sample::default().build().or_violated(rule)?)
            .await?;
        let unique: String = unique.expose().chars().rev().take(16).collect();
        let [alice, bob, first, second] =
            ["alice", "bob", "first", "second"].map(|name| format!("{name} {unique}"));
        let sample = |id: u8, subject: &str, provider_session: Option<&str>| Sample {
            id,
            subject: subject.to_owned(),
            provider_session: provider_session.map(str::to_owned),
            ..Sample::default()
        };
        let mut handles = Vec::new();
        for sample in [
            sample(1, &alice, Some(&first)),
            sample(2, &alice, Some(&second)),
            sample(3, &bob, Some(&first)),
            sample(4, &bob, None),
            // Its subject equals the id of a provider session.
            sample(5, &second, None),
        ] {
            let session = sample.build().or_violated(rule)?;
            let handle = self.create(rule, &session).await?;
            // A write must not lose the owner.
            let version = self.loaded(rule, &handle).await?.version;
            handles.push(
                match self.replace(rule, &handle, version, &session).await? {
                    Replaced::Stored { handle, .. } => handle,
                    refused => return Err(rule.violated(format!("{refused:?}"))),
                },
            );
        }
        let by = |sid: Option<&str>, sub: Option<&str>, at: UnixTime| Logout {
            sid: sid.map(str::to_owned),
            sub: sub.map(str::to_owned),
            at,
        };
        let before = NOW.minus(Duration::from_secs(1));
        let steps: [(Logout, u64, &[bool]); 8] = [
            // Before they began.
            (
                by(None, Some(&alice), before),
                0,
                &[true, true, true, true, true],
            ),
            // The session at the provider has ended for good, whenever it began. The user's other one
            // continues.
            (
                by(Some(&second), Some(&alice), before),
                1,
                &[true, false, true, true, true],
            ),
            (
                by(Some("another"), Some(&bob), before),
                0,
                &[true, false, true, true, true],
            ),
            // Where a session does not name its session at the provider, the user and the time decide.
            (
                by(Some("another"), Some(&bob), NOW),
                1,
                &[true, false, true, false, true],
            ),
            (
                by(None, Some(&alice), NOW),
                1,
                &[false, false, true, false, true],
            ),
            (
                by(Some(&first), None, NOW),
                1,
                &[false, false, false, false, true],
            ),
            (
                by(None, Some(&bob), NOW),
                0,
                &[false, false, false, false, true],
            ),
            (
                by(None, Some(&alice), NOW),
                0,
                &[false, false, false, false, true],
            ),
        ];
        for (logout, count, there) in steps {
            let removed = self.other.remove_all(&logout).await.or_violated(rule)?;
            if self.promises.kind == StorageKind::Browser {
                rule.ensure(removed.is_none(), "a browser's sessions were counted")?;
                continue;
            }
            rule.ensure(
                removed == Some(count),
                format!("{logout:?} removed {removed:?} sessions"),
            )?;
            for (handle, there) in handles.iter().zip(there) {
                let found = self.load(rule, handle, NOW).await?.is_some();
                rule.ensure(
                    found == *there,
                    format!("after {logout:?} another session is gone, or it is there"),
                )?;
            }
        }
        Ok(())
    }

    pub(super) async fn names_are_used_once(&self) -> Result<(), Violation> {
        let rule = "a name is used for the first time once, in all processes";
        if self.promises.kind != StorageKind::Shared {
            return Ok(());
        }
        let handle = self
            .create(rule, &Sample::default().build().or_violated(rule)?)
            .await?;
        let ttl = Duration::from_secs(60);
        for name in [
            handle.value(),
            "of any length and form ä/*' ".repeat(20).as_str(),
        ] {
            let name = format!("{name}{}", handle.value());
            let first = self.one.is_first_use(&name, ttl).await.or_violated(rule)?;
            rule.ensure(first, "a new name was used before")?;
            let again = self
                .other
                .is_first_use(&name, ttl)
                .await
                .or_violated(rule)?;
            rule.ensure(!again, "it was used twice")?;
        }
        Ok(())
    }

    pub(super) async fn sessions_end_when_idle(&self) -> Result<(), Violation> {
        let rule = "an unused session ends";
        let idle = self.promises.lifetimes.idle;
        let session = Sample {
            created_at: NOW,
            ..Sample::default()
        }
        .build()
        .or_violated(rule)?;
        let just_before = NOW.plus(idle).minus(Duration::from_secs(1));

        let handle = self.create(rule, &session).await?;
        let found = self.load(rule, &handle, NOW.plus(idle)).await?;
        rule.ensure(found.is_none(), "it is there when its idle time is over")?;

        let handle = self.create(rule, &session).await?;
        let version = self.loaded(rule, &handle).await?.version;
        let late = self
            .one
            .replace(&handle, version, &session, NOW.plus(idle))
            .await;
        rule.ensure(
            late.or_violated(rule)? == Replaced::Gone,
            "it was written when its idle time was over",
        )?;

        let handle = self.create(rule, &session).await?;
        let found = self.load(rule, &handle, just_before).await?;
        let version = found
            .ok_or_else(|| rule.violated("it is gone too early"))?
            .version;
        let replaced = self
            .one
            .replace(&handle, version, &session, just_before)
            .await;
        let Replaced::Stored { handle, .. } = replaced.or_violated(rule)? else {
            return Err(rule.violated("it cannot be written shortly before its end"));
        };
        let found = self.load(rule, &handle, NOW.plus(idle)).await?;
        rule.ensure(found.is_some(), "a write does not restart the idle time")
    }

    pub(super) async fn sessions_end_for_good(&self) -> Result<(), Violation> {
        let rule = "a session ends some time after the sign-in, used or not";
        let Lifetimes { idle, absolute } = self.promises.lifetimes;
        let session = Sample {
            created_at: NOW,
            ..Sample::default()
        }
        .build()
        .or_violated(rule)?;
        let end = NOW.plus(absolute);
        let mut handle = self.create(rule, &session).await?;
        let mut now = NOW;
        loop {
            now = now.plus((idle / 2).max(Duration::from_secs(1)));
            let found = self.load(rule, &handle, now).await?;
            let Some(stored) = found else {
                return rule.ensure(now >= end, "it ended too early although it was used");
            };
            rule.ensure(now < end, "it is there when its time is over")?;
            let replaced = self
                .one
                .replace(&handle, stored.version, &session, now)
                .await;
            handle = match replaced.or_violated(rule)? {
                Replaced::Stored { handle, .. } => handle,
                refused => return Err(rule.violated(format!("{refused:?}"))),
            };
        }
    }

    pub(super) async fn sessions_in_use_live_on(&self) -> Result<(), Violation> {
        let rule =
            "a session that is in use lives on unchanged, and says so when its lifetime is reached";
        let Lifetimes { idle, absolute } = self.promises.lifetimes;
        let session = Sample {
            created_at: NOW,
            ..Sample::default()
        }
        .build()
        .or_violated(rule)?;
        let (step, end) = ((idle / 14).max(Duration::from_secs(1)), NOW.plus(absolute));
        let mut handle = self.create(rule, &session).await?;
        let mut now = NOW;
        while now.plus(step) < end {
            now = now.plus(step);
            let found = self.load(rule, &handle, now).await?;
            let found = found.is_some_and(|found| *found.session == session);
            rule.ensure(found, format!("it is not as it was at {now:?}"))?;
            if let Some(touched) = self.one.touch(&handle, now) {
                rule.ensure(
                    touched.value() == handle.value(),
                    "use alone writes the value again",
                )?;
                handle = touched;
            }
            rule.ensure(
                self.one.touch(&handle, now).is_none(),
                "it is noted twice at once",
            )?;
            let reached = self.one.lifetime_reached(&handle, now).await;
            rule.ensure(reached.or_violated(rule)?.is_none(), "it says so too early")?;
        }
        let found = self.load(rule, &handle, end).await?;
        rule.ensure(found.is_none(), "it is there when its time is over")?;
        rule.ensure(
            self.one.touch(&handle, end).is_none(),
            "it is in use when its time is over",
        )?;
        let reached = self.one.lifetime_reached(&handle, end).await;
        rule.ensure(
            reached.or_violated(rule)?.as_ref() == Some(session.id()),
            "it does not say so",
        )
    }

    pub(super) async fn the_end_of_time(&self) -> Result<(), Violation> {
        let rule = "no moment overflows";
        for seconds in [0, i64::from(i32::MAX), i64::from(u32::MAX), 253_402_300_799] {
            let now = UnixTime::from_secs(seconds);
            let session = Sample {
                created_at: now,
                ..Sample::default()
            }
            .build()
            .or_violated(rule)?;
            let (handle, _) = self.one.create(&session, now).await.or_violated(rule)?;
            let found = self.load(rule, &handle, now).await?;
            rule.ensure(found.is_some(), format!("nothing is stored at {seconds}"))?;
        }
        Ok(())
    }
}
