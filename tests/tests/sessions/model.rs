//! Anything may happen, in any order: the refresher against Logto's model of refresh tokens.
//!
//! Two users are signed in at an application of two processes on one store. Time passes, answers get
//! lost, writes fail, keys rotate, administrators revoke, users sign out. After every step:
//!
//! - I1: a session only ever has tokens of its own user;
//! - I2: no refresh token is sent that was consumed more than three seconds ago;
//! - I3: while the provider considers a grant alive, its session is alive;
//! - I4: a step makes no more token requests than it has to, plus those for injected faults;
//! - I5: after a sign-out no token of that session is handed out.
//!
//! Faults come one at a time: an answer that is lost twice in a row cannot be saved by anybody.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use logto_client::{
    AccessToken, Error, LogtoClient, TokenTarget, WritableSession, core::sign_out::SignOut,
    error::Advice, storage::Handle,
};
use logto_storage::{
    MemoryStorage,
    faulty::{Fault, FaultyStorage, Operation},
};
use logto_testkit::{
    KeyType, LogtoBuilder, RsaKeys,
    demo::{ACME, SHOPPING_API},
};
use logto_tests::{
    raw::decode_jwt,
    world::{Mishap, World, in_paused_time},
};
use proptest::prelude::*;

const USERS: [&str; 2] = ["alice", "bob"];

#[derive(Clone, Debug)]
enum Step {
    /// A user's request at a process needs a token.
    Get {
        user: usize,
        process: usize,
        target: usize,
        anew: bool,
    },
    /// Requests at both processes need tokens at once.
    GetAtOnce {
        user: usize,
        target: usize,
    },
    Wait {
        seconds: u64,
    },
    NetworkFails {
        how: usize,
    },
    StoreFails {
        writes: u64,
    },
    RotateKeys {
        rsa: bool,
    },
    LeaveOrganization,
    Revoke {
        user: usize,
    },
    SignOut {
        user: usize,
        process: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (user, process, target) = (0..2_usize, 0..2_usize, 0..4_usize);
    let step = prop_oneof![
        8 => (user.clone(), process.clone(), target.clone(), any::<bool>())
            .prop_map(|(user, process, target, anew)| Step::Get { user, process, target, anew }),
        3 => (user.clone(), target).prop_map(|(user, target)| Step::GetAtOnce { user, target }),
        5 => prop::sample::select(vec![1, 2, 4, 20, 300, 3_600, 86_400, 500_000])
            .prop_map(|seconds| Step::Wait { seconds }),
        4 => (0..6_usize).prop_map(|how| Step::NetworkFails { how }),
        2 => (1..4_u64).prop_map(|writes| Step::StoreFails { writes }),
        1 => any::<bool>().prop_map(|rsa| Step::RotateKeys { rsa }),
        1 => Just(Step::LeaveOrganization),
        1 => user.clone().prop_map(|user| Step::Revoke { user }),
        1 => (user, process).prop_map(|(user, process)| Step::SignOut { user, process }),
    ];
    prop::collection::vec(step, 1..30)
}

/// After a refusal, one more request learns whether the refresh token was replaced.
fn is_refused(token: &Option<Result<AccessToken, Error>>) -> bool {
    matches!(token, Some(Err(error)) if error.server().is_some())
}

fn target(number: usize) -> TokenTarget {
    match number {
        0 => TokenTarget::user_info(),
        1 => TokenTarget::resource(SHOPPING_API),
        2 => TokenTarget::organization(ACME),
        _ => TokenTarget::resource(SHOPPING_API).in_organization(ACME),
    }
}

struct Model {
    world: World,
    store: Arc<FaultyStorage<MemoryStorage>>,
    processes: [LogtoClient; 2],
    users: Vec<User>,
    /// How many token requests the injected faults still excuse.
    excused: usize,
}

struct User {
    sub: String,
    handle: Handle,
    /// Opened when the user signed in, by a request that never ends.
    open: WritableSession,
    refresh_token: String,
    signed_out: bool,
}

impl Model {
    async fn new(public: bool) -> Self {
        static RSA_KEYS: LazyLock<RsaKeys> = LazyLock::new(RsaKeys::default);
        let tenant = |logto: LogtoBuilder| logto.rsa_keys(&RSA_KEYS);
        let world = match public {
            true => World::public(|app| app, tenant),
            false => World::with(|app| app, tenant),
        };
        let store = Arc::new(FaultyStorage::new(MemoryStorage::new()));
        let processes = [(); 2].map(|()| world.client(Arc::clone(&store)));
        let mut users = Vec::new();
        for name in USERS {
            let open = world.sign_in(&processes[0], name).await.session;
            let session = open.snapshot();
            users.push(User {
                sub: session.claims().sub.clone(),
                handle: open.handle(),
                refresh_token: session.refresh_token().unwrap().expose().to_owned(),
                open,
                signed_out: false,
            });
        }
        Self {
            world,
            store,
            processes,
            users,
            excused: 0,
        }
    }

    async fn take(&mut self, step: &Step) {
        let calls = self.world.token_calls();
        let mut allowed = 0;
        match *step {
            Step::Get {
                user,
                process,
                target: number,
                anew,
            } => {
                allowed = 1;
                let token = self.get(user, process, &target(number), anew).await;
                allowed += usize::from(is_refused(&token));
                self.check(user, &target(number), token);
            }
            Step::GetAtOnce {
                user,
                target: number,
            } => {
                allowed = 1;
                let number = target(number);
                let (one, other) = tokio::join!(
                    self.get(user, 0, &number, false),
                    self.get(user, 1, &number, false)
                );
                // A fault can make the first fail and the second try again.
                if matches!(one, Some(Err(_))) || matches!(other, Some(Err(_))) {
                    allowed = 2;
                }
                allowed += usize::from(is_refused(&one)) + usize::from(is_refused(&other));
                self.check(user, &number, one);
                self.check(user, &number, other);
            }
            Step::Wait { seconds } => self.world.clock.advance(Duration::from_secs(seconds)),
            Step::NetworkFails { how } => {
                self.world.network.mend();
                self.excused = 3;
                self.world.network.next("/token", mishap(how));
            }
            Step::StoreFails { writes } => {
                let next = self.store.calls(Operation::Replace) + 1;
                for nth in next..next + writes {
                    self.store.fail(Operation::Replace, nth, Fault::Before);
                }
            }
            Step::RotateKeys { rsa } => {
                let key_type = if rsa { KeyType::Rsa } else { KeyType::Ec };
                self.world.logto.rotate_keys(key_type).unwrap();
            }
            Step::LeaveOrganization => {
                self.world.logto.remove_member(ACME, "alice");
            }
            Step::Revoke { user } => {
                let latest = self.latest_refresh_token(user);
                self.world.logto.revoke_grant(&latest);
            }
            Step::SignOut { user, process } => {
                if let Ok(Some(session)) = self.processes[process]
                    .session(&self.users[user].handle)
                    .await
                {
                    session.sign_out(&SignOut::new()).await.unwrap();
                    self.users[user].signed_out = true;
                }
            }
        }
        let made = self.world.token_calls() - calls;
        assert!(
            made <= allowed + self.excused,
            "I4: {made} token requests at {step:?}"
        );
        if made > 0 {
            self.excused = 0;
        }
        assert_eq!(self.world.logto.late_replays(), 0, "I2: at {step:?}");
    }

    /// What a request of this user gets; `None` when it finds no session.
    async fn get(
        &self,
        user: usize,
        process: usize,
        target: &TokenTarget,
        anew: bool,
    ) -> Option<Result<AccessToken, Error>> {
        let session = self.processes[process]
            .session(&self.users[user].handle)
            .await
            .unwrap()?;
        assert_eq!(session.claims().sub, self.users[user].sub, "I1");
        Some(match anew {
            true => session.refresh_access_token(target).await,
            false => session.access_token(target).await,
        })
    }

    fn check(&self, user: usize, target: &TokenTarget, token: Option<Result<AccessToken, Error>>) {
        let is_signed_out = self.users[user].signed_out;
        match token {
            Some(Ok(token)) => {
                assert!(!is_signed_out, "I5");
                if target.resource_indicator().is_some() || target.organization_id().is_some() {
                    let (_, claims) = decode_jwt(token.token.expose());
                    assert_eq!(claims["sub"], self.users[user].sub.as_str(), "I1");
                }
            }
            Some(Err(error)) if error.advice() == Advice::SignInAgain => {
                assert!(is_signed_out || !self.grant_is_alive(user), "I3: {error}");
            }
            None => assert!(
                is_signed_out || !self.grant_is_alive(user),
                "I3: no session"
            ),
            Some(Err(_)) => {}
        }
    }

    fn latest_refresh_token(&self, user: usize) -> String {
        let first = &self.users[user].refresh_token;
        self.world
            .logto
            .latest_refresh_token(first)
            .unwrap_or_else(|| first.clone())
    }

    fn grant_is_alive(&self, user: usize) -> bool {
        self.world
            .logto
            .refresh_token_is_usable(&self.latest_refresh_token(user))
    }

    /// Everything works again: who should be signed in is, who should not is not.
    async fn end(mut self) {
        self.world.network.mend();
        self.excused = 0;
        for user in 0..self.users.len() {
            let alive = self.grant_is_alive(user) && !self.users[user].signed_out;
            for process in 0..2 {
                let token = self
                    .get(user, process, &TokenTarget::user_info(), true)
                    .await;
                assert_eq!(matches!(token, Some(Ok(_))), alive, "I3: {token:?}");
            }
            if self.users[user].signed_out {
                let open = &self.users[user].open;
                assert!(open.refresh_access_token(&target(1)).await.is_err(), "I5");
            }
        }
        assert_eq!(self.world.logto.late_replays(), 0, "I2");
    }
}

fn mishap(how: usize) -> Mishap {
    match how {
        0 => Mishap::Refused,
        1 => Mishap::AnswerLost,
        2 => Mishap::RequestLost,
        3 => Mishap::Answered(503, "text/html", "<html>maintenance</html>"),
        4 => Mishap::Garbled(502, "text/html", "<html>bad gateway</html>"),
        _ => Mishap::Garbled(200, "application/json", "{\"access_token\":\"trunc"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn i1_to_i5_hold_whatever_happens(public in any::<bool>(), steps in steps()) {
        in_paused_time(async {
            let mut model = Model::new(public).await;
            for step in &steps {
                model.take(step).await;
            }
            model.end().await;
        });
    }
}
