//! The command line as a program sees it, and single daemons with all they say until they end.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use serde_json::Value;
use steward::daemon::Ready;
use steward_api::model::Status;

use super::{PATIENCE, POLL_INTERVAL, binary};

/// The output of a process, and how it ended.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// Returns stdout, the whole of which is one JSON document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that it did what it should.
    #[track_caller]
    pub(crate) fn success(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.json()
    }

    /// Checks that it failed, said why in one JSON document and what to do about it.
    #[track_caller]
    pub(crate) fn failure(&self, code: &str) -> Value {
        assert_eq!(self.code, Some(1), "{self:?}");
        self.said(code)
    }

    /// Checks that it refused its input as senseless, and said why.
    #[track_caller]
    pub(crate) fn unreadable(&self, code: &str) -> Value {
        assert_eq!(self.code, Some(2), "{self:?}");
        self.said(code)
    }

    #[track_caller]
    fn said(&self, code: &str) -> Value {
        let said = self.json();
        assert_eq!(said["code"], code, "{said}");
        assert!(!said["message"].as_str().unwrap().is_empty(), "{said}");
        assert!(!said["hint"].as_str().unwrap().is_empty(), "{said}");
        said
    }
}

/// Runs one command for a data directory, with `--json`.
pub(crate) fn steward(data_dir: &Path, arguments: &[&str]) -> Answer {
    steward_with_input(data_dir, arguments, "")
}

/// Does the same, with something on standard input.
pub(crate) fn steward_with_input(data_dir: &Path, arguments: &[&str], input: &str) -> Answer {
    let mut command = command(binary());
    command.arg("--json").arg("--data-dir").arg(data_dir).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Answer {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Starts a daemon that must not start, and returns what it says about that.
pub(crate) fn refused_start(data_dir: &Path, settings: &[&str]) -> Answer {
    let mut arguments = vec!["--set", "api.address=127.0.0.1:0", "--set", "listen.addresses="];
    settings.iter().for_each(|setting| arguments.extend(["--set", *setting]));
    // If it does start it ends at once.
    arguments.extend(["start", "--until-stdin-closes"]);
    steward(data_dir, &arguments)
}

/// A daemon whose end is of interest. Dropping it kills it.
pub(crate) struct Daemon {
    child: Child,
    pub(crate) ready: Ready,
    data_dir: PathBuf,
    /// Reads what it says after `ready`.
    rest: Option<JoinHandle<String>>,
}

impl Daemon {
    /// Starts one on regtest, on loopback, in a directory that it makes if it must, and waits until
    /// it is ready.
    pub(crate) fn start(data_dir: &Path, settings: &[&str]) -> Self {
        if !data_dir.join("seed").exists() {
            steward(data_dir, &["init", "--network", "regtest"]).success();
        }
        Self::start_as(binary(), data_dir, settings)
    }

    /// Does the same with another program, which must become `steward`.
    pub(crate) fn start_as(program: &Path, data_dir: &Path, settings: &[&str]) -> Self {
        Self::start_logging_to(Stdio::null(), program, data_dir, settings)
    }

    /// Does the same with a log that the test may read.
    pub(crate) fn start_logging_to(
        log: Stdio,
        program: &Path,
        data_dir: &Path,
        settings: &[&str],
    ) -> Self {
        let mut command = command(program);
        command.arg("--json").arg("--data-dir").arg(data_dir);
        for setting in ["api.address=127.0.0.1:0", "listen.addresses="].iter().chain(settings) {
            command.args(["--set", setting]);
        }
        command.args(["start", "--until-stdin-closes"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let rest = thread::spawn(move || {
            let mut rest = String::new();
            stdout.read_to_string(&mut rest).unwrap();
            rest
        });
        let ready = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        Self { child, ready, data_dir: data_dir.to_owned(), rest: Some(rest) }
    }

    /// Returns its process id.
    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits until it ends by itself.
    pub(crate) fn wait(mut self) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        let status: ExitStatus = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the daemon does not end");
            thread::sleep(POLL_INTERVAL);
        };
        let stdout = self.rest.take().unwrap().join().unwrap();
        Answer { code: status.code(), stdout, stderr: String::new() }
    }

    /// Returns its status, by the command line.
    pub(crate) fn status(&self) -> Status {
        serde_json::from_value(steward(&self.data_dir, &["status"]).success()).unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a process a signal by name.
pub(crate) fn signal(process_id: u32, name: &str) {
    let process_id = process_id.to_string();
    assert!(Command::new("kill").args(["-s", name, &process_id]).status().unwrap().success());
}

/// Sends a signal to all that are left of a process group, if there are any.
pub(crate) fn signal_group(leader_id: u32, name: &str) {
    let group = format!("-{leader_id}");
    let _ = Command::new("kill").args(["-s", name, "--", &group]).status();
}

/// Makes a program that runs `steward` with files limited to `blocks` of 512 bytes each, as on a
/// disk that fills up: writes beyond fail with an error and not with a signal.
pub(crate) fn with_limited_files(dir: &Path, blocks: u64) -> PathBuf {
    let path = dir.join("steward-with-limited-files");
    let steward = binary().display();
    let script = format!(
        "#!/bin/sh\ntrap '' XFSZ\nulimit -f {blocks} || exit 99\nexec '{steward}' \"$@\"\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

/// Returns the permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Makes a command without the settings of the user that runs the tests.
pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STEWARD_") {
            command.env_remove(name);
        }
    }
    command
}
