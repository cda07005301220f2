//! What visitors are told when something fails, and what operators are told.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use logto_client::{
    Session, UnixTime,
    core::sign_out::SignOut,
    event::Event,
    storage::{
        Handle, Logout, Replaced, SessionReader, SessionStorage, StorageError, Stored, Version,
    },
    web::{Guarded, LogtoWeb},
};
use logto_tests::{
    stage::{codec, key_ring},
    visitor::Visitor,
    world::World,
};
use serde_json::Value;

const DETAILS: &str = "user 'alice' at db.internal.example:5432 refused";

/// A storage whose every answer is an error that names its user, host and port.
#[derive(Debug)]
struct Broken {
    misconfigured: bool,
}

impl Broken {
    fn error(&self) -> StorageError {
        match self.misconfigured {
            true => StorageError::Misconfigured(DETAILS.to_owned()),
            false => StorageError::Unavailable(DETAILS.into()),
        }
    }
}

#[async_trait]
impl SessionReader for Broken {
    async fn load(&self, _: &Handle, _: UnixTime) -> Result<Option<Stored>, StorageError> {
        Err(self.error())
    }
}

#[async_trait]
impl SessionStorage for Broken {
    async fn create(&self, _: &Session, _: UnixTime) -> Result<(Handle, Version), StorageError> {
        Err(self.error())
    }

    async fn replace(
        &self,
        _: &Handle,
        _: Version,
        _: &Session,
        _: UnixTime,
    ) -> Result<Replaced, StorageError> {
        Err(self.error())
    }

    async fn remove(&self, _: &Handle) -> Result<(), StorageError> {
        Err(self.error())
    }

    async fn remove_all(&self, _: &Logout) -> Result<Option<u64>, StorageError> {
        Err(self.error())
    }
}

fn request(path: &str) -> http::request::Parts {
    let cookie = format!("{}=some-handle", codec().name());
    let request = Request::get(path)
        .header(header::COOKIE, cookie)
        .header("sec-fetch-site", "same-origin");
    request.body(()).unwrap().into_parts().0
}

#[tokio::test(start_paused = true)]
async fn visitors_get_a_fixed_sentence_and_the_observer_the_details() {
    for misconfigured in [false, true] {
        let world = World::new();
        let client = world.client(Broken { misconfigured });
        let web = LogtoWeb::new(client, codec(), key_ring());
        let visitor = Visitor::new(&world.logto);
        let parts = request("/page");

        let mut responses: Vec<Response<Bytes>> = Vec::new();
        let error = web.session(&parts.headers).await.unwrap_err();
        responses.push(web.error_response(&error));
        let error = web.user(&parts.headers).await.unwrap_err();
        responses.push(web.error_response(&error));
        let Guarded::Answer(answer) = web.require(&parts, "/sign-in").await else {
            panic!("nobody is signed in")
        };
        responses.push(answer);
        let signed_out = web.sign_out(&parts, &SignOut::new()).await;
        responses.push(signed_out.into_response());
        responses.push(visitor.sign_in(&web, "alice").await);

        let (status, error_code, sentence) = match misconfigured {
            true => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "storage_misconfigured",
                "The application is not configured correctly. Please inform its operator.",
            ),
            false => (
                StatusCode::SERVICE_UNAVAILABLE,
                "storage_unavailable",
                "Sessions are temporarily unavailable. Try again later.",
            ),
        };
        for response in responses {
            assert!([status, StatusCode::SEE_OTHER].contains(&response.status()));
            let body: Value = serde_json::from_slice(response.body()).unwrap();
            assert_eq!(body["error"], error_code);
            assert_eq!(body["error_description"], sentence);
            let shown = format!("{response:?}");
            for detail in ["alice", "internal", "5432", "refused"] {
                assert!(!shown.contains(detail), "{shown}");
            }
        }
        let told = world.events.count(|event| {
            matches!(event, Event::RequestFailed { code, status: told, detail }
                if code == error_code && *told == status.as_u16() && detail.contains(DETAILS))
        });
        assert_eq!(
            told, 4,
            "once for each failed request; the sign-out has an event of its own"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_stranger_writes_into_a_callback_is_not_shown() {
    let world = World::new();
    let client = world.client(Broken {
        misconfigured: false,
    });
    let web = LogtoWeb::new(client, codec(), key_ring());
    let visitor = Visitor::new(&world.logto);
    let url = visitor.start_sign_in(&web).await;
    let denied = world.logto.deny(&url, "access_denied").unwrap();
    let mut forged = denied.clone();
    let pairs: Vec<(String, String)> = denied.query_pairs().into_owned().collect();
    forged.query_pairs_mut().clear().extend_pairs(
        pairs
            .into_iter()
            .filter(|(name, _)| name != "error_description"),
    );
    forged
        .query_pairs_mut()
        .append_pair("error_description", "call +1 555 0100 to unlock");
    let response = visitor.come_back(&web, &forged).await;
    let body: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(body["error"], "access_denied");
    assert_eq!(body["error_description"], "Access is denied.");
    let told = world.events.count(
        |event| matches!(event, Event::RequestFailed { detail, .. } if detail.contains("555 0100")),
    );
    assert_eq!(told, 1);
}

#[test]
fn somebody_who_is_not_signed_in_is_no_event() {
    let world = World::new();
    let client = world.client(Broken {
        misconfigured: false,
    });
    let web = LogtoWeb::new(client, codec(), key_ring());
    let (parts, ()) = Request::get("/api").body(()).unwrap().into_parts();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let Guarded::Answer(response) = runtime.block_on(web.require(&parts, "/sign-in")) else {
        panic!("nobody is signed in")
    };
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(world.events.count(|_| true), 0);
}
