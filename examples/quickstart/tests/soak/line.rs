//! A TCP proxy: a line that can break.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// Leads each new connection to the next of some servers.
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    servers: Mutex<Vec<SocketAddr>>,
    next: AtomicUsize,
    connections: Mutex<JoinSet<io::Result<()>>>,
    is_down: AtomicBool,
    latency_ms: AtomicU64,
}

impl Line {
    pub(crate) async fn to(servers: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            servers: Mutex::new(servers),
            next: AtomicUsize::new(0),
            connections: Mutex::default(),
            is_down: AtomicBool::new(false),
            latency_ms: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self {
            address,
            state,
            accepting,
        }
    }

    /// From now on connections lead to these.
    pub(crate) fn lead_to(&self, servers: Vec<SocketAddr>) {
        *self.state.servers.lock().unwrap() = servers;
    }

    /// Everything takes this much longer.
    pub(crate) fn slow_down(&self, latency: Duration) {
        let latency = u64::try_from(latency.as_millis()).unwrap();
        self.state.latency_ms.store(latency, Ordering::SeqCst);
    }

    /// Breaks all connections.
    pub(crate) fn reset(&self) {
        self.state.connections.lock().unwrap().abort_all();
    }

    /// Breaks all connections, and takes no new one.
    pub(crate) fn shut_down(&self) {
        self.state.is_down.store(true, Ordering::SeqCst);
        self.reset();
    }

    /// All is well again.
    pub(crate) fn mend(&self) {
        self.state.is_down.store(false, Ordering::SeqCst);
        self.slow_down(Duration::ZERO);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.accepting.abort();
        self.reset();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let mut connections = state.connections.lock().unwrap();
        while connections.try_join_next().is_some() {}
        if !state.is_down.load(Ordering::SeqCst) {
            connections.spawn(connect(client, Arc::clone(&state)));
        }
    }
}

async fn connect(client: TcpStream, state: Arc<State>) -> io::Result<()> {
    let number = state.next.fetch_add(1, Ordering::Relaxed);
    let server = {
        let servers = state.servers.lock().unwrap();
        servers[number % servers.len()]
    };
    let server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whoever closes first closes both ends.
    tokio::select! {
        done = pass(from_client, to_server, &state) => done,
        done = pass(from_server, to_client, &state) => done,
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    state: &State,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let latency = state.latency_ms.load(Ordering::SeqCst);
        if latency > 0 {
            sleep(Duration::from_millis(latency)).await;
        }
        to.write_all(&buffer[..length]).await?;
    }
}
