//! The program that serves a Logto for development.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_logto-testkit");

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_program_prints_the_variables_and_serves() {
    let mut command = Command::new(PROGRAM);
    command.args(["--port", "0", "--base-url", "http://localhost:8080/shop/"]);
    let mut running = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let stdout = BufReader::new(running.0.stdout.take().unwrap());
    let lines = stdout.lines().map_while(Result::ok);
    let lines: Vec<String> = lines.take_while(|line| !line.contains("Ctrl-C")).collect();
    let variable = |name: &str| {
        let prefix = format!("export {name}='");
        let mut values = lines.iter().filter_map(|line| line.strip_prefix(&prefix));
        values.next().unwrap().trim_end_matches('\'').to_owned()
    };
    assert_eq!(variable("LOGTO_BASE_URL"), "http://localhost:8080/shop");
    assert_eq!(variable("LOGTO_APP_ID"), logto_testkit::demo::APP_ID);
    assert!(lines.iter().any(|line| line.contains("sign in as alice")));

    let endpoint = variable("LOGTO_ENDPOINT");
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /oidc/auth?client_id={}&redirect_uri=http://localhost:8080/shop/callback&response_type=code&scope=openid \
         HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n",
        variable("LOGTO_APP_ID")
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert!(answer.contains("location: /sign-in"), "{answer}");
}

#[test]
fn an_option_that_cannot_be_used_is_named() {
    for (arguments, expected) in [
        (&["--port", "many"][..], "--port \"many\""),
        (&["--port"][..], "--port needs a value"),
        (&["--colour", "blue"][..], "--colour is no option"),
        (
            &["--callback-path", "callback"][..],
            "--callback-path has to begin with /",
        ),
    ] {
        let output = Command::new(PROGRAM).args(arguments).output().unwrap();
        assert!(!output.status.success());
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.starts_with(expected), "{message}");
    }
}
