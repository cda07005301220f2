//! What is explored with every test run, and what at night.

use std::{cell::RefCell, time::Duration};

use logto_core::refresh::Demand;

use crate::{
    provider::Rotation,
    setup::{
        Beginning, Defect,
        Fault::{self, *},
        Kinds, Place, Setup,
    },
};

const SINGLE: Place = Place::Cookies {
    single_process: true,
};
const COOKIES: Place = Place::Cookies {
    single_process: false,
};
const STORE: Place = Place::Store;

/// A token lives for an hour, and not long enough any more when time has passed.
const LONG_LIVED: Demand = Demand::MinRemaining(Duration::from_secs(3_599));

/// Where sessions of several processes live, and whether the processes share a ledger.
const PLACES: [(Place, bool); 4] = [
    (COOKIES, false),
    (COOKIES, true),
    (STORE, false),
    (STORE, true),
];

/// What may become of a refresh request, and of the process that sends it.
const OF_A_REFRESH: &[Fault] = &[
    NotSent,
    RequestLost,
    RequestAdrift,
    AnswerLost,
    ErrorBefore,
    ErrorAfter,
    TooMany,
    Withheld,
    Denied,
    UnknownKey,
    BadIdToken,
    Slow,
    Killed,
    Stalled,
];
/// What may become of the store, of a lease, and of those who have it.
const OF_A_STORE: &[Fault] = &[StoreDown, LeaseForgotten, Killed, Stalled, SignedInAgain];
const OF_A_LEASE: &[Fault] = &[StoreDown, LedgerDown, LeaseForgotten, Killed, Stalled, Slow];
/// How the ID token of an answer is no use.
const OF_AN_ID_TOKEN: &[Fault] = &[UnknownKey, BadIdToken, RequestLost, NotStored];
/// How a write fails, or seems to.
const OF_A_WRITE: &[Fault] = &[StoreDown, WriteUnknown, Conflict, Forget, Slow];
/// How a lease is taken over, and what the one who did that does not find out.
const OF_A_TAKEOVER: &[Fault] = &[Stalled, Killed, StoreDown, Withheld, RequestLost, Forget];
/// What may happen to two of three processes.
const OF_THREE: &[Fault] = &[
    AnswerLost,
    Slow,
    Stalled,
    Killed,
    LeaseForgotten,
    LedgerDown,
];
/// What may happen around a ledger that fails.
const OF_A_LEDGER: &[Fault] = &[
    LedgerDown,
    AnswerLost,
    ErrorAfter,
    RequestAdrift,
    ResponseLost,
    NotStored,
    Slow,
];
/// How a cookie does not reach the browser.
const OF_A_COOKIE: &[Fault] = &[ResponseLost, NotStored, Killed];
/// What others find who cannot ask.
const OF_A_PROCESS: &[Fault] = &[AnswerLost, Killed, Stalled, Slow, ClockForward];
const OF_A_CALLBACK: &[Fault] = &[
    CallbackTwice,
    NotSent,
    AnswerLost,
    ResponseLost,
    Slow,
    Killed,
    StaleRead,
];
/// Who ends a session, and how others do not learn of it.
const OF_AN_END: &[Fault] = &[SignOut, SignOutHere, BackChannelLogout, LedgerDown, Killed];

/// What a process may have forgotten, and how it does not learn it again.
const OF_FORGETTING: &[Fault] = &[
    EndsForgotten,
    SignOut,
    BackChannelLogout,
    Withdrawn,
    RequestLost,
    Slow,
];

/// Two requests, time passes once, and anything goes wrong once.
fn setup(place: Place) -> Setup {
    Setup {
        place,
        has_shared_ledger: false,
        defect: None,
        may_introspect: true,
        begins_with: Beginning::Session,
        rotation: Rotation::EachUse,
        first_expires_at: None,
        processes: if place == SINGLE { 1 } else { 2 },
        targets: 1,
        demand: Demand::Usable,
        requests: 2,
        pauses: 1,
        faults: 1,
        kinds: Kinds::Every,
        edges: RefCell::default(),
    }
}

/// A refresh token that was replaced expires while a request with it is on its way. It is refused, and the
/// grant goes on.
fn refused() -> Setup {
    Setup {
        first_expires_at: Some(3_100),
        faults: 2,
        kinds: Kinds::Only(&[Slow, LeaseForgotten]),
        ..setup(STORE)
    }
}

/// Somebody ends a session in cookies, and other processes have to learn of it.
fn ending() -> Setup {
    Setup {
        has_shared_ledger: true,
        requests: 1,
        faults: 2,
        kinds: Kinds::Only(OF_AN_END),
        ..setup(COOKIES)
    }
}

/// A process forgets which sessions have ended, and asks Logto before it opens this one.
fn forgetting(place: Place) -> Setup {
    Setup {
        faults: 2,
        kinds: Kinds::Only(OF_FORGETTING),
        ..setup(place)
    }
}

/// Defects, how the exploration finds each of them out, and in how many steps.
pub(crate) fn defective() -> [(Setup, String, usize); 12] {
    let lost = |how| format!("a session is lost, and no row tells why: {how}");
    [
        (
            Setup {
                defect: Some(Defect::LeasesExcludeNobody),
                ..setup(STORE)
            },
            "under a lease that another process has".to_owned(),
            9,
        ),
        (
            Setup {
                defect: Some(Defect::TakeoversAreHidden),
                kinds: Kinds::Only(&[Stalled]),
                ..setup(STORE)
            },
            lost("LateReplay after [Stalled]"),
            20,
        ),
        (
            Setup {
                defect: Some(Defect::EverythingIsActive),
                faults: 0,
                ..setup(COOKIES)
            },
            lost("LateReplay after []"),
            14,
        ),
        (
            Setup {
                defect: Some(Defect::NothingIsTooLate),
                kinds: Kinds::Only(&[Stalled]),
                ..setup(STORE)
            },
            "under a lease that another process has".to_owned(),
            12,
        ),
        (
            Setup {
                defect: Some(Defect::RefusalsAreBelieved),
                may_introspect: false,
                ..refused()
            },
            "a session is removed that had a newer refresh token".to_owned(),
            18,
        ),
        (
            Setup {
                defect: Some(Defect::EndsAreNotLearned),
                ..ending()
            },
            "a session that was ended gives a token".to_owned(),
            1,
        ),
        (
            Setup {
                defect: Some(Defect::DoubtsAreIgnored),
                ..forgetting(COOKIES)
            },
            "a session that has ended is trusted again".to_owned(),
            6,
        ),
        (
            Setup {
                defect: Some(Defect::ConfirmationsAreIgnored),
                ..forgetting(SINGLE)
            },
            "a session that has ended is trusted again".to_owned(),
            6,
        ),
        (
            Setup {
                defect: Some(Defect::WitnessesAreSilenced),
                ..forgetting(COOKIES)
            },
            lost("Removed after [EndsForgotten]"),
            13,
        ),
        (
            Setup {
                defect: Some(Defect::NothingIsReplayed),
                kinds: Kinds::Only(&[AnswerLost]),
                ..setup(STORE)
            },
            lost("Unheld(NotReplayed) after [AnswerLost]"),
            9,
        ),
        (
            Setup {
                defect: Some(Defect::NoReplayAfter5xx),
                kinds: Kinds::Only(&[ErrorAfter]),
                ..setup(COOKIES)
            },
            lost("Unheld(NotReplayed) after [ErrorAfter]"),
            7,
        ),
        (
            Setup {
                defect: Some(Defect::StoredAfterJudging),
                faults: 2,
                kinds: Kinds::Only(&[UnknownKey, Killed]),
                ..setup(STORE)
            },
            lost("Unheld(Received) after [UnknownKey, Killed]"),
            8,
        ),
    ]
}

/// At most a minute on two cores.
pub(crate) fn short() -> Vec<Setup> {
    let mut setups = vec![
        Setup {
            pauses: 2,
            ..setup(SINGLE)
        },
        Setup {
            rotation: Rotation::Past70Percent,
            pauses: 2,
            ..setup(COOKIES)
        },
        Setup {
            demand: Demand::New,
            ..setup(STORE)
        },
        Setup {
            requests: 3,
            pauses: 2,
            kinds: Kinds::Only(OF_A_COOKIE),
            ..setup(COOKIES)
        },
        Setup {
            faults: 2,
            kinds: Kinds::Only(OF_A_COOKIE),
            ..setup(COOKIES)
        },
        Setup {
            demand: LONG_LIVED,
            kinds: Kinds::Only(OF_A_COOKIE),
            ..setup(COOKIES)
        },
        Setup {
            demand: LONG_LIVED,
            kinds: Kinds::Only(OF_A_WRITE),
            ..setup(STORE)
        },
        // A refresh token that nobody spends.
        Setup {
            demand: Demand::Renewal,
            rotation: Rotation::Past70Percent,
            ..setup(COOKIES)
        },
        Setup {
            demand: Demand::Renewal,
            ..setup(STORE)
        },
        // What was said about a refresh token that was not spent then.
        Setup {
            requests: 3,
            pauses: 2,
            kinds: Kinds::Only(&[TooMany]),
            ..setup(COOKIES)
        },
        Setup {
            first_expires_at: Some(3_100),
            kinds: Kinds::Only(&[Slow]),
            ..setup(COOKIES)
        },
        refused(),
        Setup {
            may_introspect: false,
            ..refused()
        },
        Setup {
            may_introspect: false,
            kinds: Kinds::Only(OF_A_PROCESS),
            ..setup(COOKIES)
        },
        Setup {
            may_introspect: false,
            kinds: Kinds::Only(OF_A_PROCESS),
            ..setup(STORE)
        },
        Setup {
            requests: 1,
            faults: 2,
            kinds: Kinds::Only(OF_A_REFRESH),
            ..setup(STORE)
        },
        Setup {
            faults: 2,
            kinds: Kinds::Only(OF_A_STORE),
            ..setup(STORE)
        },
    ];
    // An answer that does not replace the refresh token.
    setups.extend([COOKIES, STORE].map(|place| Setup {
        rotation: Rotation::Past70Percent,
        demand: Demand::New,
        faults: 2,
        kinds: Kinds::Only(OF_AN_ID_TOKEN),
        ..setup(place)
    }));
    // The same, while the storage does not have the refresh token.
    setups.push(Setup {
        rotation: Rotation::Past70Percent,
        demand: Demand::New,
        pauses: 0,
        faults: 3,
        kinds: Kinds::Only(&[StoreDown, UnknownKey, BadIdToken, RequestLost]),
        ..setup(STORE)
    });
    // A token is forgotten while the session ends.
    for (place, has_shared_ledger) in [(COOKIES, true), (STORE, false)] {
        setups.push(Setup {
            has_shared_ledger,
            requests: 1,
            pauses: 0,
            faults: 2,
            kinds: Kinds::Only(&[Forget, BackChannelLogout, StoreDown]),
            ..setup(place)
        });
    }
    // A lease that runs out while Logto is asked.
    setups.push(Setup {
        pauses: 2,
        faults: 2,
        kinds: Kinds::Only(&[Killed, Stalled]),
        ..setup(STORE)
    });
    setups.push(ending());
    // A sign-out while the store does not answer.
    setups.push(Setup {
        requests: 1,
        faults: 2,
        kinds: Kinds::Only(&[SignOut, SignOutHere, StoreDown]),
        ..setup(STORE)
    });
    setups.extend([SINGLE, COOKIES].map(forgetting));
    setups.push(Setup {
        has_shared_ledger: true,
        requests: 1,
        kinds: Kinds::Only(&[EndsForgotten, BackChannelLogout, LedgerDown]),
        ..forgetting(COOKIES)
    });
    for (place, has_shared_ledger) in [(COOKIES, true), (STORE, false)] {
        setups.push(Setup {
            has_shared_ledger,
            pauses: 2,
            kinds: Kinds::Only(OF_A_LEASE),
            ..setup(place)
        });
    }
    for (place, has_shared_ledger) in PLACES {
        setups.push(Setup {
            has_shared_ledger,
            begins_with: Beginning::Callback,
            requests: 1,
            faults: 2,
            kinds: Kinds::Only(OF_A_CALLBACK),
            ..setup(place)
        });
    }
    for (place, has_shared_ledger) in PLACES {
        for (processes, targets) in [(2, 1), (3, 1), (2, 2)] {
            if (place, has_shared_ledger, targets) == (STORE, true, 2) {
                continue; // At night: it takes a fifth of the time.
            }
            setups.push(Setup {
                has_shared_ledger,
                processes,
                targets,
                ..setup(place)
            });
        }
    }
    setups
}

/// Some twenty-six million states.
pub(crate) fn long() -> Vec<Setup> {
    let mut setups = short();
    setups.push(Setup {
        has_shared_ledger: true,
        targets: 2,
        ..setup(STORE)
    });
    for (place, has_shared_ledger) in PLACES {
        setups.push(Setup {
            has_shared_ledger,
            processes: 3,
            faults: 2,
            kinds: Kinds::Only(OF_THREE),
            ..setup(place)
        });
        setups.push(Setup {
            has_shared_ledger,
            demand: LONG_LIVED,
            ..setup(place)
        });
    }
    setups.push(Setup {
        faults: 2,
        kinds: Kinds::Only(OF_A_TAKEOVER),
        ..setup(STORE)
    });
    setups.push(Setup {
        has_shared_ledger: true,
        ..forgetting(COOKIES)
    });
    for (place, has_shared_ledger) in PLACES {
        setups.push(Setup {
            has_shared_ledger,
            processes: 3,
            targets: 2,
            ..setup(place)
        });
        setups.push(Setup {
            has_shared_ledger,
            faults: 2,
            // With a ledger, two faults of every kind take more memory than such a machine has.
            kinds: match has_shared_ledger {
                true => Kinds::Only(OF_A_LEDGER),
                false => Kinds::Every,
            },
            ..setup(place)
        });
    }
    setups.push(Setup {
        faults: 2,
        ..setup(SINGLE)
    });
    setups.push(Setup {
        first_expires_at: Some(7_000),
        pauses: 2,
        faults: 2,
        kinds: Kinds::Only(&[Slow, Stalled]),
        ..setup(STORE)
    });
    setups.push(Setup {
        processes: 3,
        requests: 3,
        targets: 2,
        ..setup(COOKIES)
    });
    setups.push(Setup {
        processes: 3,
        requests: 3,
        ..setup(STORE)
    });
    setups
}
