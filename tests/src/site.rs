//! An application on a loopback port, and what browsers and it said to each other.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::Response,
};
use http::{HeaderMap, Method, StatusCode, header};
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{sleep, timeout},
};
use url::Url;

use crate::chromium::{GLANCE, PAGE_TIMEOUT};

/// A free port, and the URL that an application on it is going to have.
#[derive(Debug)]
pub struct Address {
    listener: TcpListener,
    base_url: Url,
}

/// An application that is served until this is dropped.
#[derive(Debug)]
pub struct Site {
    base_url: Url,
    exchanges: Exchanges,
    serving: JoinHandle<()>,
}

/// A request of a browser and what it was answered, as far as sessions are concerned.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// How it asked.
    pub method: Method,
    /// What for, with the query.
    pub path: String,
    /// The cookies that it sent.
    pub cookies: Vec<String>,
    /// How it was answered.
    pub status: StatusCode,
    /// Where it was sent, if that was another site.
    pub location: Option<Url>,
    /// The cookies that it was told to set.
    pub set_cookies: Vec<String>,
}

type Exchanges = Arc<Mutex<Vec<Exchange>>>;

impl Address {
    /// A port of `127.0.0.1`, under the name that browsers use. `localhost` is another site than the
    /// address, a second port is not.
    pub async fn new(host: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("there is a free port");
        let port = listener.local_addr().expect("it has an address").port();
        let base_url = Url::parse(&format!("http://{host}:{port}"));
        Self {
            listener,
            base_url: base_url.expect("a host and a port make a URL"),
        }
    }

    /// The root of the application.
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// Its callback.
    pub fn callback(&self) -> Url {
        join(&self.base_url, "/callback")
    }

    /// Serves the application.
    pub fn serve(self, application: Router) -> Site {
        let exchanges = Exchanges::default();
        let application = application.layer(middleware::from_fn_with_state(
            Arc::clone(&exchanges),
            listen_in,
        ));
        let serving = tokio::spawn(async move {
            // Until the end of the test; whatever stops it before shows as a page that does not load.
            let _ = axum::serve(self.listener, application).await;
        });
        Site {
            base_url: self.base_url,
            exchanges,
            serving,
        }
    }
}

impl Site {
    /// An address of the application.
    pub fn url(&self, path: &str) -> Url {
        join(&self.base_url, path)
    }

    /// The name of the application's host.
    pub fn host(&self) -> &str {
        self.base_url.host_str().unwrap_or_default()
    }

    /// Waits until browsers have asked for a path this many times and were answered.
    ///
    /// # Panics
    ///
    /// When they do not.
    pub async fn hears_of(&self, path: &str, times: usize) {
        let asked = async {
            while self.count(path) < times {
                sleep(GLANCE).await;
            }
        };
        let asked = timeout(PAGE_TIMEOUT, asked).await;
        asked.unwrap_or_else(|_| panic!("no browser asked for {path}"));
    }

    /// How many times browsers asked for a path.
    pub fn count(&self, path: &str) -> usize {
        let exchanges = lock(&self.exchanges);
        exchanges
            .iter()
            .filter(|exchange| exchange.is_about(path))
            .count()
    }

    /// The last exchange about a path, whatever its query.
    ///
    /// # Panics
    ///
    /// When there was none.
    pub fn last(&self, path: &str) -> Exchange {
        let exchanges = lock(&self.exchanges);
        let mut about = exchanges.iter().filter(|exchange| exchange.is_about(path));
        let last = about.next_back().cloned();
        last.unwrap_or_else(|| panic!("no browser asked for {path}"))
    }
}

impl Exchange {
    fn is_about(&self, path: &str) -> bool {
        self.path.split('?').next() == Some(path)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn listen_in(State(exchanges): State<Exchanges>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().to_string());
    let cookies = values(request.headers(), header::COOKIE);
    let cookies = cookies.iter().flat_map(|line| line.split("; "));
    let cookies = cookies.map(str::to_owned).collect();
    let response = next.run(request).await;
    lock(&exchanges).push(Exchange {
        method,
        path,
        cookies,
        status: response.status(),
        location: values(response.headers(), header::LOCATION)
            .first()
            .and_then(|location| location.parse().ok()),
        set_cookies: values(response.headers(), header::SET_COOKIE),
    });
    response
}

fn values(headers: &HeaderMap, name: header::HeaderName) -> Vec<String> {
    let values = headers.get_all(name).iter();
    let values = values.map(|value| value.to_str().expect("cookies are ASCII").to_owned());
    values.collect()
}

fn join(base_url: &Url, path: &str) -> Url {
    base_url.join(path).expect("a path of the application")
}

fn lock(exchanges: &Exchanges) -> std::sync::MutexGuard<'_, Vec<Exchange>> {
    exchanges
        .lock()
        .expect("no test panics while it holds this")
}
