//! A log whose reader has gone, whose disk is full, or that is not read: lines are lost, nothing
//! else is. The same for what commands print.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, PipeReader, pipe};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use tempfile::tempdir;

use crate::support::program::{Daemon, command, steward};
use crate::support::{PATIENCE, binary};

/// Sends messages, each of which lets the daemon log something.
fn make_it_talk(daemon: &Daemon, data_dir: &Path) {
    for _ in 0..20 {
        daemon.status();
    }
    let stranger = format!(
        "02{}@127.0.0.1:1",
        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    );
    let _ = steward(data_dir, &["connect", &stranger]);
    daemon.signal("HUP");
    daemon.status();
}

fn start(log: impl Into<Stdio>, data_dir: &Path, settings: &[&str]) -> Daemon {
    steward(data_dir, &["init", "--network", "regtest"]).success();
    let settings = [&["network=regtest", "log.level=trace"], settings].concat();
    Daemon::start_logging_to(log.into(), binary(), data_dir, &settings)
}

#[track_caller]
fn assert_ends_in_order(daemon: Daemon, data_dir: &Path) {
    daemon.signal("TERM");
    let end = daemon.wait();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert!(!data_dir.join(steward::client::ADDRESS_FILE).exists());
}

fn full_disk() -> std::fs::File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

fn pipe_without_reader() -> std::io::PipeWriter {
    pipe().unwrap().1
}

#[test]
fn a_log_on_a_full_disk_costs_lines_only() {
    let dir = tempdir().unwrap();
    let daemon = start(full_disk(), dir.path(), &[]);
    make_it_talk(&daemon, dir.path());
    assert_ends_in_order(daemon, dir.path());
}

#[test]
fn a_log_file_on_a_full_disk_costs_lines_only() {
    let dir = tempdir().unwrap();
    let daemon = start(Stdio::null(), dir.path(), &["log.file=/dev/full"]);
    make_it_talk(&daemon, dir.path());
    assert_ends_in_order(daemon, dir.path());
}

#[test]
fn a_log_without_a_reader_from_the_start_costs_lines_only() {
    let dir = tempdir().unwrap();
    let daemon = start(pipe_without_reader(), dir.path(), &[]);
    make_it_talk(&daemon, dir.path());
    assert_ends_in_order(daemon, dir.path());
}

#[test]
fn a_reader_of_the_log_that_goes_away_costs_lines_only() {
    let dir = tempdir().unwrap();
    let (reader, writer) = pipe().unwrap();
    let daemon = start(writer, dir.path(), &[]);
    first_line(reader);
    make_it_talk(&daemon, dir.path());
    assert_ends_in_order(daemon, dir.path());
}

#[test]
fn a_reader_of_the_log_that_stands_still_does_not_hold_up_the_node() {
    let dir = tempdir().unwrap();
    let (reader, writer) = pipe().unwrap();
    let daemon = start(writer, dir.path(), &["chain.poll_interval_ms=50"]);
    for _ in 0..50 {
        make_it_talk(&daemon, dir.path());
    }
    assert_ends_in_order(daemon, dir.path());
    drop(reader);
}

#[test]
fn a_log_file_is_private_and_appended_to() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("steward.log");
    let setting = format!("log.file={}", file.display());
    for starts in 1..=2 {
        let daemon = start_again(dir.path(), &setting);
        assert_ends_in_order(daemon, dir.path());
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text.matches("node started").count(), starts, "{text}");
        assert!(text.contains("stopping: terminated"), "why it stopped is told: {text}");
    }
    assert_eq!(crate::support::program::mode(&file), 0o600);
}

fn start_again(data_dir: &Path, setting: &str) -> Daemon {
    if !data_dir.join("seed").exists() {
        steward(data_dir, &["init", "--network", "regtest"]).success();
    }
    let settings = ["network=regtest", setting];
    Daemon::start_logging_to(Stdio::null(), binary(), data_dir, &settings)
}

#[test]
fn a_command_whose_answer_is_not_read_does_not_panic() {
    let dir = tempdir().unwrap();
    for arguments in [
        &["--help"][..],
        &["config"],
        &["--json", "config"],
        &["doctor"],
        &["status"],
        &["nonsense"],
    ] {
        let mut command = command(binary());
        command.arg("--data-dir").arg(dir.path()).args(arguments).stdin(Stdio::null());
        let said = command.stdout(pipe_without_reader()).stderr(Stdio::piped()).output().unwrap();
        let stderr = String::from_utf8_lossy(&said.stderr);
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
        assert!(said.status.code().is_some_and(|code| code <= 2), "{arguments:?}: {said:?}");
        let mut mute = command;
        let end = mute.stdout(full_disk()).stderr(pipe_without_reader()).status().unwrap();
        assert!(end.code().is_some_and(|code| code <= 2), "{arguments:?}: {end}");
    }
}

/// Reads a line and closes the pipe.
fn first_line(reader: PipeReader) {
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    assert!(!line.is_empty());
}

/// The error must be shown: without it a caller believes that the answer is in the file.
#[test]
fn an_answer_that_cannot_be_written_exits_with_1_and_says_so_but_a_closed_pipe_is_quiet() {
    let dir = tempdir().unwrap();
    for arguments in [
        &["--help"][..],
        &["help", "pay"],
        &["--version"],
        &["config"],
        &["--json", "--version"],
        &["--json", "config"],
    ] {
        let run = |stdout: Stdio| {
            let mut command = command(binary());
            command.arg("--data-dir").arg(dir.path()).args(arguments).stdin(Stdio::null());
            command.stdout(stdout).stderr(Stdio::piped()).output().unwrap()
        };
        let full = run(full_disk().into());
        let said = String::from_utf8_lossy(&full.stderr);
        assert_eq!(full.status.code(), Some(1), "{arguments:?}: {full:?}");
        assert!(said.contains("cannot be written to standard output"), "{arguments:?}: {said}");
        let closed = run(pipe_without_reader().into());
        assert_eq!(closed.status.code(), Some(0), "{arguments:?}: {closed:?}");
        assert!(closed.stderr.is_empty(), "{arguments:?}: {closed:?}");
    }
}

#[test]
fn a_daemon_that_cannot_write_its_ready_line_runs_on_and_logs_it() {
    for (stdout, json) in [
        (Stdio::from(full_disk()), true),
        (full_disk().into(), false),
        (pipe_without_reader().into(), false),
    ] {
        let dir = tempdir().unwrap();
        steward(dir.path(), &["init", "--network", "regtest"]).success();
        let mut command = command(binary());
        command.args(json.then_some("--json")).arg("--data-dir").arg(dir.path());
        command.args(["--set", "api.address=127.0.0.1:0", "--set", "listen.addresses="]);
        command.args(["--set", "network=regtest", "start", "--until-stdin-closes"]);
        command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let warned = lines.map(Result::unwrap).find(|line| line.contains("standard output"));
        let warned = warned.expect("it has ended without a word about that");
        assert!(warned.contains("WARN"), "{warned}");
        steward(dir.path(), &["status"]).success();
        drop(child.stdin.take());
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn a_daemon_that_can_say_nothing_at_all_runs_on() {
    let dir = tempdir().unwrap();
    steward(dir.path(), &["init", "--network", "regtest"]).success();
    let mut command = command(binary());
    command.arg("--data-dir").arg(dir.path());
    command.args(["--set", "api.address=127.0.0.1:0", "--set", "listen.addresses="]);
    command.args(["--set", "network=regtest", "start", "--until-stdin-closes"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(full_disk()).stderr(full_disk()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while steward(dir.path(), &["status"]).code != Some(0) {
        assert_eq!(child.try_wait().unwrap(), None, "it has ended");
        assert!(Instant::now() < deadline, "it does not answer");
    }
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
