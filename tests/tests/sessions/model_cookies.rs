//! Anything may happen, in any order, to a session in cookies: requests that still carry an old cookie,
//! responses that never arrive, places that cannot store, answers that get lost. After every step:
//!
//! - I1: the session is its user's;
//! - I2: no refresh token is sent that was consumed more than three seconds ago;
//! - I3: while the provider considers the grant alive, so is the session;
//! - I4: a step makes at most one token request, besides those that an injected fault excuses;
//! - I5: after a sign-out no token of the session is handed out, whatever cookie asks.
//!
//! Of processes that share nothing only the first two can be asked: what one does not know of it cannot
//! give, but it ends nothing.

use std::time::Duration;

use logto_client::{AccessToken, Error, TokenTarget, error::Advice, web::LogtoWeb};
use logto_testkit::{
    KeyType,
    demo::{ACME, SHOPPING_API},
};
use logto_tests::{
    stage::{codec, cookie_storage, key_ring},
    visitor::{Visit, Visitor},
    world::{Mishap, World, in_paused_time, refresh_token_of},
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// A request begins with the cookies of now, and waits.
    Begin,
    /// A request needs a token: one that waits, or a new one; its response may get lost.
    Ask {
        waiting: Option<usize>,
        target: usize,
        arrives: bool,
    },
    /// The same in a place that cannot store.
    AskWithoutStoring {
        waiting: Option<usize>,
        target: usize,
    },
    Wait {
        seconds: u64,
    },
    NetworkFails {
        how: usize,
    },
    RotateKeys,
    Revoke,
    SignOut,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let waiting = || prop::option::of(0..4_usize);
    let step = prop_oneof![
        4 => Just(Step::Begin),
        8 => (waiting(), 0..3_usize, any::<bool>())
            .prop_map(|(waiting, target, arrives)| Step::Ask { waiting, target, arrives }),
        2 => (waiting(), 0..3_usize)
            .prop_map(|(waiting, target)| Step::AskWithoutStoring { waiting, target }),
        5 => prop::sample::select(vec![1, 2, 4, 20, 300, 3_600, 7_200])
            .prop_map(|seconds| Step::Wait { seconds }),
        3 => (0..5_usize).prop_map(|how| Step::NetworkFails { how }),
        1 => Just(Step::RotateKeys),
        1 => Just(Step::Revoke),
        1 => Just(Step::SignOut),
    ];
    prop::collection::vec(step, 1..40)
}

fn target(number: usize) -> TokenTarget {
    match number {
        0 => TokenTarget::user_info(),
        1 => TokenTarget::resource(SHOPPING_API),
        _ => TokenTarget::organization(ACME),
    }
}

fn mishap(how: usize) -> Mishap {
    match how {
        0 => Mishap::Refused,
        1 => Mishap::AnswerLost,
        2 => Mishap::RequestLost,
        3 => Mishap::Answered(503, "text/html", "<html>maintenance</html>"),
        _ => Mishap::Garbled(502, "text/html", "<html>bad gateway</html>"),
    }
}

struct Model {
    world: World,
    /// Requests go to one after the other.
    processes: Vec<LogtoWeb>,
    alice: Visitor,
    sub: String,
    waiting: Vec<Visit>,
    first_refresh_token: String,
    signed_out: bool,
    excused: usize,
}

impl Model {
    async fn new(public: bool, processes: usize) -> Self {
        // Short-lived refresh tokens, so that those of a confidential application rotate too.
        let app = |app: logto_testkit::App| app.refresh_token_ttl(Duration::from_secs(50_000));
        let world = match public {
            true => World::public(|app| app, |tenant| tenant),
            false => World::with(app, |tenant| tenant),
        };
        let process = || {
            let client = world.client(cookie_storage(&world));
            LogtoWeb::new(client, codec(), key_ring())
        };
        let processes: Vec<LogtoWeb> = (0..processes).map(|_| process()).collect();
        let alice = Visitor::new(&world.logto);
        alice.sign_in(&processes[0], "alice").await;
        let session = alice.get("/").look(&processes[0]).await.unwrap().unwrap();
        let first_refresh_token = refresh_token_of(session.snapshot());
        let sub = session.claims().sub.clone();
        Self {
            world,
            processes,
            alice,
            sub,
            waiting: Vec::new(),
            first_refresh_token,
            signed_out: false,
            excused: 0,
        }
    }

    /// A request that waits, or a new one.
    fn visit(&mut self, waiting: Option<usize>) -> Visit {
        match waiting.filter(|n| *n < self.waiting.len()) {
            Some(n) => self.waiting.remove(n),
            None => self.alice.get("/page"),
        }
    }

    /// The process that serves the next request.
    fn web(&mut self) -> LogtoWeb {
        self.processes.rotate_left(1);
        self.processes[0].clone()
    }

    fn is_alone(&self) -> bool {
        self.processes.len() == 1
    }

    fn is_alive(&self) -> bool {
        let latest = self
            .world
            .logto
            .latest_refresh_token(&self.first_refresh_token)
            .unwrap();
        self.world.logto.refresh_token_is_usable(&latest)
    }

    async fn take(&mut self, step: &Step) {
        let calls = self.world.token_calls();
        let web = self.web();
        match *step {
            Step::Begin => {
                let visit = self.alice.get("/page");
                self.waiting.push(visit);
            }
            Step::Ask {
                waiting,
                target: number,
                arrives,
            } => {
                let visit = self.visit(waiting);
                let token = match arrives {
                    true => visit.token(&web, &target(number)).await,
                    false => visit.token_and_lost_response(&web, &target(number)).await,
                };
                self.check(token);
            }
            Step::AskWithoutStoring {
                waiting,
                target: number,
            } => {
                let visit = self.visit(waiting);
                self.check(visit.token_without_storing(&web, &target(number)).await);
            }
            Step::Wait { seconds } => self.world.clock.advance(Duration::from_secs(seconds)),
            Step::NetworkFails { how } => {
                self.world.network.mend();
                self.world.network.next("/token", mishap(how));
                self.excused = 1;
            }
            Step::RotateKeys => self.world.logto.rotate_keys(KeyType::Ec).unwrap(),
            Step::Revoke => {
                let latest = self
                    .world
                    .logto
                    .latest_refresh_token(&self.first_refresh_token);
                self.world.logto.revoke_grant(&latest.unwrap());
            }
            Step::SignOut => {
                self.signed_out |= self.alice.is_signed_in(&web).await;
                self.alice.sign_out(&web).await;
            }
        }
        let made = self.world.token_calls() - calls;
        assert!(
            made <= 1 + self.excused,
            "I4: {made} token requests at {step:?}"
        );
        if made > 0 {
            self.excused = 0;
        }
        assert_eq!(self.world.logto.late_replays(), 0, "I2: at {step:?}");
        if let Some(session) = self.alice.get("/").look(&web).await.unwrap() {
            assert_eq!(session.claims().sub, self.sub, "I1");
        }
    }

    fn check(&self, token: Result<AccessToken, Error>) {
        match token {
            _ if !self.is_alone() => {}
            Ok(_) => assert!(!self.signed_out, "I5"),
            // The answer also when nobody is signed in any more.
            Err(error)
                if error.advice() == Advice::SignInAgain || error.code() == "not_authenticated" =>
            {
                assert!(self.signed_out || !self.is_alive(), "I3: {error}");
            }
            Err(_) => {}
        }
    }

    /// Everything works again, and the oldest cookies come last.
    async fn end(mut self) {
        self.world.network.mend();
        self.world.clock.advance(Duration::from_secs(4_000));
        let alive = self.is_alive() && !self.signed_out;
        let mut visits = vec![self.alice.get("/page")];
        visits.extend(self.waiting.drain(..).rev());
        for visit in visits {
            let carries_a_session = visit.headers().contains_key("cookie");
            let token = visit.token(&self.web(), &target(1)).await;
            if self.is_alone() {
                assert_eq!(token.is_ok(), alive && carries_a_session, "I3: {token:?}");
            }
        }
        assert_eq!(self.world.logto.late_replays(), 0, "I2");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn i1_to_i5_hold_for_a_session_in_cookies(public in any::<bool>(), steps in steps()) {
        in_paused_time(async {
            let mut model = Model::new(public, 1).await;
            for step in &steps {
                model.take(step).await;
            }
            model.end().await;
        });
    }
    #[test]
    fn i1_and_i2_hold_for_cookies_in_two_processes_that_share_nothing(
        public in any::<bool>(),
        steps in steps(),
    ) {
        in_paused_time(async {
            let mut model = Model::new(public, 2).await;
            for step in &steps {
                model.take(step).await;
            }
            model.end().await;
        });
    }
}
