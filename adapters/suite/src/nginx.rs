//! nginx with its defaults in front of a program: nothing is said of buffers, and nothing of `Host`.

use std::{
    io::ErrorKind,
    path::Path,
    process::{Child, Command, Stdio},
};

use logto::client::http::{HttpClient, TransportError, http_fn};
use url::Url;

use crate::{directory::Directory, program};

/// How nginx serves a program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Proxy {
    /// Over https. The program behind it still speaks http.
    pub is_https: bool,
    /// Below this path, which it removes from the requests.
    pub prefix: &'static str,
}

/// The process. It ends with this value.
#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    directory: Directory,
    pub(crate) base_url: Url,
}

impl Nginx {
    /// Starts nginx in front of a program at this port.
    pub(crate) async fn start(proxy: Proxy, application: u16) -> Self {
        let port = program::free_port();
        let scheme = if proxy.is_https { "https" } else { "http" };
        let base_url = format!("{scheme}://localhost:{port}{}", proxy.prefix);
        let directory = Directory::new("nginx");
        let configuration = configuration(directory.path(), proxy, port, application);
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        if proxy.is_https {
            make_certificate(directory.path());
        }
        let mut child = spawn(&file);
        program::wait_for(&mut child, port, "nginx").await;
        Self {
            child,
            directory,
            base_url: Url::parse(&base_url).unwrap(),
        }
    }

    /// A client that trusts its certificate.
    pub(crate) fn client(&self) -> impl HttpClient + use<> {
        let certificate = std::fs::read(self.directory.path().join("certificate.pem"));
        let certificates = certificate.ok().map(|pem| {
            let certificate = reqwest::Certificate::from_pem(&pem);
            certificate.expect("openssl has made it")
        });
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only(certificates)
            .build()
            .unwrap();
        http_fn(move |request| {
            let http = http.clone();
            async move {
                let lost = |error: reqwest::Error| TransportError::Lost(format!("{error:?}"));
                let request = reqwest::Request::try_from(request).map_err(lost)?;
                let mut answer = http.execute(request).await.map_err(lost)?;
                let mut response = http::Response::new(());
                *response.status_mut() = answer.status();
                *response.headers_mut() = std::mem::take(answer.headers_mut());
                let body = answer.bytes().await.map_err(lost)?;
                Ok(response.map(|()| body))
            }
        })
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(root: &Path, proxy: Proxy, port: u16, application: u16) -> String {
    let root = root.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|what| format!("    {what}_temp_path {root}/{what};\n"))
        .concat();
    let (ssl, certificate) = match proxy.is_https {
        true => (
            " ssl",
            format!(
                "        ssl_certificate {root}/certificate.pem;\n        \
                 ssl_certificate_key {root}/key.pem;\n"
            ),
        ),
        false => ("", String::new()),
    };
    let prefix = proxy.prefix;
    format!(
        "daemon off;
master_process off;
pid {root}/pid;
error_log {root}/error.log;
events {{}}
http {{
    access_log off;
{temporary}    server {{
        listen 127.0.0.1:{port}{ssl};
{certificate}        location {prefix}/ {{
            proxy_pass http://127.0.0.1:{application}/;
        }}
    }}
}}
"
    )
}

fn make_certificate(directory: &Path) {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(directory)
        .stderr(Stdio::null())
        .status();
    let made = made.expect("these tests need openssl: `ci/install.sh` installs it on Debian");
    assert!(made.success(), "openssl has made no certificate");
}

fn spawn(configuration: &Path) -> Child {
    // Debian keeps it out of the PATH of ordinary users.
    for program in ["nginx", "/usr/sbin/nginx"] {
        let mut command = Command::new(program);
        command.arg("-c").arg(configuration);
        match command.stdin(Stdio::null()).stderr(Stdio::null()).spawn() {
            Ok(child) => return child,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => panic!("nginx does not start: {error}"),
        }
    }
    panic!("these tests need nginx: `ci/install.sh` installs it on Debian");
}
