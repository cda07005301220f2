//! Small data of the application in a session: set at the sign-in, read by every request until the next one.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Response, StatusCode};
use logto_client::{
    CompletedSignIn, Error, LogtoClient, TokenTarget,
    core::{
        error::{Advice, UsageError},
        session::SessionData,
        sign_in::DeviceSignIn,
    },
    event::Event,
    web::{CallbackOutcome, LogtoApp, LogtoWeb, SignInHook, cookies::CookieOptions},
};
use logto_storage::{
    CookieStorage, MemoryStorage,
    faulty::{Fault, FaultyStorage, Operation},
};
use logto_testkit::{App, demo::SHOPPING_API};
use logto_tests::{
    stage::{Deployment, Kind, Stage, codec, key_ring, short},
    visitor::{Visit, Visitor, location},
    world::{APP_ID, BASE_URL, World},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::app::Mounted;

const KINDS: [Kind; 3] = [Kind::Confidential300, Kind::Public, Kind::Young];

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Local {
    user_id: u64,
    theme: String,
}

fn local(user_id: u64) -> Local {
    Local {
        user_id,
        theme: "dark-and-secret".to_owned(),
    }
}

/// What the hook does with the session.
#[derive(Clone, Debug)]
enum Does {
    Nothing,
    Sets(Value),
    /// Sets data, and meanwhile fetches a token.
    SetsThenFetches(Value),
    /// Fetches a token, and meanwhile sets data.
    FetchesThenSets(Value),
    /// Sets data that does not fit, and goes on without.
    Ignores(Value),
}

/// A hook that does something else each time.
#[derive(Clone, Debug, Default)]
struct Hook(Arc<Mutex<Vec<Does>>>);

impl Hook {
    fn next(&self, does: Does) {
        self.0.lock().unwrap().insert(0, does);
    }

    fn sets(&self, data: &impl Serialize) {
        self.next(Does::Sets(serde_json::to_value(data).unwrap()));
    }
}

#[async_trait]
impl SignInHook for Hook {
    async fn on_sign_in(&self, completed: &mut CompletedSignIn) -> Result<(), Error> {
        let session = &completed.session;
        let does = self.0.lock().unwrap().pop();
        match does {
            None | Some(Does::Nothing) => {}
            Some(Does::Sets(data)) => session.set_data(&data).await?,
            Some(Does::SetsThenFetches(data)) => {
                let target = short();
                let (set, fetched) = tokio::join!(
                    biased;
                    session.set_data(&data),
                    session.access_token(&target),
                );
                fetched.and(set)?;
            }
            Some(Does::FetchesThenSets(data)) => {
                session.set_data("not for long").await?;
                let target = short();
                let (fetched, set) = tokio::join!(
                    biased;
                    session.access_token(&target),
                    session.set_data(&data),
                );
                fetched.and(set)?;
            }
            Some(Does::Ignores(data)) => drop(session.set_data(&data).await),
        }
        Ok(())
    }
}

fn app(web: &LogtoWeb, hook: &Hook) -> LogtoApp {
    LogtoApp::builder(web.clone())
        .on_sign_in(hook.clone())
        .build()
}

async fn send(app: &LogtoApp, visit: &Visit) -> Response<Bytes> {
    let route = app.route(visit.parts().uri.path()).expect("a route");
    app.answer(route, visit.parts(), &Bytes::new()).await
}

/// Begins a sign-in: the request that comes back from Logto.
async fn callback(app: &LogtoApp, visitor: &Visitor) -> Visit {
    let response = send(app, &visitor.get("/sign-in")).await;
    visitor.receive(response.headers());
    let callback = visitor.consent(&location(&response), "alice");
    visitor.get(callback.as_str().strip_prefix(BASE_URL).unwrap())
}

async fn sign_in(app: &LogtoApp, visitor: &Visitor) -> Response<Bytes> {
    let response = send(app, &callback(app, visitor).await).await;
    visitor.receive(response.headers());
    response
}

/// What a page that looks at the session finds, and one that may change it.
async fn found(visit: &Visit, web: &LogtoWeb) -> Option<Local> {
    let read_only = visit.look(web).await.unwrap().unwrap();
    let writable = web.session(visit.headers()).await.unwrap().unwrap();
    let data = read_only.data().unwrap();
    assert_eq!(writable.data().unwrap(), data);
    assert_eq!(writable.read_only().data().unwrap(), data);
    data
}

#[tokio::test(start_paused = true)]
async fn data_outlives_refreshes_rotations_and_old_cookies_in_every_process() {
    for kind in [Kind::Confidential300, Kind::Public] {
        for deployment in Deployment::ALL {
            let case = format!("{kind:?} {deployment:?}");
            let stage = Stage::empty(kind, deployment).await;
            let hook = Hook::default();
            hook.sets(&local(42));
            sign_in(&app(stage.web(0), &hook), &stage.alice).await;
            let first = stage.alice.get("/page");
            let mut before = stage.alice.get("/page");
            for process in [0, 1, 0, 1, 0, 1] {
                let web = stage.web(process);
                assert_eq!(found(&before, web).await, Some(local(42)), "{case}");
                stage.alice.token(web, &short()).await.unwrap();
                let now = stage.alice.get("/page");
                assert_eq!(found(&now, web).await, Some(local(42)), "{case}");
                // The cookie from before the refresh.
                assert_eq!(found(&before, web).await, Some(local(42)), "{case}");
                before = now;
                sleep(Duration::from_secs(50)).await;
            }
            for process in [0, 1] {
                let data = found(&first, stage.web(process)).await;
                assert_eq!(data, Some(local(42)), "{case}");
            }
            assert!(stage.outcome(0).await.alive, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_sign_in_sets_its_own_data() {
    for deployment in Deployment::ALL {
        let stage = Stage::empty(Kind::Young, deployment).await;
        let hook = Hook::default();
        let app = app(stage.web(0), &hook);
        let steps = [
            (Does::Sets(json!(local(1))), Some(local(1))),
            (Does::Sets(json!(local(2))), Some(local(2))),
            (Does::Nothing, None),
            (Does::SetsThenFetches(json!(local(3))), Some(local(3))),
            (Does::FetchesThenSets(json!(local(4))), Some(local(4))),
            (Does::Sets(Value::Null), None),
        ];
        for (does, expected) in steps {
            hook.next(does.clone());
            let response = sign_in(&app, &stage.alice).await;
            assert_eq!(response.status(), StatusCode::SEE_OTHER, "{does:?}");
            for process in [0, 1] {
                let data = found(&stage.alice.get("/page"), stage.web(process)).await;
                assert_eq!(data, expected, "{deployment:?} {does:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_fetched_while_data_is_set_is_kept_too() {
    for kind in KINDS {
        for deployment in Deployment::ALL {
            for does in [Does::SetsThenFetches, Does::FetchesThenSets] {
                let does = does(json!(local(3)));
                let case = format!("{kind:?} {deployment:?} {does:?}");
                let stage = Stage::empty(kind, deployment).await;
                let hook = Hook::default();
                hook.next(does);
                sign_in(&app(stage.web(0), &hook), &stage.alice).await;
                let calls = stage.token_calls();
                stage.alice.token(stage.web(1), &short()).await.unwrap();
                assert_eq!(stage.token_calls(), calls, "{case}");
                let data = found(&stage.alice.get("/page"), stage.web(1)).await;
                assert_eq!(data, Some(local(3)), "{case}");
                assert!(stage.outcome(0).await.alive, "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_the_browser_has_takes_no_data() {
    for deployment in Deployment::ALL {
        let stage = Stage::empty(Kind::Young, deployment).await;
        let hook = Hook::default();
        hook.sets(&local(1));
        let (web, app) = (stage.web(0), app(stage.web(0), &hook));
        let refused = |result: Result<(), Error>| {
            let error = result.unwrap_err();
            assert_eq!(error.code(), "session_not_new");
            assert_eq!(error.advice(), Advice::FixConfiguration);
        };
        sign_in(&app, &stage.alice).await;
        let visit = stage.alice.get("/page");
        let session = web.session(visit.headers()).await.unwrap().unwrap();
        refused(session.set_data(&local(2)).await);
        assert_eq!(session.changed_handle(), None);
        assert_eq!(found(&visit, web).await, Some(local(1)));

        // The cookies of this response are made.
        let callback = callback(&app, &stage.alice).await;
        let answer = web.callback(callback.parts(), &Bytes::new()).await;
        let CallbackOutcome::SignedIn(completed) = answer.outcome.unwrap() else {
            panic!("it is completed")
        };
        assert_eq!(completed.session.changed_handle(), None);
        refused(completed.session.set_data(&local(2)).await);
        completed.session.access_token(&short()).await.unwrap();
        let is_in_cookies = !matches!(deployment, Deployment::Memory | Deployment::Store);
        assert_eq!(completed.session.changed_handle().is_some(), is_in_cookies);
    }
}

#[tokio::test(start_paused = true)]
async fn data_that_does_not_fit_fails_the_sign_in_and_is_never_tried_again() {
    let limit = SessionData::MAX_LEN;
    for deployment in Deployment::ALL {
        for (bytes, status) in [
            (limit, StatusCode::SEE_OTHER),
            (limit + 1, StatusCode::INTERNAL_SERVER_ERROR),
        ] {
            let stage = Stage::empty(Kind::Young, deployment).await;
            let hook = Hook::default();
            hook.sets(&"x".repeat(bytes - 2));
            let response = sign_in(&app(stage.web(0), &hook), &stage.alice).await;
            assert_eq!(response.status(), status, "{deployment:?} {bytes}");
            let is_in = stage.alice.is_signed_in(stage.web(0)).await;
            assert_eq!(is_in, status == StatusCode::SEE_OTHER);
        }
        // Who does not mind goes on without.
        let stage = Stage::empty(Kind::Young, deployment).await;
        let hook = Hook::default();
        hook.next(Does::Ignores(json!("x".repeat(limit))));
        sign_in(&app(stage.web(0), &hook), &stage.alice).await;
        assert_eq!(
            found(&stage.alice.get("/page"), stage.web(0)).await,
            None,
            "{deployment:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn data_that_has_no_room_in_the_cookies_leaves_the_session_as_it_was() {
    // The session is large already.
    let world = World::new().configured(|config| config.scopes(["x".repeat(1_400)]));
    let _time = world.let_time_pass();
    let base_url = url::Url::parse(BASE_URL).unwrap();
    let codec = CookieOptions::new(&base_url, APP_ID).budget(4_096).build();
    let codec = codec.unwrap();
    let storage = CookieStorage::new(key_ring(), world.config(), &codec);
    let web = LogtoWeb::new(world.client(storage), codec, key_ring());
    let hook = Hook::default();
    let (app, alice) = (app(&web, &hook), Visitor::new(&world.logto));
    let large = json!("x".repeat(1_000));

    hook.next(Does::Sets(large.clone()));
    let response = sign_in(&app, &alice).await;
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(!alice.is_signed_in(&web).await);

    hook.next(Does::Ignores(large));
    sign_in(&app, &alice).await;
    let not_stored = || {
        let is_not_stored = |event: &Event| matches!(event, Event::NotStored { .. });
        world.events.count(is_not_stored)
    };
    let before = not_stored();
    assert_eq!(before, 2);
    for _ in 0..3 {
        let shopping = TokenTarget::resource(SHOPPING_API);
        alice.token(&web, &shopping).await.unwrap();
        assert_eq!(found(&alice.get("/page"), &web).await, None);
    }
    assert_eq!(not_stored(), before, "nobody tries to write it again");
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_is_down_fails_the_sign_in_and_a_reload_starts_it_again() {
    let stage = Stage::empty(Kind::Young, Deployment::Memory).await;
    for (faults, fault, is_in) in [
        (1, Fault::Before, true),
        (1, Fault::After, true),
        (4, Fault::Before, false),
    ] {
        let storage = Arc::new(FaultyStorage::new(MemoryStorage::new()));
        for nth in 1..=faults {
            storage.fail(Operation::Replace, nth, fault);
        }
        let client = stage.world.client(Arc::clone(&storage));
        let web = LogtoWeb::new(client, codec(), key_ring());
        let hook = Hook::default();
        let (app, alice) = (app(&web, &hook), Visitor::new(&stage.world.logto));
        hook.sets(&local(1));
        let callback = callback(&app, &alice).await;
        let response = send(&app, &callback).await;
        alice.receive(response.headers());
        assert_eq!(alice.is_signed_in(&web).await, is_in, "{fault:?}");
        if !is_in {
            assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
            assert!(storage.inner().is_empty(), "the session is removed");
            hook.sets(&local(1));
            let reload = alice.get(&callback.parts().uri.to_string());
            let response = send(&app, &reload).await;
            alice.receive(response.headers());
            let again = alice.consent(&location(&response), "alice");
            let again = alice.get(again.as_str().strip_prefix(BASE_URL).unwrap());
            alice.receive(send(&app, &again).await.headers());
        }
        let data = found(&alice.get("/page"), &web).await;
        assert_eq!(data, Some(local(1)), "{faults} {fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_double_click_sets_the_data_of_one_session() {
    for deployment in Deployment::ALL {
        let stage = Stage::empty(Kind::Young, deployment).await;
        let hook = Hook::default();
        hook.sets(&local(1));
        hook.sets(&local(1));
        let app = app(stage.web(0), &hook);
        let callback = callback(&app, &stage.alice).await;
        let (first, second) = tokio::join!(send(&app, &callback), send(&app, &callback));
        for response in [first, second] {
            assert_eq!(response.status(), StatusCode::SEE_OTHER);
            stage.alice.receive(response.headers());
            let data = found(&stage.alice.get("/page"), stage.web(0)).await;
            assert_eq!(data, Some(local(1)), "{deployment:?}");
        }
        assert!(stage.outcome(0).await.alive);
    }
}

#[tokio::test(start_paused = true)]
async fn data_of_another_type_asks_for_a_new_sign_in_and_shows_nothing() {
    let mounted = Mounted::new(Deployment::Memory, |builder| {
        let hook = Hook::default();
        hook.sets(&local(1));
        builder.on_sign_in(hook)
    });
    let mounted = mounted.await;
    mounted.sign_in("/sign-in").await;
    let web = mounted.stage.web(0);
    let visit = mounted.alice().get("/page");
    let read_only = visit.look(web).await.unwrap().unwrap();
    let writable = web.session(visit.headers()).await.unwrap().unwrap();
    for error in [read_only.data::<u64>(), writable.data::<u64>()] {
        let error = error.unwrap_err();
        assert_eq!(error.advice(), Advice::SignInAgain);
        assert!(error.to_string().contains("u64"));
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let events = mounted.stage.world.events.all();
    let shown = format!("{read_only:?} {writable:?} {events:?}");
    assert!(!shown.contains("secret"), "{shown}");
    let user = mounted.send(&mounted.alice().get("/user")).await;
    assert!(!format!("{user:?}").contains("secret"));
}

#[tokio::test(start_paused = true)]
async fn a_session_of_a_device_takes_data_until_its_handle_is_used() {
    let tenant = |logto: logto_testkit::LogtoBuilder| logto.app(App::native("tv").device_flow());
    let world = World::with(|app| app, tenant);
    let _time = world.let_time_pass();
    let config = logto_client::LogtoConfig::builder(world.logto.endpoint(), "tv").build();
    let storages: [Arc<dyn logto_client::storage::SessionStorage>; 2] = [
        Arc::new(MemoryStorage::new()),
        Arc::new(CookieStorage::new(
            key_ring(),
            config.as_ref().unwrap(),
            &codec(),
        )),
    ];
    for storage in storages {
        let config = config.clone().unwrap();
        let client = LogtoClient::builder(config, world.context(), storage);
        let client = client.build().unwrap();
        let device = client.sign_in_on_device(&DeviceSignIn::new()).await;
        let device = device.unwrap();
        assert!(world.logto.approve_device(&device.user_code, "alice"));
        let session = client.complete_device_sign_in(device).await.unwrap();
        session.set_data(&local(7)).await.unwrap();
        let handle = session.handle();
        let opened = client.session(&handle).await.unwrap().unwrap();
        assert_eq!(opened.data().unwrap(), Some(local(7)));
        assert!(matches!(
            opened.set_data(&local(8)).await,
            Err(Error::Protocol(logto_client::core::Error::Usage(
                UsageError::SessionNotNew
            )))
        ));
    }
}
