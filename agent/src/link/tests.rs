//! The link against a server that does as it likes.

use super::body::Speed;
use super::error::LinkError;
use super::http::{Client, Config, From, Piece, PlainHttp};
use super::tls::ServerTrust;
use hyper::header;
use patchward_protocol::digest::Sha256Digest;
use patchward_protocol::time::Timestamp;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

const AUTHORITY: &[u8] = include_bytes!("samples/authority.pem");
const SERVER: &[u8] = include_bytes!("samples/server.pem");
/// Of a server that exists in these tests only.
const SERVER_KEY: &[u8] = include_bytes!("samples/server.key.pem");
/// SHA-256 of the public key in `samples/server.pem`.
const PIN: &str = "831490304bf459a186cfd01cc01c31f997fb9b3e460f78205599cb77436d89d2";

/// What the server does when the answer is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    KeepOpen,
    Close,
}

struct Server {
    base: Url,
    connections: Arc<AtomicUsize>,
    requests: tokio::sync::mpsc::UnboundedReceiver<String>,
}

/// Answers the n-th request with the n-th answer, over however many connections.
async fn server(answers: Vec<(Vec<u8>, Then)>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let (send, requests) = tokio::sync::mpsc::unbounded_channel();
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        let mut answers = answers.into_iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            while let Some(request) = head(&mut stream).await {
                send.send(request).ok();
                let Some((answer, then)) = answers.next() else { std::future::pending().await };
                // A client that has had enough closes; that is not this server's trouble.
                stream.write_all(&answer).await.ok();
                if then == Then::Close {
                    break;
                }
            }
        }
    });
    Server { base, connections, requests }
}

/// Reads the head of a request; the bodies here are short and come with it.
async fn head(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    let mut piece = [0; 4096];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => head.extend_from_slice(&piece[..length]),
        }
    }
    Some(String::from_utf8(head).unwrap())
}

fn answer(status: &str, headers: &str, body: &str) -> (Vec<u8>, Then) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    (text.into_bytes(), Then::KeepOpen)
}

fn config(base: Url) -> Config {
    let trust =
        ServerTrust { authorities_pem: None, spki_sha256: None, not_before: Timestamp::EPOCH };
    let speed = Speed { window_s: 1, window_bytes_min: 1024 };
    Config { base, trust, plain_http: PlainHttp::LoopbackOnly, speed }
}

async fn get_once(answer: (Vec<u8>, Then)) -> Result<super::http::Response, LinkError> {
    let server = server(vec![answer]).await;
    Client::new(config(server.base)).unwrap().get("file", 10, &[]).await
}

async fn code_of(answer: (Vec<u8>, Then)) -> &'static str {
    get_once(answer).await.map_or_else(|error| error.code(), |_| "accepted")
}

#[tokio::test]
async fn a_connection_is_kept_and_headers_go_along() {
    let ok = || answer("200 OK", "etag: \"a\"\r\nretry-after: 7\r\n", "{}");
    let mut server = server(vec![ok(), ok()]).await;
    let mut client = Client::new(config(server.base.clone())).unwrap();
    let first = client.get("/a/b.json", 10, &[(header::IF_NONE_MATCH, "\"x\"")]).await.unwrap();
    assert_eq!((first.status, first.etag.as_deref()), (200, Some("\"a\"")));
    assert_eq!(first.retry_after_s, Some(7));
    let second = client.post_json("poll", b"{}".to_vec(), Some("token"), 10).await.unwrap();
    assert_eq!(second.body, b"{}");
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    let request = server.requests.recv().await.unwrap();
    assert!(request.starts_with("GET /a/b.json HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("if-none-match: \"x\"\r\n"), "{request}");
    let request = server.requests.recv().await.unwrap();
    assert!(request.contains("authorization: Bearer token\r\n"), "{request}");
}

#[tokio::test]
async fn a_get_is_sent_again_when_the_kept_connection_has_gone() {
    let first = answer("200 OK", "", "one");
    let (gone, second) = ((Vec::new(), Then::Close), answer("200 OK", "", "two"));
    let server = server(vec![first, gone, second]).await;
    let mut client = Client::new(config(server.base.clone())).unwrap();
    client.get("file", 10, &[]).await.unwrap();
    assert_eq!(client.get("file", 10, &[]).await.unwrap().body, b"two");
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

/// Attack 9: endless data.
#[tokio::test]
async fn a_body_over_the_limit_is_refused_declared_or_not() {
    let declared = answer("200 OK", "", "eleven byte");
    assert_eq!(code_of(declared).await, "link_too_long");
    let endless = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}",
        "8\r\n01234567\r\n".repeat(100)
    );
    assert_eq!(code_of((endless.into_bytes(), Then::KeepOpen)).await, "link_too_long");
}

/// Attack 9: slow drip.
#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n1234";
    assert_eq!(code_of((text.into(), Then::KeepOpen)).await, "link_too_slow");
}

/// Attack 9: a huge header.
#[tokio::test]
async fn a_huge_head_is_refused() {
    let header = format!("x-filler: {}\r\n", "a".repeat(64 * 1024));
    assert_eq!(code_of(answer("200 OK", &header, "{}")).await, "link_malformed");
    let many = "x: y\r\n".repeat(1000);
    assert_eq!(code_of(answer("200 OK", &many, "{}")).await, "link_malformed");
    assert_eq!(code_of((b"SSH-2.0-x\r\n\r\n".to_vec(), Then::Close)).await, "link_malformed");
}

#[tokio::test]
async fn a_body_that_ends_early_is_no_answer() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n1234";
    assert_eq!(code_of((text.into(), Then::Close)).await, "link_broken");
}

#[tokio::test]
async fn redirects_and_packed_bodies_are_errors() {
    let elsewhere = answer("302 Found", "location: http://127.0.0.1:1/\r\n", "");
    assert_eq!(code_of(elsewhere).await, "link_redirect");
    let packed = answer("200 OK", "content-encoding: gzip\r\n", "{}");
    assert_eq!(code_of(packed).await, "link_encoding");
    assert_eq!(get_once(answer("404 Not Found", "", "")).await.unwrap().status, 404);
    assert_eq!(get_once(answer("503 Busy", "", "")).await.unwrap().status, 503);
}

async fn range(answer: (Vec<u8>, Then)) -> Result<(u16, Vec<u64>, Vec<u8>), LinkError> {
    let mut server = server(vec![answer]).await;
    let mut client = Client::new(config(server.base.clone())).unwrap();
    let (mut starts, mut bytes) = (Vec::new(), Vec::new());
    let from = From { byte: 4, end: None, if_etag: Some("\"a\"") };
    let download = client
        .get_range("file", from, 10, &[], |piece| {
            match piece {
                Piece::From(byte) => starts.push(byte),
                Piece::Bytes(piece) => bytes.extend_from_slice(piece),
            }
            Ok(())
        })
        .await?;
    let request = server.requests.recv().await.unwrap();
    assert!(request.contains("range: bytes=4-\r\n"), "{request}");
    assert!(request.contains("if-range: \"a\"\r\n"), "{request}");
    Ok((download.status, starts, bytes))
}

/// Attack 26: a resume never joins two versions.
#[tokio::test]
async fn a_resume_goes_on_where_it_was_or_begins_anew() {
    let rest = answer("206 Partial Content", "content-range: bytes 4-6/7\r\n", "efg");
    assert_eq!(range(rest).await.unwrap(), (206, vec![4], b"efg".to_vec()));
    let changed = answer("200 OK", "", "ABCDEFG");
    assert_eq!(range(changed).await.unwrap(), (200, vec![0], b"ABCDEFG".to_vec()));
    let other = answer("206 Partial Content", "content-range: bytes 3-6/7\r\n", "defg");
    assert_eq!(range(other).await.unwrap_err().code(), "link_wrong_range");
    let unsaid = answer("206 Partial Content", "", "efg");
    assert_eq!(range(unsaid).await.unwrap_err().code(), "link_wrong_range");
    let none = answer("416 Range Not Satisfiable", "", "");
    assert_eq!(range(none).await.unwrap(), (416, vec![], vec![]));
    let more = answer("206 Partial Content", "content-range: bytes 4-14/15\r\n", "0123456789a");
    assert_eq!(range(more).await.unwrap_err().code(), "link_too_long");
}

#[tokio::test]
async fn a_failing_receiver_ends_the_download() {
    let server = server(vec![answer("200 OK", "", "abc")]).await;
    let mut client = Client::new(config(server.base)).unwrap();
    let from = From { byte: 0, end: None, if_etag: None };
    let full = |_: Piece<'_>| Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
    let error = client.get_range("file", from, 10, &[], full).await.unwrap_err();
    assert_eq!(error.code(), "link_take");
}

#[tokio::test]
async fn odd_paths_and_addresses_are_refused() {
    let mut client = Client::new(config(Url::parse("http://127.0.0.1:1/").unwrap())).unwrap();
    for odd in ["../x", "a/../../b", "a b", "a\r\nb: c", "./x"] {
        assert_eq!(client.get(odd, 10, &[]).await.unwrap_err().code(), "link_path", "{odd:?}");
    }
    assert_eq!(client.get("x", 10, &[]).await.unwrap_err().code(), "link_connect");
    let code = |base: &str| {
        Client::new(config(Url::parse(base).unwrap())).map_or_else(|e| e.code(), |_| "accepted")
    };
    assert_eq!(code("http://patchward.example/"), "link_plain_http");
    assert_eq!(code("ftp://127.0.0.1/"), "link_address");
    assert_eq!(code("http://[::1]:8080/"), "accepted");
    let mut anywhere = config(Url::parse("http://patchward.example/").unwrap());
    anywhere.plain_http = PlainHttp::InsecureAnywhere;
    assert!(Client::new(anywhere).is_ok());
}

async fn over_tls(trust: ServerTrust) -> &'static str {
    let chain = CertificateDer::pem_slice_iter(SERVER).collect::<Result<Vec<_>, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config_of_server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config_of_server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = async move {
        let (stream, _) = listener.accept().await.unwrap();
        // A client that does not trust this server hangs up.
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        if head(&mut stream).await.is_some() {
            stream.write_all(&answer("200 OK", "", "{}").0).await.unwrap();
            stream.flush().await.unwrap();
        }
    };
    let base = Url::parse(&format!("https://localhost:{port}/")).unwrap();
    let client = Client::new(Config { trust, ..config(base) });
    let get = async {
        let mut client = client?;
        client.get("file", 10, &[]).await
    };
    let (_, outcome) = tokio::join!(serve, get);
    outcome.map_or_else(|error| error.code(), |_| "accepted")
}

#[tokio::test]
async fn the_server_is_known_by_its_authority_and_its_pin() {
    let pin: Sha256Digest = PIN.parse().unwrap();
    let other = Sha256Digest::of(b"another key");
    let cases = [
        (Some(AUTHORITY), None, "accepted"),
        (Some(AUTHORITY), Some(pin), "accepted"),
        (None, Some(pin), "accepted"),
        (Some(AUTHORITY), Some(other), "link_server_not_trusted"),
        (None, Some(other), "link_server_not_trusted"),
        // The server's own certificate is no authority.
        (Some(SERVER), None, "link_server_not_trusted"),
    ];
    for (pem, spki_sha256, expected) in cases {
        let authorities_pem = pem.map(<[u8]>::to_vec);
        let trust = ServerTrust { authorities_pem, spki_sha256, not_before: Timestamp::EPOCH };
        assert_eq!(over_tls(trust).await, expected, "{spki_sha256:?}");
    }
}

#[tokio::test]
async fn authorities_that_do_not_read_are_an_error() {
    for bad in [&b""[..], b"no certificate", b"-----BEGIN CERTIFICATE-----\nx\n"] {
        let base = Url::parse("https://localhost/").unwrap();
        let mut config = config(base);
        config.trust.authorities_pem = Some(bad.to_vec());
        assert_eq!(Client::new(config).unwrap_err().code(), "link_authorities");
    }
}
