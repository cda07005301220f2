//! Connections that the provider closes while they are idle: Logto runs on Node.js, whose HTTP server does so
//! after five seconds.

use std::{process::Stdio, time::Duration};

use bytes::Bytes;
use http::Request;
use logto_client::http::{FreshConnection, HttpClient, ReqwestClient};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// Node's HTTP server as it is. It answers the number of the connection.
const SERVER: &str = r#"
let connections = 0;
const server = require("node:http").createServer((request, response) => {
  response.setHeader("content-type", "text/plain");
  request.resume().on("end", () => response.end(String(request.socket.number)));
});
server.on("connection", (socket) => { socket.number = ++connections; });
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit());
"#;

async fn node() -> (Child, String) {
    let mut process = Command::new("node")
        .args(["-e", SERVER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the tests need Node.js");
    let mut output = BufReader::new(process.stdout.take().unwrap()).lines();
    let port = output.next_line().await.unwrap().unwrap();
    (process, format!("http://127.0.0.1:{port}/"))
}

/// The number of the connection that a request went over.
async fn connection(client: &ReqwestClient, mut request: Request<Bytes>, is_fresh: bool) -> u32 {
    if is_fresh {
        request.extensions_mut().insert(FreshConnection);
    }
    let response = client.send(request).await.unwrap();
    std::str::from_utf8(response.body())
        .unwrap()
        .parse()
        .unwrap()
}

#[tokio::test]
async fn no_request_meets_a_connection_that_node_is_about_to_close() {
    let (_process, url) = node().await;
    let client = ReqwestClient::new().unwrap();
    let get = || Request::get(&url).body(Bytes::new()).unwrap();
    let post = || Request::post(&url).body(Bytes::from("code")).unwrap();
    assert_eq!(connection(&client, get(), false).await, 1);
    assert_eq!(connection(&client, get(), false).await, 1, "it is reused");
    assert_eq!(connection(&client, post(), true).await, 2);
    assert_eq!(connection(&client, post(), true).await, 3, "never reused");
    // Node still has the connection open; a request on it might be its last.
    tokio::time::sleep(Duration::from_millis(4500)).await;
    assert_eq!(connection(&client, get(), false).await, 4);
    // And here it has closed that one too.
    tokio::time::sleep(Duration::from_millis(5500)).await;
    assert_eq!(connection(&client, post(), false).await, 5);
}
