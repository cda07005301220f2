//! The demo tenant, in the process of a test or for a program under development.

use std::{env, ffi::OsString, future, sync::mpsc, thread};

use logto_client::{
    Context,
    http::{HttpClient, ReqwestClient},
};
use logto_testkit::{BuildError, Logto, TestClock, demo};
use url::Url;

use super::{Browser, FileClock, KitClock, http_client};
use crate::builder::{LogtoBuilder, StartError};

/// Moves the clock of a program that [`demo_or_env`] starts.
const TEST_CLOCK: &str = "LOGTO_TEST_CLOCK";
const IN_PROCESS: &str = "https://logto.example";

/// A Logto in the process, with the content of `logto_testkit`'s demo: the users `alice` and `bob`, two
/// organizations and an API. The application is at `http://localhost:3000`. Clones share one tenant.
#[derive(Clone, Debug)]
pub struct DemoTenant {
    logto: Logto,
    clock: TestClock,
    base_url: Url,
}

impl DemoTenant {
    /// The demo.
    ///
    /// # Errors
    /// When the key of the tenant cannot be made.
    pub fn new() -> Result<Self, BuildError> {
        Self::with(|tenant| tenant)
    }

    /// The demo, changed: more users, another lifetime of a token.
    ///
    /// # Errors
    /// When the tenant is invalid.
    pub fn with(
        change: impl FnOnce(logto_testkit::LogtoBuilder) -> logto_testkit::LogtoBuilder,
    ) -> Result<Self, BuildError> {
        let clock = TestClock::new();
        let tenant = Logto::demo().endpoint(IN_PROCESS).clock(clock.clone());
        let base_url = demo::BASE_URL.to_owned();
        let base_url = Url::parse(&base_url).map_err(|_| BuildError::Endpoint(base_url))?;
        Ok(Self {
            logto: change(tenant).build()?,
            clock,
            base_url,
        })
    }

    /// The Logto, to inspect its requests and to act as its administrator.
    pub fn logto(&self) -> &Logto {
        &self.logto
    }

    /// The time of Logto, of the application and of the browser. It stands still until it is moved.
    pub fn clock(&self) -> &TestClock {
        &self.clock
    }

    /// The application, with the scopes and the API of the demo; sessions live in memory. It reaches Logto
    /// without a socket.
    pub fn builder(&self) -> LogtoBuilder {
        let variables = demo::variables(&self.logto, self.base_url.as_str());
        let clock = KitClock::new(self.clock.clone());
        LogtoBuilder::from_lookup(|name| find(&variables, name))
            .context(Context::new(http_client(&self.logto)).clock(clock))
    }

    /// A browser without cookies. `application` answers its requests: a function made into one by
    /// [`app_fn`](super::app_fn), a `tower` service by `logto::tower::in_process`.
    pub fn browser(&self, application: impl HttpClient + 'static) -> Browser {
        let clock = KitClock::new(self.clock.clone());
        Browser::new(&self.logto, &self.base_url, application).clock(clock)
    }
}

/// For examples, and for programs under development: as [`from_env`](crate::from_env) if `LOGTO_ENDPOINT` or
/// `LOGTO_APP_ID` is set; otherwise with an embedded Logto, which listens on a free port of this machine as
/// long as the process lives. A printed line names the users to sign in with.
///
/// With the embedded Logto the base URL is `http://localhost` and the port in `PORT`, 3000 unless set;
/// `LOGTO_BASE_URL`, `LOGTO_COOKIE_KEY` and `LOGTO_SESSION_URL` work as usual. In both cases the clock follows
/// the [file](FileClock) in `LOGTO_TEST_CLOCK`, if that is set.
///
/// ```no_run
/// # async fn start() -> Result<(), logto::StartError> {
/// let logto = logto::test::demo_or_env().await?;
/// # Ok(())
/// # }
/// ```
pub fn demo_or_env() -> LogtoBuilder {
    let is_real = ["LOGTO_ENDPOINT", "LOGTO_APP_ID"]
        .iter()
        .any(|name| env::var_os(name).is_some());
    let builder = match is_real {
        true => crate::from_env(),
        false => embedded(),
    };
    let Some(file) = env::var_os(TEST_CLOCK) else {
        return builder;
    };
    match ReqwestClient::new() {
        Ok(http) => builder.context(Context::new(http).clock(FileClock::new(file))),
        Err(error) => LogtoBuilder::new(Err(error.into())),
    }
}

fn embedded() -> LogtoBuilder {
    let base_url = env::var("LOGTO_BASE_URL").unwrap_or_else(|_| {
        let port = env::var("PORT").unwrap_or_else(|_| "3000".to_owned());
        format!("http://localhost:{port}")
    });
    let logto = match start(&base_url) {
        Ok(logto) => logto,
        Err(problem) => return LogtoBuilder::new(Err(StartError::EmbeddedLogto(problem))),
    };
    println!(
        "An embedded Logto answers at {}. Open {base_url} and sign in as {}.",
        logto.endpoint(),
        demo::USERS
    );
    let variables = demo::variables(&logto, &base_url);
    LogtoBuilder::from_lookup(|name| find(&variables, name).or_else(|| env::var_os(name)))
}

/// Serves a Logto on a thread of its own, so that it depends on no runtime of the application.
fn start(base_url: &str) -> Result<Logto, String> {
    let tenant = Logto::demo_for(base_url, "/callback");
    let (tell, told) = mpsc::channel();
    let serve = move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => return drop(tell.send(Err(error.to_string()))),
        };
        runtime.block_on(async move {
            let server = match tenant.listen(0).await {
                Ok(server) => server,
                Err(error) => return drop(tell.send(Err(error.to_string()))),
            };
            let _ = tell.send(Ok(server.logto().clone()));
            future::pending().await
        });
    };
    let thread = thread::Builder::new().name("embedded Logto".to_owned());
    thread.spawn(serve).map_err(|error| error.to_string())?;
    told.recv().map_err(|error| error.to_string())?
}

fn find(variables: &[(&str, String)], name: &str) -> Option<OsString> {
    let found = variables.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.into())
}
