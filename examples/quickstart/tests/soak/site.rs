//! Two processes of the quickstart behind one address, their store, and their Logto.

use std::{fs, net::SocketAddr, process::Stdio, time::Duration};

use logto_testkit::{App, Logto, Server, demo::SHOPPING_API};
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::sleep,
};
use url::Url;

use crate::line::Line;

const APP_ID: &str = "shop";
const APP_SECRET: &str = "secret";
const COOKIE_KEY: &str = "fY3BxJQ0nJjM6fPq1Z0k8S3v5c7dWgTtRrUuXxYy2b4";
const PROCESSES: usize = 2;

/// Where sessions live.
#[derive(Clone, Copy)]
pub(crate) enum Storage {
    Cookie,
    Redis,
    Postgres,
}

impl Storage {
    /// As the command line of the quickstart names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::Redis => "redis",
            Self::Postgres => "postgres",
        }
    }

    /// The variable that says where its server is.
    fn server(self) -> Option<&'static str> {
        match self {
            Self::Cookie => None,
            Self::Redis => Some("LOGTO_TEST_REDIS_URL"),
            Self::Postgres => Some("LOGTO_TEST_POSTGRES_URL"),
        }
    }
}

pub(crate) struct Site {
    /// Where visitors find it: the processes take turns.
    front: Line,
    to_logto: Line,
    to_store: Option<Line>,
    logto: Server,
    processes: Vec<Child>,
}

impl Site {
    pub(crate) async fn open(storage: Storage) -> Self {
        let front = Line::to(Vec::new()).await;
        let to_logto = Line::to(Vec::new()).await;
        let base_url = format!("http://localhost:{}", front.address.port());
        let app = App::traditional(APP_ID, APP_SECRET)
            .redirect_uri(format!("{base_url}/callback"))
            .post_logout_redirect_uri(format!("{base_url}/"));
        let logto = Logto::demo()
            .app(app)
            .endpoint(format!("http://{}", to_logto.address))
            .immediate_sign_in("alice")
            .listen(0)
            .await
            .unwrap();
        to_logto.lead_to(vec![logto.address()]);
        let mut site = Self {
            front,
            to_logto,
            to_store: None,
            logto,
            processes: Vec::new(),
        };
        let mut session_url = None;
        if let Some(variable) = storage.server() {
            let url = std::env::var(variable);
            let mut url: Url = url.expect(variable).parse().unwrap();
            let (host, port) = (url.host_str().unwrap(), url.port().unwrap());
            let line = Line::to(vec![format!("{host}:{port}").parse().unwrap()]).await;
            url.set_port(Some(line.address.port())).unwrap();
            session_url = Some(url);
            site.to_store = Some(line);
        }
        let mut addresses = Vec::new();
        for _ in 0..PROCESSES {
            let address = free_address().await;
            let process = Command::new(env!("CARGO_BIN_EXE_quickstart"))
                .args(["--storage", storage.name()])
                .env("PORT", address.port().to_string())
                .env("LOGTO_ENDPOINT", site.logto.logto().endpoint())
                .env("LOGTO_APP_ID", APP_ID)
                .env("LOGTO_APP_SECRET", APP_SECRET)
                .env("LOGTO_BASE_URL", &base_url)
                .env("LOGTO_RESOURCES", SHOPPING_API)
                .env("LOGTO_SCOPES", "read:products")
                .env("LOGTO_COOKIE_KEY", COOKIE_KEY)
                .env_remove("LOGTO_SESSION_URL")
                .envs(
                    session_url
                        .iter()
                        .map(|url| ("LOGTO_SESSION_URL", url.as_str())),
                )
                .stdout(Stdio::null())
                .kill_on_drop(true)
                .spawn();
            site.processes.push(process.unwrap());
            until_it_listens(address).await;
            addresses.push(address);
        }
        site.front.lead_to(addresses);
        site
    }

    /// Where visitors find it.
    pub(crate) fn base_url(&self) -> String {
        format!("http://localhost:{}", self.front.address.port())
    }

    /// What may break: not the way of the visitors, who would not know what became of a request.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.to_store.iter().chain([&self.to_logto])
    }

    /// What the process that needs most has in memory, in KiB; zero where nobody tells.
    pub(crate) fn memory(&self) -> u64 {
        let processes = self.processes.iter();
        let resident = processes.filter_map(|process| {
            let status = fs::read_to_string(format!("/proc/{}/status", process.id()?)).ok()?;
            let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        });
        resident.max().unwrap_or(0)
    }

    /// How often a spent refresh token came back too late, which ends a session at Logto.
    pub(crate) fn late_replays(&self) -> usize {
        self.logto.logto().late_replays()
    }
}

async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

async fn until_it_listens(address: SocketAddr) {
    for _ in 0..600 {
        if TcpStream::connect(address).await.is_ok() {
            return;
        }
        sleep(Duration::from_millis(100)).await;
    }
    panic!("the quickstart does not start");
}
