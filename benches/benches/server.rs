//! What a page of a signed-in user costs a server on loopback, in axum and in actix-web: CPU time of the server's one
//! thread for each request, and how many it answers with 64 in flight: `cargo bench --bench server`.
//!
//! The applications take turns, so that each meets the same moments of the machine.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use axum::{Router, http::HeaderValue, routing::get, serve::ListenerExt};
use cpu_time::ThreadTime;
use logto_benches::{
    actix,
    contest::median,
    fixtures::runtime,
    request::{self, Cookies, PAGE},
};

const IN_FLIGHT: usize = 64;
/// Requests of each connection in one turn.
const REQUESTS: usize = 20;

struct Server {
    name: &'static str,
    connections: Vec<TcpStream>,
    page: Vec<u8>,
    cpu: Vec<u8>,
    cpu_each: Vec<f64>,
    rates: Vec<f64>,
    waits: Vec<Duration>,
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn main() {
    let turns = std::env::var("TURNS")
        .ok()
        .and_then(|turns| turns.parse().ok())
        .unwrap_or(60);
    let mut cookies = Cookies::default();
    let in_axum = runtime().block_on(request::applications(&mut cookies));
    let in_actix = actix::applications(&mut cookies);
    let cookies = cookies.header();
    let mut servers = Vec::new();
    for application in in_axum {
        let serve = |listener| serve_axum(listener, application.router);
        servers.push(Server::start(application.name, serve, &cookies));
    }
    for application in in_actix {
        servers.push(Server::start(application.name, application.serve, &cookies));
    }
    for turn in 0..=turns {
        for server in &mut servers {
            server.turn();
            if turn == 0 {
                server.forget();
            }
        }
    }
    println!(
        "\n### A page of a signed-in user on loopback, {IN_FLIGHT} in flight, cookies of {} bytes\n",
        cookies.len()
    );
    println!(
        "| | µs of CPU | more than without a session | requests/s | p99, ms |\n|---|--:|--:|--:|--:|"
    );
    let mut bare = f64::NAN;
    for server in &mut servers {
        if server.name.ends_with("no session") {
            bare = server.cpu();
        }
        server.waits.sort_unstable();
        let p99 = server.waits.get(server.waits.len() * 99 / 100).copied();
        println!(
            "| {} | {:.1} | {:+.1} | {:.0} | {:.2} |",
            server.name,
            server.cpu(),
            server.cpu() - bare,
            median(server.rates.iter().copied()),
            p99.unwrap_or_default().as_secs_f64() * 1_000.0,
        );
    }
}

fn serve_axum(listener: TcpListener, router: Router) {
    let router = router.route(
        "/cpu",
        get(async || ThreadTime::now().as_duration().as_nanos().to_string()),
    );
    listener.set_nonblocking(true).expect("nonblocking");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("listening");
        let listener = listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, router).await.expect("serving");
    });
}

impl Server {
    fn start(
        name: &'static str,
        serve: impl FnOnce(TcpListener) + Send + 'static,
        cookies: &HeaderValue,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound");
        thread::spawn(move || serve(listener));
        let connect = |_| {
            let stream = TcpStream::connect(address).expect("the server");
            stream.set_nodelay(true).expect("a socket");
            stream
        };
        let cookies = cookies.to_str().expect("ASCII");
        let request = |path: &str| {
            format!("GET {path} HTTP/1.1\r\nhost: app.example.com\r\ncookie: {cookies}\r\n\r\n")
        };
        Self {
            name,
            connections: (0..IN_FLIGHT).map(connect).collect(),
            page: request(PAGE).into_bytes(),
            cpu: request("/cpu").into_bytes(),
            cpu_each: Vec::new(),
            rates: Vec::new(),
            waits: Vec::new(),
        }
    }

    #[allow(clippy::disallowed_methods, reason = "a benchmark measures time")]
    fn turn(&mut self) {
        let before = self.cpu_so_far();
        let start = Instant::now();
        for _ in 0..REQUESTS {
            let mut begun = Vec::with_capacity(IN_FLIGHT);
            for connection in &mut self.connections {
                begun.push(Instant::now());
                connection.write_all(&self.page).expect("sent");
            }
            for (connection, begun) in self.connections.iter_mut().zip(begun) {
                let (status, _) = response(connection);
                assert_eq!(status, 200, "{}", self.name);
                self.waits.push(begun.elapsed());
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let after = self.cpu_so_far();
        let requests = (REQUESTS * IN_FLIGHT) as f64;
        self.cpu_each.push((after - before) / requests / 1_000.0);
        self.rates.push(requests / seconds);
    }

    /// Nanoseconds.
    fn cpu_so_far(&mut self) -> f64 {
        let connection = self.connections.first_mut().expect("there are some");
        connection.write_all(&self.cpu).expect("sent");
        let (_, body) = response(connection);
        body.parse().expect("a number")
    }

    /// The first turn warms up.
    fn forget(&mut self) {
        self.cpu_each.clear();
        self.rates.clear();
        self.waits.clear();
    }

    fn cpu(&self) -> f64 {
        median(self.cpu_each.iter().copied())
    }
}

/// Status and body of the next response.
fn response(connection: &mut TcpStream) -> (u16, String) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4_096]);
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_length = name.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                let status = head
                    .split(' ')
                    .nth(1)
                    .and_then(|status| status.parse().ok());
                return (status.unwrap_or(0), body.to_owned());
            }
        }
        let read = connection.read(&mut buffer).expect("a response");
        assert!(read > 0, "the server hung up");
        bytes.extend_from_slice(&buffer[..read]);
    }
}
