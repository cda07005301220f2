//! A TCP proxy between a store and its server, to break what lies between them.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

/// Leads new connections to a server, and does to existing ones as it is told.
pub(crate) struct Switch {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    server: Mutex<SocketAddr>,
    connections: Mutex<Vec<Connection>>,
    hold_next_response: AtomicBool,
    is_held: Notify,
    loses_responses: AtomicBool,
    round_trips: AtomicU64,
    /// Whether the last bytes that passed were the server's.
    has_responded: AtomicBool,
}

struct Connection {
    task: JoinHandle<()>,
    is_silent: Arc<AtomicBool>,
}

impl Switch {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            server: Mutex::new(server),
            connections: Mutex::default(),
            hold_next_response: AtomicBool::new(false),
            is_held: Notify::new(),
            loses_responses: AtomicBool::new(false),
            round_trips: AtomicU64::new(0),
            has_responded: AtomicBool::new(true),
        });
        let accepting = tokio::spawn({
            let state = state.clone();
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    let is_silent = Arc::new(AtomicBool::new(false));
                    let connection = connect(state.clone(), client, is_silent.clone());
                    let task = tokio::spawn(async {
                        let _ = connection.await;
                    });
                    state.connections().push(Connection { task, is_silent });
                }
            }
        });
        Self {
            address,
            state,
            accepting,
        }
    }

    /// New connections lead to another server; existing ones stay.
    pub(crate) fn lead_to(&self, server: SocketAddr) {
        *self.state.server.lock().unwrap() = server;
    }

    /// Breaks all connections, and refuses new ones from now on.
    pub(crate) async fn close(mut self) {
        self.accepting.abort();
        // The listener is closed when its task has ended.
        let _ = (&mut self.accepting).await;
        self.cut();
    }

    /// Breaks all connections.
    pub(crate) fn cut(&self) {
        for connection in self.state.connections().drain(..) {
            connection.task.abort();
        }
    }

    /// No response comes any more on the existing connections, as behind a firewall that has forgotten
    /// them.
    pub(crate) fn silence(&self) {
        for connection in self.state.connections().iter() {
            connection.is_silent.store(true, Ordering::SeqCst);
        }
    }

    /// The next response does not arrive, and its connection hangs until [`cut`](Self::cut).
    pub(crate) fn hold_next_response(&self) {
        self.state.hold_next_response.store(true, Ordering::SeqCst);
    }

    /// Waits until a server has sent the response that is held.
    pub(crate) async fn until_held(&self) {
        self.state.is_held.notified().await;
    }

    /// How often something was sent after a response, if there is one client that waits for each.
    pub(crate) fn round_trips(&self) -> u64 {
        self.state.round_trips.load(Ordering::SeqCst)
    }

    /// A connection breaks instead of delivering its second response, so that every request of a client
    /// that waits for responses is executed twice.
    pub(crate) fn lose_every_second_response(&self) {
        self.state.loses_responses.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn connections(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn connect(
    state: Arc<State>,
    client: TcpStream,
    is_silent: Arc<AtomicBool>,
) -> std::io::Result<()> {
    let server = *state.server.lock().unwrap();
    let server = TcpStream::connect(server).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from_client.read(&mut buffer).await?;
            if length == 0 {
                return to_server.shutdown().await;
            }
            if state.has_responded.swap(false, Ordering::SeqCst) {
                state.round_trips.fetch_add(1, Ordering::SeqCst);
            }
            to_server.write_all(&buffer[..length]).await?;
        }
    };
    let responses = async {
        let mut buffer = vec![0; 64 * 1024];
        let mut delivered = false;
        loop {
            let length = from_server.read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            state.has_responded.store(true, Ordering::SeqCst);
            if state.hold_next_response.swap(false, Ordering::SeqCst) {
                is_silent.store(true, Ordering::SeqCst);
                state.is_held.notify_one();
            }
            if delivered && state.loses_responses.load(Ordering::SeqCst) {
                return Ok(());
            }
            // With these a Redis of today, or of yesterday, responds to the setup of a connection.
            let setup: [&[u8]; 2] = [b"+OK", b"-ERR unknown subcommand"];
            delivered |= !setup.iter().any(|it| buffer.starts_with(it));
            if !is_silent.load(Ordering::SeqCst) {
                to_client.write_all(&buffer[..length]).await?;
            }
        }
    };
    // Whoever closes first closes both ends.
    tokio::select! {
        done = requests => done,
        done = responses => done,
    }
}
