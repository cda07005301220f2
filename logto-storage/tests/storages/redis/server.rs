//! Redis servers that a test may stop, restart and reconfigure: each test has its own.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A server without data, which is gone at the end of the test. `redis-server` has to be installed.
pub(super) struct RedisServer {
    pub(super) address: SocketAddr,
    directory: PathBuf,
    process: Child,
}

impl RedisServer {
    pub(super) fn start(options: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let directory = directory_of(address);
        let process = spawn(address, &directory, options);
        let server = Self {
            address,
            directory,
            process,
        };
        server.wait_until_it_answers();
        server
    }

    /// A server that speaks TLS only.
    #[cfg(feature = "tls")]
    pub(super) fn start_tls(key: &Path, certificate: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let port = address.port().to_string();
        let [key, certificate] = [key, certificate].map(|path| path.to_str().unwrap());
        let directory = directory_of(address);
        let process = spawn(
            address,
            &directory,
            &[
                "--port",
                "0",
                "--tls-port",
                &port,
                "--tls-key-file",
                key,
                "--tls-cert-file",
                certificate,
                "--tls-auth-clients",
                "no",
                "--tls-ca-cert-file",
                certificate,
            ],
        );
        for _ in 0..400 {
            if TcpStream::connect(address).is_ok() {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        Self {
            address,
            directory,
            process,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://{}/", self.address)
    }

    /// Stops the server, and starts it again on the same port with the data that it had saved.
    pub(super) fn restart(&mut self, options: &[&str]) {
        self.stop();
        self.process = spawn(self.address, &self.directory, options);
        self.wait_until_it_answers();
    }

    fn stop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Sends a command and returns the response as text, arrays a line for each element.
    pub(super) fn command(&self, command: &str) -> String {
        self.try_command(command).unwrap()
    }

    /// Sends a command until the response contains a text.
    pub(super) fn until(&self, command: &str, text: &str) {
        let mut last = String::new();
        for _ in 0..400 {
            last = self.command(command);
            if last.contains(text) {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("{command}: {last}, without {text}");
    }

    fn try_command(&self, command: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        response(&mut BufReader::new(stream))
    }

    fn wait_until_it_answers(&self) {
        for _ in 0..400 {
            // Also "LOADING" and "NOAUTH" are answers.
            if self.try_command("PING").is_ok_and(|text| !text.is_empty()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("redis-server does not start");
    }
}

fn response(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end();
    let (kind, rest) = line.split_at(line.len().min(1));
    let count = || rest.parse().unwrap_or(0_usize);
    match kind {
        "$" if rest == "-1" => Ok("nil".to_owned()),
        "$" => {
            let mut bytes = vec![0; count() + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(count());
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        "*" => {
            let elements: Result<Vec<_>, _> = (0..count()).map(|_| response(from)).collect();
            Ok(elements?.join("\n"))
        }
        _ => Ok(rest.to_owned()),
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn directory_of(address: SocketAddr) -> PathBuf {
    let name = format!("logto-redis-{}-{}", std::process::id(), address.port());
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn spawn(address: SocketAddr, directory: &Path, options: &[&str]) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--port"])
        .arg(address.port().to_string())
        .arg("--dir")
        .arg(directory)
        .args(options)
        .stdout(Stdio::null())
        .spawn()
        .expect("install redis-server, as ci/install.sh does")
}
