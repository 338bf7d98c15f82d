//! Connections that say nothing, or half of something, and others that need a place meanwhile.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::{Duration, Instant};

use common::server;
use steward_api::limits::{HEAD_TIMEOUT_MS, MAX_CONNECTIONS, MAX_STRANGERS_PER_ADDRESS};
use steward_api::{ListenError, Listener};

/// The longest wait, which only a test that hangs reaches.
const PATIENCE: Duration = Duration::from_secs(30);

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads all that is said until the other side hangs up.
fn read_to_end(stream: &mut impl Read) -> String {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8(said).unwrap(),
    }
}

#[test]
fn connections_opened_without_end_do_not_lock_the_operator_out() {
    let server = server();
    let half = format!("GET /v1/status HTTP/1.1\r\nHost: {}\r\n", server.address);
    let strangers: Vec<TcpStream> = (0..MAX_CONNECTIONS + 100)
        .map(|_| {
            let mut stranger = connect(&server.address);
            // The oldest are hung up on.
            let _ = stranger.write_all(half.as_bytes());
            stranger
        })
        .collect();
    let begun = Instant::now();
    for _ in 0..10 {
        assert_eq!(server.get("/v1/metrics").0, 200);
    }
    assert!(begun.elapsed() < Duration::from_millis(HEAD_TIMEOUT_MS), "{:?}", begun.elapsed());
    drop(strangers);
}

/// The end must come at once: an open connection costs a descriptor.
#[test]
fn a_connection_that_loses_its_place_to_newer_ones_is_closed_at_once() {
    let server = server();
    let begun = Instant::now();
    let mut first = connect(&server.address);
    let newer: Vec<TcpStream> =
        (0..MAX_STRANGERS_PER_ADDRESS).map(|_| connect(&server.address)).collect();
    assert_eq!(read_to_end(&mut first), "");
    // Not for its silence.
    assert!(begun.elapsed() < Duration::from_millis(HEAD_TIMEOUT_MS), "{:?}", begun.elapsed());
    drop(newer);
}

/// Without this, a few hundred of them would lock the operator out.
#[test]
fn a_wrong_token_keeps_no_place() {
    let server = server();
    let begun = Instant::now();
    let mut first = connect(&server.address);
    let wrong = "0".repeat(server.token.len());
    let request =
        format!("GET /v1/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {wrong}\r\n\r\n");
    first.write_all(request.as_bytes()).unwrap();
    let mut head = [0; 12];
    first.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 401");
    let newer: Vec<TcpStream> =
        (0..MAX_STRANGERS_PER_ADDRESS).map(|_| connect(&server.address)).collect();
    read_to_end(&mut first);
    // Not for its silence after the answer.
    assert!(begun.elapsed() < Duration::from_millis(HEAD_TIMEOUT_MS), "{:?}", begun.elapsed());
    drop(newer);
}

#[test]
fn a_connection_that_says_nothing_to_a_tls_listener_is_closed() {
    let server = common::server_of_tls();
    let begun = Instant::now();
    assert_eq!(read_to_end(&mut connect(&server.address)), "");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
}

#[test]
fn a_connection_on_which_the_token_was_shown_does_not_make_room_for_strangers() {
    let server = server();
    let mut events = connect(&server.address);
    let request = format!(
        "GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        server.token
    );
    events.write_all(request.as_bytes()).unwrap();
    let mut head = [0; 15];
    events.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    let strangers: Vec<TcpStream> =
        (0..MAX_CONNECTIONS).map(|_| connect(&server.address)).collect();
    assert_eq!(server.get("/v1/metrics").0, 200);
    server.node.happens(1);
    let mut told = Vec::new();
    while !String::from_utf8_lossy(&told).contains("channel_overridden") {
        let mut bytes = [0; 512];
        let len = events.read(&mut bytes).unwrap();
        assert!(len > 0, "the stream was closed: {}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&bytes[..len]);
    }
    drop(strangers);
}

#[test]
fn a_connection_that_does_not_finish_its_request_is_closed() {
    let server = server();
    let bearer = format!("Authorization: Bearer {}\r\n", server.token);
    let json = "Content-Type: application/json\r\nContent-Length: 10\r\n";
    let cases = [
        ("silence", String::new(), ""),
        ("half a head", "GET /v1/status HTTP/1.1\r\nHost: x\r\n".to_owned(), ""),
        (
            "idle after an answer",
            format!("GET /v1/metrics HTTP/1.1\r\nHost: x\r\n{bearer}\r\n"),
            "HTTP/1.1 200",
        ),
        (
            "half a body",
            format!("POST /v1/peers HTTP/1.1\r\nHost: x\r\n{bearer}{json}\r\n{{\"ad"),
            "did not arrive in time",
        ),
        (
            "a body without the token",
            format!("POST /v1/peers HTTP/1.1\r\nHost: x\r\n{json}\r\n{{\"ad"),
            "HTTP/1.1 401",
        ),
    ];
    thread::scope(|scope| {
        for (what, words, answer) in &cases {
            let mut stream = connect(&server.address);
            scope.spawn(move || {
                let begun = Instant::now();
                stream.write_all(words.as_bytes()).unwrap();
                let said = read_to_end(&mut stream);
                assert!(said.contains(answer), "{what}: {said}");
                assert_eq!(said.is_empty(), answer.is_empty(), "{what}: {said}");
                assert!(begun.elapsed() < PATIENCE, "{what}");
            });
        }
    });
}

#[test]
fn a_head_that_does_not_end_is_refused() {
    let server = server();
    let mut stream = connect(&server.address);
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nX: ");
    // It may hang up in mid-sentence.
    let _ = stream.write_all(&vec![b'x'; 1_000_000]);
    let said = read_to_end(&mut stream);
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
}

#[test]
fn a_unix_socket_is_private_and_answers() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("api");
    // One that died left it behind.
    drop(UnixListener::bind(&path).unwrap());
    let server = common::server_on(&path);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let bearer = format!("Authorization: Bearer {}\r\nConnection: close\r\n", server.token);
    write!(stream, "GET /v1/metrics HTTP/1.1\r\nHost: x\r\n{bearer}\r\n").unwrap();
    let said = read_to_end(&mut stream);
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    server.end();
    assert!(!path.exists(), "it goes with its listener");
}

#[test]
fn a_socket_in_use_and_what_is_no_socket_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _runtime = runtime.enter();
    let path = dir.path().join("api");
    let _first = Listener::unix(&path).unwrap();
    assert!(matches!(Listener::unix(&path), Err(ListenError::InUse { .. })));
    let file = dir.path().join("file");
    std::fs::write(&file, "precious").unwrap();
    assert!(matches!(Listener::unix(&file), Err(ListenError::NoSocket { .. })));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    let far = dir.path().join("x".repeat(200));
    assert!(matches!(Listener::unix(&far), Err(ListenError::Io { .. })));
}
