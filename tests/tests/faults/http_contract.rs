//! The contract of `HttpClient`, checked for reqwest against a misbehaving server on a real socket.

use std::{io::Write, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode};
use logto_client::{
    LogtoClient, LogtoConfig,
    core::exchange::MAX_BODY,
    http::{HttpClient, ReqwestClient, TransportError},
};
use logto_storage::MemoryStorage;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server that answers every connection with these bytes, then does `afterwards`.
async fn server(
    answer: Vec<u8>,
    afterwards: Afterwards,
) -> (String, tokio::task::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = tokio::spawn(async move {
        let mut connections = 0;
        while let Ok(Ok((stream, _))) =
            tokio::time::timeout(Duration::from_millis(1500), listener.accept()).await
        {
            connections += 1;
            tokio::spawn(serve(stream, answer.clone(), afterwards));
        }
        connections
    });
    (format!("http://{address}"), connections)
}

#[derive(Clone, Copy, PartialEq)]
enum Afterwards {
    Close,
    Hang,
    Drip,
}

async fn serve(mut stream: TcpStream, answer: Vec<u8>, afterwards: Afterwards) {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request).await;
    if afterwards == Afterwards::Drip {
        for byte in answer {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        return;
    }
    let _ = stream.write_all(&answer).await;
    match afterwards {
        Afterwards::Hang => tokio::time::sleep(Duration::from_secs(60)).await,
        _ => drop(stream.shutdown().await),
    }
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    answer.extend_from_slice(body);
    answer
}

async fn get(url: &str) -> Result<http::Response<Bytes>, TransportError> {
    let request = Request::get(url).body(Bytes::new()).unwrap();
    ReqwestClient::new().unwrap().send(request).await
}

fn gzip_bomb() -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..64 {
        encoder.write_all(&zeros).unwrap();
    }
    encoder.finish().unwrap()
}

#[tokio::test]
async fn c33_f22_redirects_are_answers_and_nobody_follows_them() {
    for status in [
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
    ] {
        let (elsewhere, followed) = server(answer("200 OK", "", b"{}"), Afterwards::Close).await;
        let redirect = answer(status, &format!("location: {elsewhere}/token\r\n"), b"");
        let (url, _) = server(redirect, Afterwards::Close).await;
        let request = Request::post(format!("{url}/token"))
            .header("authorization", "Basic c2VjcmV0")
            .body(Bytes::from_static(b"code=secret"))
            .unwrap();
        let response = ReqwestClient::new().unwrap().send(request).await.unwrap();
        assert!(response.status().is_redirection(), "{status}");
        assert_eq!(followed.await.unwrap(), 0, "{status}");
    }
}

#[tokio::test]
async fn every_status_is_an_answer() {
    for (line, status) in [
        ("200 OK", 200),
        ("400 Bad", 400),
        ("401 No", 401),
        ("429 Slow", 429),
        ("503 Off", 503),
    ] {
        let (url, _) = server(
            answer(line, "retry-after: 7\r\n", b"body"),
            Afterwards::Close,
        )
        .await;
        let response = get(&url).await.unwrap();
        assert_eq!(response.status(), StatusCode::from_u16(status).unwrap());
        assert_eq!(response.headers()["retry-after"], "7");
        assert_eq!(response.body(), "body");
    }
}

#[tokio::test]
async fn c48_f18_a_body_is_capped_after_decompression() {
    let (url, _) = server(
        answer("200 OK", "", &vec![b'a'; MAX_BODY]),
        Afterwards::Close,
    )
    .await;
    assert_eq!(
        get(&url).await.unwrap().body().len(),
        MAX_BODY,
        "the limit itself is allowed"
    );
    let (url, _) = server(
        answer("200 OK", "", &vec![b'a'; MAX_BODY + 1]),
        Afterwards::Close,
    )
    .await;
    assert!(matches!(get(&url).await, Err(TransportError::Unusable(_))));
    let bomb = gzip_bomb();
    assert!(bomb.len() < 100_000);
    let (url, _) = server(
        answer("200 OK", "content-encoding: gzip\r\n", &bomb),
        Afterwards::Close,
    )
    .await;
    assert!(matches!(get(&url).await, Err(TransportError::Unusable(_))));
}

/// Proxies add headers, and the only copy of a refresh token may come with more than hyper's 100. RFC 9110
/// section 8.4.1.3 makes `x-gzip` a name of `gzip`, and names of encodings case-insensitive.
#[tokio::test]
async fn many_headers_and_every_name_of_gzip_are_read() {
    let many: String = (0..500).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let (url, _) = server(answer("200 OK", &many, b"{}"), Afterwards::Close).await;
    let response = get(&url).await.unwrap();
    assert_eq!(response.headers()["x-499"], "499");
    assert_eq!(response.body(), "{}");

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(b"{}").unwrap();
    let gzip = encoder.finish().unwrap();
    for name in ["gzip", "x-gzip", "GZIP", "X-GZip"] {
        let header = format!("content-encoding: {name}\r\n");
        let (url, _) = server(answer("200 OK", &header, &gzip), Afterwards::Close).await;
        assert_eq!(get(&url).await.unwrap().body(), "{}", "{name}");
        let (url, _) = server(answer("200 OK", &header, b"{}"), Afterwards::Close).await;
        let garbled = get(&url).await;
        assert!(
            matches!(garbled, Err(TransportError::Unusable(_))),
            "{name}"
        );
    }
    let identity = "content-encoding: identity\r\n";
    let (url, _) = server(answer("200 OK", identity, b"{}"), Afterwards::Close).await;
    assert_eq!(get(&url).await.unwrap().body(), "{}");
    let unknown = "content-encoding: br\r\n";
    let (url, _) = server(answer("200 OK", unknown, b"{}"), Afterwards::Close).await;
    let error = get(&url).await.unwrap_err();
    assert!(error.to_string().contains("content encoding"), "{error}");
}

#[tokio::test]
async fn f10_a_refused_connection_is_told_from_f11_a_lost_answer() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    assert!(matches!(
        get(&format!("http://{nobody}/")).await,
        Err(TransportError::NotSent(_))
    ));
    assert!(matches!(
        get("http://name.invalid/").await,
        Err(TransportError::NotSent(_))
    ));

    let (url, _) = server(Vec::new(), Afterwards::Close).await;
    assert!(
        matches!(get(&url).await, Err(TransportError::Lost(_))),
        "closed without an answer"
    );
    let truncated = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec();
    let (url, _) = server(truncated, Afterwards::Close).await;
    assert!(
        matches!(get(&url).await, Err(TransportError::Lost(_))),
        "closed in the body"
    );
    let (url, _) = server(b"nonsense\r\n\r\n".to_vec(), Afterwards::Close).await;
    assert!(
        matches!(get(&url).await, Err(TransportError::Lost(_))),
        "not HTTP"
    );
}

#[tokio::test]
async fn c34_a_certificate_that_nobody_vouches_for_is_refused() {
    let (url, _) = server(answer("200 OK", "", b"{}"), Afterwards::Close).await;
    let refused = get(&url.replace("http:", "https:")).await;
    assert!(
        matches!(refused, Err(TransportError::NotSent(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn f18_a_server_that_drips_or_hangs_meets_the_deadline() {
    let slow = answer("200 OK", "content-type: application/json\r\n", b"{}");
    for (answer, afterwards) in [(slow, Afterwards::Drip), (Vec::new(), Afterwards::Hang)] {
        let (url, _) = server(answer, afterwards).await;
        let config = LogtoConfig::builder(&url, "app")
            .base_url("http://localhost:3000")
            .build()
            .unwrap();
        let client =
            LogtoClient::builder(config, ReqwestClient::new().unwrap(), MemoryStorage::new())
                .request_timeout(Duration::from_millis(500))
                .build()
                .unwrap();
        let error = client.metadata().await.unwrap_err();
        assert!(error.advice().is_retry(), "{error}");
        assert!(
            error.to_string().contains("no answer within 0.5 seconds"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn b18_errors_show_neither_url_nor_body() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let error = get(&format!("http://{nobody}/token?code=secret"))
        .await
        .unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("secret"),
        "{error:?}"
    );
}

#[tokio::test]
async fn f53_an_idle_timeout_of_any_length_works() {
    for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        let (url, _) = server(answer("200 OK", "", b"{}"), Afterwards::Hang).await;
        let client = ReqwestClient::with_idle_timeout(timeout).unwrap();
        for _ in 0..2 {
            let request = Request::get(&url).header("connection", "close");
            let response = client.send(request.body(Bytes::new()).unwrap()).await;
            assert_eq!(response.unwrap().status(), StatusCode::OK, "{timeout:?}");
        }
    }
}
