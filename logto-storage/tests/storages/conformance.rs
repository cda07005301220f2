//! The conformance suite: our storages pass it, and broken ones fail.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use logto_client::storage::{
    Handle, Lease, Logout, Replaced, SessionReader, SessionStorage, StorageError, Stored, Version,
};
use logto_core::{
    Session, UnixTime,
    session::{SessionId, SessionParts},
};
use logto_storage::{
    Lifetimes, MemoryStorage,
    conformance::{self, Promises, StorageKind},
    faulty::FaultyStorage,
};

use crate::common::{self, logout};

const LIFETIMES: Lifetimes = Lifetimes {
    idle: Duration::from_secs(3_600),
    absolute: Duration::from_secs(36_000),
};

fn promises(kind: StorageKind) -> Promises {
    Promises {
        kind,
        lifetimes: LIFETIMES,
    }
}

fn memory() -> MemoryStorage {
    MemoryStorage::new().lifetimes(LIFETIMES)
}

#[tokio::test]
async fn b5_b7_b10_memory_storage_conforms() {
    let storage: Arc<dyn SessionStorage> = Arc::new(memory());
    conformance::run(promises(StorageKind::Shared), async || storage.clone())
        .await
        .unwrap();
}

#[tokio::test]
async fn b5_b7_b10_cookie_storage_conforms() {
    let make = async || Arc::new(common::cookie_storage().lifetimes(LIFETIMES)) as _;
    conformance::run(promises(StorageKind::Browser), make)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_default_lifetimes_are_kept() {
    for kind in [StorageKind::Process, StorageKind::Browser] {
        let storage: Arc<dyn SessionStorage> = match kind {
            StorageKind::Browser => Arc::new(common::cookie_storage()),
            _ => Arc::new(MemoryStorage::new()),
        };
        let promises = Promises {
            kind,
            lifetimes: Lifetimes::default(),
        };
        conformance::run(promises, async || storage.clone())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_faulty_storage_without_faults_conforms() {
    let storage: Arc<dyn SessionStorage> = Arc::new(FaultyStorage::new(memory()));
    conformance::run(promises(StorageKind::Process), async || storage.clone())
        .await
        .unwrap();
}

/// Memory with one thing wrong.
#[derive(Debug)]
struct Wrong {
    memory: MemoryStorage,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    GrantsEveryLease,
    ForgetsTokens,
    ForgetsData,
    AsksNobodyForTheVersion,
    LastWriterIsTold,
    DoubtsItsHandles,
    RemovesNothing,
    RemovesNobodysSessions,
    TakesSidForSub,
    RemovesLaterSessions,
    NeverExpires,
    ExpiresTooEarly,
    BringsBackTheRemoved,
    FailsOnForeignHandles,
    TakesPartsForTheValue,
    WritesTheValueAgain,
    SaysNothingAtTheEnd,
}

#[async_trait]
impl SessionReader for Wrong {
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError> {
        if self.fault == Fault::FailsOnForeignHandles && handle.value().len() != 43 {
            return Err(StorageError::Unavailable("what is that?".into()));
        }
        if self.fault == Fault::TakesPartsForTheValue && handle.expose() != handle.value() {
            return Ok(None);
        }
        let now = match self.fault {
            Fault::NeverExpires => common::NOW,
            Fault::ExpiresTooEarly => now.plus(Duration::from_secs(1)),
            _ => now,
        };
        let mut stored = self.memory.load(handle, now).await?;
        if let (Some(stored), Fault::ForgetsData) = (&mut stored, self.fault) {
            let mut parts = SessionParts::from(Session::clone(&stored.session));
            parts.data = None;
            stored.session = Arc::new(parts.try_into().unwrap());
        }
        if let Some(stored) = stored
            .as_mut()
            .filter(|_| self.fault == Fault::ForgetsTokens)
        {
            let targets: Vec<_> = stored.session.access_tokens().keys().cloned().collect();
            targets
                .iter()
                .for_each(|target| assert!(Arc::make_mut(&mut stored.session).forget(target)));
        }
        Ok(stored)
    }
}

#[async_trait]
impl SessionStorage for Wrong {
    async fn create(
        &self,
        session: &Session,
        now: UnixTime,
    ) -> Result<(Handle, Version), StorageError> {
        self.memory.create(session, now).await
    }

    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError> {
        let replaced = self.memory.replace(handle, expected, session, now).await?;
        match (self.fault, replaced) {
            (Fault::AsksNobodyForTheVersion, Replaced::Conflict(current)) => {
                self.memory
                    .replace(handle, current.version, session, now)
                    .await
            }
            (Fault::LastWriterIsTold, Replaced::Conflict(mut current)) => {
                current.session = Arc::new(session.clone());
                Ok(Replaced::Conflict(current))
            }
            (Fault::BringsBackTheRemoved, Replaced::Gone) => {
                let (handle, version) = self.memory.create(session, now).await?;
                Ok(Replaced::Stored { handle, version })
            }
            (_, replaced) => Ok(replaced),
        }
    }

    async fn lifetime_reached(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<SessionId>, StorageError> {
        match self.fault {
            Fault::SaysNothingAtTheEnd => Ok(None),
            _ => self.memory.lifetime_reached(handle, now).await,
        }
    }

    async fn remove(&self, handle: &Handle) -> Result<(), StorageError> {
        if self.fault == Fault::RemovesNothing {
            Ok(())
        } else {
            self.memory.remove(handle).await
        }
    }

    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError> {
        let mut logout = logout.clone();
        match self.fault {
            Fault::RemovesNobodysSessions => return Ok(Some(0)),
            Fault::TakesSidForSub => {
                if let Some(sid) = logout.sid.take() {
                    logout.sub = Some(sid);
                }
            }
            Fault::RemovesLaterSessions => logout.at = UnixTime::from_secs(i64::MAX),
            _ => {}
        }
        self.memory.remove_all(&logout).await
    }

    fn touch(&self, handle: &Handle, _: UnixTime) -> Option<Handle> {
        let again = || Handle::new(format!("{}A", handle.value()));
        (self.fault == Fault::WritesTheValueAgain).then(again)
    }

    fn is_authoritative(&self) -> bool {
        self.fault != Fault::DoubtsItsHandles
    }
}

#[tokio::test]
async fn the_suite_notices_every_broken_rule() {
    for (fault, rule) in [
        (Fault::ForgetsTokens, "what is stored is loaded as it was"),
        (Fault::ForgetsData, "what is stored is loaded as it was"),
        (
            Fault::AsksNobodyForTheVersion,
            "only who knows the current version writes",
        ),
        (
            Fault::LastWriterIsTold,
            "only who knows the current version writes",
        ),
        (
            Fault::DoubtsItsHandles,
            "only who knows the current version writes",
        ),
        (
            Fault::RemovesNothing,
            "a removed session does not come back",
        ),
        (Fault::RemovesNobodysSessions, "remove_all removes"),
        (Fault::TakesSidForSub, "remove_all removes"),
        (Fault::RemovesLaterSessions, "remove_all removes"),
        (Fault::NeverExpires, "an unused session ends"),
        (Fault::ExpiresTooEarly, "an unused session ends"),
        (
            Fault::BringsBackTheRemoved,
            "a handle that was not made here",
        ),
        (
            Fault::FailsOnForeignHandles,
            "a handle that was not made here",
        ),
        (Fault::TakesPartsForTheValue, "parts of a handle"),
        (Fault::WritesTheValueAgain, "a session that is in use"),
        (Fault::SaysNothingAtTheEnd, "a session that is in use"),
    ] {
        let storage: Arc<dyn SessionStorage> = Arc::new(Wrong {
            memory: memory(),
            fault,
        });
        let result =
            conformance::run(promises(StorageKind::Process), async || storage.clone()).await;
        let violation = result.expect_err(&format!("{fault:?} was not noticed"));
        assert!(violation.rule.starts_with(rule), "{fault:?}: {violation}");
    }
}

/// Memory whose leases have one thing wrong.
#[derive(Debug)]
struct WrongLeases {
    memory: MemoryStorage,
    fault: LeaseFault,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum LeaseFault {
    None,
    NeverEnds,
    EndsTooEarly,
    TakeoverIsSecret,
    EverythingIsTakenOver,
    RenewDoesNothing,
    RenewRefuses,
    RenewTakesTheLostBack,
    ReleaseTakesFromOthers,
    ReleaseDoesNothing,
    RemoveKeepsTheLease,
    EveryUseIsTheFirst,
}

#[async_trait]
impl SessionReader for WrongLeases {
    async fn load(&self, handle: &Handle, now: UnixTime) -> Result<Option<Stored>, StorageError> {
        self.memory.load(handle, now).await
    }
}

#[async_trait]
impl SessionStorage for WrongLeases {
    async fn create(
        &self,
        session: &Session,
        now: UnixTime,
    ) -> Result<(Handle, Version), StorageError> {
        self.memory.create(session, now).await
    }

    async fn replace(
        &self,
        handle: &Handle,
        expected: Version,
        session: &Session,
        now: UnixTime,
    ) -> Result<Replaced, StorageError> {
        self.memory.replace(handle, expected, session, now).await
    }

    async fn lifetime_reached(
        &self,
        handle: &Handle,
        now: UnixTime,
    ) -> Result<Option<SessionId>, StorageError> {
        self.memory.lifetime_reached(handle, now).await
    }

    async fn remove(&self, handle: &Handle) -> Result<(), StorageError> {
        if self.fault != LeaseFault::RemoveKeepsTheLease {
            return self.memory.remove(handle).await;
        }
        if let Some(stored) = self.memory.load(handle, common::NOW).await? {
            let subject = stored.session.claims().sub.clone();
            self.memory
                .remove_all(&logout(None, Some(&subject)))
                .await?;
        }
        Ok(())
    }

    async fn remove_all(&self, logout: &Logout) -> Result<Option<u64>, StorageError> {
        self.memory.remove_all(logout).await
    }

    async fn is_first_use(&self, name: &str, ttl: Duration) -> Result<bool, StorageError> {
        match self.fault {
            LeaseFault::EveryUseIsTheFirst => Ok(true),
            _ => self.memory.is_first_use(name, ttl).await,
        }
    }

    async fn lease(&self, handle: &Handle, ttl: Duration) -> Result<Option<Lease>, StorageError> {
        let ttl = match self.fault {
            LeaseFault::NeverEnds => Duration::from_secs(3_600),
            LeaseFault::EndsTooEarly => Duration::from_millis(ttl.as_secs().max(1)),
            _ => ttl,
        };
        let lease = self.memory.lease(handle, ttl).await?;
        Ok(lease.map(|lease| match self.fault {
            LeaseFault::TakeoverIsSecret => Lease::held_by(lease.token().unwrap()),
            LeaseFault::EverythingIsTakenOver => lease.taken_over(),
            _ => lease,
        }))
    }

    async fn renew(
        &self,
        handle: &Handle,
        lease: &Lease,
        ttl: Duration,
    ) -> Result<bool, StorageError> {
        match self.fault {
            LeaseFault::RenewDoesNothing => {
                let theirs = self.memory.renew(handle, lease, Duration::MAX).await?;
                if theirs {
                    self.memory
                        .renew(handle, lease, Duration::from_millis(100))
                        .await?;
                }
                Ok(theirs)
            }
            LeaseFault::RenewRefuses => Ok(false),
            LeaseFault::RenewTakesTheLostBack => {
                self.memory.renew(handle, lease, ttl).await?;
                Ok(lease.token() != Some("another holder"))
            }
            _ => self.memory.renew(handle, lease, ttl).await,
        }
    }

    async fn release(&self, handle: &Handle, lease: Lease) -> Result<(), StorageError> {
        match self.fault {
            LeaseFault::ReleaseDoesNothing => Ok(()),
            LeaseFault::ReleaseTakesFromOthers => {
                // Grants are numbered.
                for number in 1..1_000 {
                    let guessed = Lease::held_by(number.to_string());
                    self.memory.release(handle, guessed).await?;
                }
                Ok(())
            }
            _ => self.memory.release(handle, lease).await,
        }
    }
}

#[tokio::test]
async fn the_suite_notices_every_fault_of_leases() {
    let exclude = "one process at a time may refresh a session";
    let end = "a lease that is not renewed ends";
    let stay = "a lease that its holder renews keeps the others out";
    let drop = "removing a session drops its lease";
    for (fault, rule) in [
        (LeaseFault::NeverEnds, end),
        (LeaseFault::EndsTooEarly, end),
        (LeaseFault::TakeoverIsSecret, end),
        (LeaseFault::EverythingIsTakenOver, exclude),
        (LeaseFault::RenewDoesNothing, stay),
        (LeaseFault::RenewRefuses, exclude),
        (LeaseFault::RenewTakesTheLostBack, end),
        (LeaseFault::ReleaseTakesFromOthers, exclude),
        (LeaseFault::ReleaseDoesNothing, exclude),
        (LeaseFault::RemoveKeepsTheLease, drop),
        (LeaseFault::EveryUseIsTheFirst, "a name is used"),
    ] {
        let storage: Arc<dyn SessionStorage> = Arc::new(WrongLeases {
            memory: memory(),
            fault,
        });
        let result =
            conformance::run(promises(StorageKind::Shared), async || storage.clone()).await;
        let violation = result.expect_err(&format!("{fault:?} was not noticed"));
        assert!(violation.rule.starts_with(rule), "{fault:?}: {violation}");
    }
    let storage: Arc<dyn SessionStorage> = Arc::new(WrongLeases {
        memory: memory(),
        fault: LeaseFault::None,
    });
    conformance::run(promises(StorageKind::Shared), async || storage.clone())
        .await
        .unwrap();
}

#[tokio::test]
async fn the_suite_notices_separate_places_and_leases_for_everybody() {
    // `Wrong` has the default of the trait, which is for places that nobody shares.
    let memory_of_one = Wrong {
        memory: memory(),
        fault: Fault::GrantsEveryLease,
    };
    let storage: Arc<dyn SessionStorage> = Arc::new(memory_of_one);
    let result = conformance::run(promises(StorageKind::Shared), async || storage.clone()).await;
    assert_eq!(
        result.unwrap_err().rule,
        "one process at a time may refresh a session"
    );

    let separate = async || Arc::new(memory()) as _;
    let result = conformance::run(promises(StorageKind::Shared), separate).await;
    assert_eq!(
        result.unwrap_err().rule,
        "of concurrent writers exactly one wins"
    );
}
