//! Leases: one process at a time refreshes a session, and the others know whether it completed.

use std::{future::poll_fn, sync::Arc, task::Poll, time::Duration};

use logto_client::{
    clock::{Clock, SystemClock},
    storage::{Handle, Lease, SessionStorage},
};

use super::{OrViolated, Rule, Sample, StorageKind, Suite, Violation};

/// Longer than any check takes.
const LONG: Duration = Duration::from_secs(60);
/// The suite waits this long. A lease may end earlier by [`TOLERANCE`], because of the resolution of a store's
/// clock.
const SHORT: Duration = Duration::from_millis(200);
const TOLERANCE: Duration = Duration::from_millis(50);
/// A lease that is still held after this time does not end.
const MAX_WAIT: Duration = Duration::from_secs(1);

impl Suite {
    pub(super) async fn leases_exclude_each_other(&self) -> Result<(), Violation> {
        let rule = "one process at a time may refresh a session";
        let handle = self.session(rule).await?;
        let another = self.session(rule).await?;
        let first = granted(rule, &self.one, &handle, LONG).await?;
        if self.promises.kind == StorageKind::Shared {
            refused(rule, &self.other, &handle).await?;
            refused(rule, &self.one, &handle).await?;
            granted(rule, &self.other, &another, LONG).await?;
            let foreign = Lease::held_by("another holder");
            let renewed = self.other.renew(&handle, &foreign, LONG).await;
            rule.ensure(!renewed.or_violated(rule)?, "another holder renewed it")?;
            let released = self.other.release(&handle, foreign).await;
            released.or_violated(rule)?;
            refused(rule, &self.other, &handle).await?;
        }
        let renewed = self.one.renew(&handle, &first, LONG).await;
        rule.ensure(renewed.or_violated(rule)?, "its holder cannot renew it")?;
        self.one.release(&handle, first).await.or_violated(rule)?;
        for storage in [&self.other, &self.one] {
            let next = granted(rule, storage, &handle, LONG).await?;
            rule.ensure(
                !next.was_taken_over(),
                "a lease that was given back counts as taken over",
            )?;
            storage.release(&handle, next).await.or_violated(rule)?;
        }
        Ok(())
    }

    pub(super) async fn leases_end_and_are_taken_over(&self) -> Result<(), Violation> {
        let rule = "a lease that is not renewed ends, and the next holder knows that it was not given back";
        if self.promises.kind != StorageKind::Shared {
            return Ok(());
        }
        let handle = self.session(rule).await?;
        let clock = SystemClock::default();
        let before = clock.monotonic();
        let stalled = granted(rule, &self.one, &handle, SHORT).await?;
        let taken = loop {
            let waited = clock.monotonic().saturating_sub(before);
            if let Some(lease) = take(rule, &self.other, &handle, LONG).await? {
                break lease;
            }
            rule.ensure(waited < MAX_WAIT, "it does not end")?;
            yield_once().await;
        };
        let passed = clock.monotonic().saturating_sub(before);
        rule.ensure(
            passed >= SHORT.saturating_sub(TOLERANCE),
            format!("a lease of {SHORT:?} ended after {passed:?}"),
        )?;
        rule.ensure(
            taken.was_taken_over(),
            "the next holder is not told that it takes the lease over",
        )?;

        let renewed = self.one.renew(&handle, &stalled, LONG).await;
        rule.ensure(!renewed.or_violated(rule)?, "a lost lease was renewed")?;
        let renewed = self.other.renew(&handle, &taken, LONG).await;
        rule.ensure(renewed.or_violated(rule)?, "its new holder cannot renew it")?;
        let late = self.one.release(&handle, stalled).await;
        late.or_violated(rule)?;
        refused(rule, &self.one, &handle).await?;
        self.other.release(&handle, taken).await.or_violated(rule)?;
        let next = granted(rule, &self.one, &handle, LONG).await?;
        rule.ensure(
            !next.was_taken_over(),
            "a lease stays taken over although it was given back",
        )
    }

    pub(super) async fn renewed_leases_stay(&self) -> Result<(), Violation> {
        let rule = "a lease that its holder renews keeps the others out";
        if self.promises.kind != StorageKind::Shared {
            return Ok(());
        }
        let handle = self.session(rule).await?;
        let clock = SystemClock::default();
        let lease = granted(rule, &self.one, &handle, SHORT).await?;
        let renewed = self.one.renew(&handle, &lease, LONG).await;
        rule.ensure(renewed.or_violated(rule)?, "its holder cannot renew it")?;
        // Its time is counted from the renewal, so the first period is over then.
        let before = clock.monotonic();
        while clock.monotonic().saturating_sub(before) < SHORT + TOLERANCE {
            refused(rule, &self.other, &handle).await?;
            yield_once().await;
        }
        let renewed = self.one.renew(&handle, &lease, LONG).await;
        rule.ensure(
            renewed.or_violated(rule)?,
            "its holder cannot renew it again",
        )?;
        self.one.release(&handle, lease).await.or_violated(rule)?;
        let next = granted(rule, &self.other, &handle, LONG).await?;
        rule.ensure(
            !next.was_taken_over(),
            "a renewed lease that was given back counts as taken over",
        )
    }

    pub(super) async fn leases_end_with_their_sessions(&self) -> Result<(), Violation> {
        let rule = "removing a session drops its lease, whoever holds it";
        if self.promises.kind != StorageKind::Shared {
            return Ok(());
        }
        let handle = self.session(rule).await?;
        let dropped = granted(rule, &self.one, &handle, LONG).await?;
        self.other.remove(&handle).await.or_violated(rule)?;
        let renewed = self.one.renew(&handle, &dropped, LONG).await;
        rule.ensure(!renewed.or_violated(rule)?, "its holder can renew it")?;
        let next = granted(rule, &self.other, &handle, LONG).await?;
        rule.ensure(!next.was_taken_over(), "it counts as taken over")?;
        self.other.release(&handle, next).await.or_violated(rule)
    }

    async fn session(&self, rule: &'static str) -> Result<Handle, Violation> {
        let session = Sample::default().build().or_violated(rule)?;
        self.create(rule, &session).await
    }
}

async fn take(
    rule: &'static str,
    storage: &Arc<dyn SessionStorage>,
    handle: &Handle,
    ttl: Duration,
) -> Result<Option<Lease>, Violation> {
    storage.lease(handle, ttl).await.or_violated(rule)
}

async fn granted(
    rule: &'static str,
    storage: &Arc<dyn SessionStorage>,
    handle: &Handle,
    ttl: Duration,
) -> Result<Lease, Violation> {
    let lease = take(rule, storage, handle, ttl).await?;
    lease.ok_or_else(|| rule.violated("a free lease was refused"))
}

async fn refused(
    rule: &'static str,
    storage: &Arc<dyn SessionStorage>,
    handle: &Handle,
) -> Result<(), Violation> {
    let lease = take(rule, storage, handle, LONG).await?;
    rule.ensure(lease.is_none(), "it was granted twice")
}

/// Lets other tasks run: the suite has no runtime that could sleep.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
