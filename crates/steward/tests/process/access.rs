//! Access that must be refused: without the token, into a data directory that is in use, or with
//! garbage at the Lightning port.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;
use steward_api::model::{Metrics, PaymentState, Status};
use tempfile::tempdir;

use crate::shared;
use crate::support::network::{ALICE, BOB, HOST, Network};
use crate::support::program::{Daemon, mode, refused_start, steward};
use crate::support::{PATIENCE, load};

#[test]
fn a_second_daemon_on_the_same_data_directory_is_refused() {
    let network = shared();
    let dir = network.node(ALICE).data_dir();
    let said = refused_start(dir, &[]).failure("data_dir_locked");
    let pid = network.node(ALICE).process_id().unwrap().to_string();
    assert!(said["message"].as_str().unwrap().contains(&pid), "{said}");
    // The first is unharmed, and still found by the command line.
    steward(dir, &["status"]).success();
    assert_pays(&network);
}

#[test]
fn a_data_directory_in_use_is_not_made_again() {
    let network = shared();
    steward(network.node(ALICE).data_dir(), &["init"]).failure("data_dir_locked");
}

#[test]
fn a_request_without_the_token_is_refused_with_a_reason() {
    let (status, error) = get_status(&shared(), "");
    assert_eq!(status, 401);
    assert_eq!(error["code"], "unauthorized");
    assert!(!error["message"].as_str().unwrap().is_empty());
    assert!(error["hint"].as_str().unwrap().contains("Authorization"));
}

#[test]
fn a_request_with_a_wrong_token_is_refused_with_a_reason() {
    let token = format!("Authorization: Bearer {}\r\n", "0".repeat(64));
    let (status, error) = get_status(&shared(), &token);
    assert_eq!(status, 401);
    assert_eq!(error["code"], "unauthorized");
}

#[test]
fn garbage_and_half_open_connections_do_not_disturb_payments() {
    let network = shared();
    let (_, address) = network.node(HOST).address().split_once('@').map(owned).unwrap();
    let before: Metrics = network.node(HOST).client().get("/v1/metrics", &[]).unwrap();
    let half_of_act_one = [0x00, 0x02, 0x79, 0xBE, 0x66];
    // A valid curve point, a MAC that cannot be right.
    let mut forged_act_one = vec![0x00];
    forged_act_one.extend(generator_point());
    forged_act_one.extend([0xAA; 16]);
    let garbage: [&[u8]; 5] =
        [&[], &half_of_act_one, &forged_act_one, b"GET / HTTP/1.1\r\n\r\n", &[0xFF; 100_000]];
    let strangers: Vec<TcpStream> = garbage
        .into_iter()
        .cycle()
        .take(20)
        .map(|bytes| {
            let mut stranger = TcpStream::connect(&address).unwrap();
            // A connection on which nonsense comes may be closed while it is still written.
            let _ = stranger.write_all(bytes);
            stranger
        })
        .collect();
    for _ in 0..5 {
        assert_pays(&network);
    }
    let after: Metrics = network.node(HOST).client().get("/v1/metrics", &[]).unwrap();
    assert_eq!(after.peers.accepted - before.peers.accepted, 20);
    assert!(after.peers.failed_handshakes > before.peers.failed_handshakes);
    assert_eq!(after.peers.established, before.peers.established);
    let status: Status = network.node(HOST).client().get("/v1/status", &[]).unwrap();
    assert_eq!((status.channels.active, status.channels.suspended), (2, 0));
    drop(strangers);
}

#[test]
fn strangers_who_open_connections_without_end_do_not_lock_the_operator_out() {
    let network = shared();
    let node = network.node(ALICE);
    let address = std::fs::read_to_string(node.data_dir().join(steward::client::ADDRESS_FILE));
    let address = address.unwrap();
    let strangers: Vec<TcpStream> = (0..600)
        .map(|_| {
            let mut stranger = TcpStream::connect(address.trim()).unwrap();
            // The oldest are closed.
            let _ = stranger.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n");
            stranger
        })
        .collect();
    steward(node.data_dir(), &["status"]).success();
    drop(strangers);
}

#[test]
fn the_command_line_finds_a_unix_socket() {
    let dir = tempdir().unwrap();
    let socket = dir.path().join("api.sock");
    let setting = format!("api.socket={}", socket.display());
    let daemon = Daemon::start(dir.path(), &["network=regtest", &setting]);
    assert_eq!(daemon.ready.api_address, format!("unix:{}", socket.display()));
    assert_eq!(mode(&socket), 0o600);
    assert_eq!(daemon.status().node_id, daemon.ready.node_id);
    assert_eq!(steward(dir.path(), &["stop"]).success()["stopped"], true);
    assert_eq!(daemon.wait().code, Some(0));
    assert!(!socket.exists());
    steward(dir.path(), &["--set", &setting, "status"]).failure("daemon_not_running");
}

#[test]
fn the_command_line_speaks_tls_with_the_daemons_own_certificate_and_no_other() {
    let dir = tempdir().unwrap();
    let file = |name: &str| dir.path().join(name).display().to_string();
    std::fs::write(file("one.pem"), include_str!("../support/tls/one.pem")).unwrap();
    std::fs::write(file("two.pem"), include_str!("../support/tls/two.pem")).unwrap();
    std::fs::write(file("key"), include_str!("../support/tls/one.key")).unwrap();
    std::fs::write(
        dir.path().join("steward.toml"),
        "network = \"regtest\"\n[api]\ntls_certificate = \"one.pem\"\ntls_key = \"key\"\n",
    )
    .unwrap();
    let exposed = |mode| {
        std::fs::set_permissions(file("key"), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    steward(dir.path(), &["init"]).success();
    exposed(0o644);
    refused_start(dir.path(), &[]).failure("api_listen_failed");
    exposed(0o600);
    let daemon = Daemon::start(dir.path(), &[]);
    assert!(daemon.ready.api_address.starts_with("https://127.0.0.1:"), "{:?}", daemon.ready);
    assert_eq!(daemon.status().node_id, daemon.ready.node_id);
    let other = format!("api.tls_certificate={}", file("two.pem"));
    let refused = steward(dir.path(), &["--set", &other, "status"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    // What listens there does not speak plain HTTP.
    let address = daemon.ready.api_address.trim_start_matches("https://");
    let mut plain = TcpStream::connect(address).unwrap();
    plain.write_all(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}

#[track_caller]
fn assert_pays(network: &Network) {
    let invoice = network.node(BOB).create_invoice(5_000).unwrap();
    let payment = load::pay(network.node(ALICE).client(), &invoice, PATIENCE).unwrap();
    assert_eq!(payment.status, PaymentState::Complete, "{payment:?}");
}

/// Speaks HTTP by hand: our own client always has the token. Returns the status code and the body.
fn get_status(network: &Network, header: &str) -> (u16, Value) {
    let file = network.node(HOST).data_dir().join(steward::client::ADDRESS_FILE);
    let address = std::fs::read_to_string(file).unwrap();
    let mut stream = TcpStream::connect(address.trim()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let host = format!("Host: {}\r\nConnection: close\r\n", address.trim());
    write!(stream, "GET /v1/status HTTP/1.1\r\n{host}{header}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap())
}

fn generator_point() -> [u8; 33] {
    use bitcoin::secp256k1::{Secp256k1, SecretKey};
    let one = SecretKey::from_slice(&[&[0; 31][..], &[1]].concat()).unwrap();
    one.public_key(&Secp256k1::signing_only()).serialize()
}

fn owned((node_id, address): (&str, &str)) -> (String, String) {
    (node_id.to_owned(), address.to_owned())
}
