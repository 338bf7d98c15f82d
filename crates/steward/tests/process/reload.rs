//! SIGHUP: the configuration is read again, the log file is reopened, and nothing ends.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use serde_json::Value;
use tempfile::tempdir;

use crate::support::program::{Daemon, steward};
use crate::support::{PATIENCE, POLL_INTERVAL, binary};

const HOST: &str = "network = \"regtest\"\n[host]\nenabled = true\n";

/// A daemon that reads `steward.toml` in its directory and logs to a file.
fn start(dir: &Path, toml: &str, settings: &[&str]) -> Daemon {
    steward(dir, &["init", "--network", "regtest"]).success();
    configure(dir, toml);
    let log = format!("log.file={}", dir.join("log").display());
    let settings = [&[log.as_str()], settings].concat();
    Daemon::start_logging_to(Stdio::null(), binary(), dir, &settings)
}

fn configure(dir: &Path, toml: &str) {
    fs::write(dir.join("steward.toml"), toml).unwrap();
}

/// Waits until the log says something.
#[track_caller]
fn await_in_log(dir: &Path, text: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = fs::read_to_string(dir.join("log")).unwrap_or_default();
        if log.contains(text) {
            return log;
        }
        assert!(Instant::now() < deadline, "{text:?} is not in the log:\n{log}");
        thread::sleep(POLL_INTERVAL);
    }
}

#[test]
fn fees_and_secrets_are_taken_over_and_channels_that_are_open_hear_of_them() {
    let (host_dir, client_dir) = (tempdir().unwrap(), tempdir().unwrap());
    let listen = "listen.addresses=127.0.0.1:0";
    let host = start(host_dir.path(), HOST, &[listen]);
    let client = start(client_dir.path(), "network = \"regtest\"\n", &[]);
    let address = format!("{}@{}", host.ready.node_id, host.ready.listen_addresses[0]);
    steward(client_dir.path(), &["channel", "invoke", &address]).success();
    configure(
        host_dir.path(),
        &format!("{HOST}fee_base_msat = 4321\nrequire_secret = true\nsecrets = [\"x\"]\n"),
    );
    host.signal("HUP");
    await_in_log(host_dir.path(), "the configuration was read again");
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = steward(client_dir.path(), &["channel", "show", &host.ready.node_id]).success();
        if shown["host_policy"]["fee_base_msat"] == 4321 {
            break;
        }
        assert!(Instant::now() < deadline, "{shown}");
        thread::sleep(POLL_INTERVAL);
    }
    let stranger_dir = tempdir().unwrap();
    let stranger = start(stranger_dir.path(), "network = \"regtest\"\n", &[]);
    let refused = steward(stranger_dir.path(), &["channel", "invoke", &address]);
    assert_eq!(refused.code, Some(1), "the secret is asked for: {refused:?}");
    drop((client, stranger));
}

#[test]
fn a_configuration_that_cannot_be_used_changes_nothing_and_is_named_with_its_line() {
    let dir = tempdir().unwrap();
    let daemon = start(dir.path(), HOST, &["listen.addresses=127.0.0.1:0"]);
    let line = format!("{}, line 4", dir.path().join("steward.toml").display());
    for (bad, what) in [
        ("fee_base_mast = 1\n", "fee_base_mast"),
        ("fee_base_msat = \"many\"\n", "fee_base_msat"),
        ("fee_base_msat = \n", "line 4"),
    ] {
        configure(dir.path(), &format!("{HOST}{bad}"));
        daemon.signal("HUP");
        let log = await_in_log(dir.path(), what);
        assert!(log.contains(&line), "{log}");
        assert!(log.contains("the old one stays"), "{log}");
        fs::write(dir.path().join("log"), "").unwrap();
    }
    configure(dir.path(), &format!("{HOST}[log]\nlevel = \"info,=,\"\n"));
    daemon.signal("HUP");
    await_in_log(dir.path(), "log.level");
    fs::remove_file(dir.path().join("steward.toml")).unwrap();
    daemon.signal("HUP");
    await_in_log(dir.path(), "the old one stays");
    daemon.status();
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code, Some(0));
}

#[test]
fn what_needs_a_restart_is_named() {
    let dir = tempdir().unwrap();
    let daemon = start(dir.path(), "network = \"regtest\"\n", &[]);
    configure(dir.path(), "network = \"regtest\"\n[proxy]\nsocks5 = \"127.0.0.1:9050\"\n");
    daemon.signal("HUP");
    let log = await_in_log(dir.path(), "it is taken over at the next start");
    assert!(log.contains("proxy.socks5"), "{log}");
    daemon.status();
}

#[test]
fn a_log_file_that_was_moved_away_is_made_again_and_the_level_is_taken_over() {
    let dir = tempdir().unwrap();
    let daemon = start(dir.path(), "network = \"regtest\"\n", &[]);
    await_in_log(dir.path(), "node started");
    fs::rename(dir.path().join("log"), dir.path().join("log.1")).unwrap();
    configure(dir.path(), "network = \"regtest\"\n[log]\nlevel = \"trace\"\n");
    daemon.signal("HUP");
    let log = await_in_log(dir.path(), "TRACE");
    assert!(!log.contains("node started"), "{log}");
    let old = fs::read_to_string(dir.path().join("log.1")).unwrap();
    assert!(old.contains("node started") && !old.contains("TRACE"), "{old}");
}

#[test]
fn many_hangups_end_nothing() {
    let dir = tempdir().unwrap();
    let daemon = start(dir.path(), "network = \"regtest\"\n", &[]);
    (0..50).for_each(|_| daemon.signal("HUP"));
    let status = serde_json::to_value(daemon.status()).unwrap();
    assert_ne!(status["node_id"], Value::Null);
    daemon.signal("TERM");
    assert_eq!(daemon.wait().code, Some(0));
}
