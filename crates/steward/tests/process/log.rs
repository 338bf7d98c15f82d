//! A log whose reader has gone, whose disk is full, or that nobody reads: lines are lost, nothing
//! else is. The same for what commands print.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, PipeReader, pipe};
use std::path::Path;
use std::process::Stdio;

use tempfile::tempdir;

use crate::support::binary;
use crate::support::program::{Daemon, command, steward};

/// Each of these lets the daemon log something.
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
fn a_reader_of_the_log_that_stands_still_holds_up_nobody() {
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
fn a_command_whose_answer_nobody_reads_does_not_panic() {
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

/// Reads a line and goes away.
fn first_line(reader: PipeReader) {
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).unwrap();
    assert!(!line.is_empty());
}
