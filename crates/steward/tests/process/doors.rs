//! Doors that must not stand open by themselves: nodes that were not asked for, secrets that others
//! can read, tokens sent to strangers, a second daemon.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use steward::client::ADDRESS_FILE;
use tempfile::{TempDir, tempdir};

use crate::support::binary;
use crate::support::program::{
    Answer, Daemon, command, mode, refused_start, steward, steward_with_input,
};

const REGTEST: &str = "network=regtest";

/// The id of a user that is not root, and has no entry in the list of users.
const NOBODY: u32 = 54321;

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn made() -> TempDir {
    let dir = tempdir().unwrap();
    steward(dir.path(), &["init", "--network", "regtest"]).success();
    dir
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_start_without_a_node_makes_nothing() {
    let dir = tempdir().unwrap();
    let mistyped = dir.path().join("sreward");
    for place in [dir.path(), mistyped.as_path()] {
        let said = refused_start(place, &[REGTEST]).failure("no_node");
        assert!(said["hint"].as_str().unwrap().contains("steward init"), "{said}");
    }
    assert!(entries(dir.path()).is_empty());
}

#[test]
fn init_shows_the_words_and_a_second_one_says_to_leave_the_database_alone() {
    let dir = tempdir().unwrap();
    let first = steward(dir.path(), &["init", "--network", "regtest"]).success();
    assert_eq!(first["words"].as_str().unwrap().split(' ').count(), 12);
    assert_eq!(steward(dir.path(), &["seed", "--yes"]).success()["words"], first["words"]);
    let again = steward(dir.path(), &["init", "--network", "regtest"]).failure("node_exists");
    let hint = again["hint"].as_str().unwrap();
    assert!(hint.contains("`steward start` runs it") && hint.contains("leave it"), "{hint}");
    assert!(!hint.contains("move"), "{hint}");
}

#[test]
fn init_says_what_else_is_needed_after_a_loss() {
    let dir = tempdir().unwrap();
    let mut init = command(binary());
    init.arg("--data-dir").arg(dir.path()).args(["init", "--network", "regtest"]);
    let text = said(&init.output().unwrap());
    assert!(text.contains("id and address of each host"), "{text}");
}

#[test]
fn words_that_were_never_shown_must_be_shown_before_the_node_starts() {
    let dir = tempdir().unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut init = command(binary());
    init.arg("--data-dir").arg(dir.path()).args(["init", "--network", "regtest"]).stdout(writer);
    assert!(!init.status().unwrap().success());
    let said = refused_start(dir.path(), &[REGTEST]).failure("seed_not_shown");
    assert!(said["hint"].as_str().unwrap().contains("`steward seed`"), "{said}");
    steward(dir.path(), &["seed", "--yes"]).success();
    Daemon::start(dir.path(), &[REGTEST]).status();
}

#[test]
fn a_node_as_init_makes_it_listens_nowhere() {
    let dir = made();
    let start = ["--set", "api.address=127.0.0.1:0", "start", "--until-stdin-closes"];
    let ready: Value = steward(dir.path(), &start).success();
    assert_eq!(ready["listen_addresses"].as_array().unwrap().len(), 0, "{ready}");
}

#[test]
fn init_for_another_network_than_the_file_names_is_refused() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("steward.toml");
    let init = ["init", "--network", "regtest"];
    fs::write(&file, "network = \"signet\"\n").unwrap();
    let said = steward(dir.path(), &init).failure("network_differs");
    assert!(said["message"].as_str().unwrap().contains("steward.toml, line 1"), "{said}");
    let by_set = steward(dir.path(), &["--set", REGTEST, "init"]);
    by_set.failure("network_differs");
    fs::write(&file, "[host]\n").unwrap();
    let said = steward(dir.path(), &["init", "--network", "signet"]).failure("network_differs");
    assert!(said["message"].as_str().unwrap().contains("names no network"), "{said}");
    assert_eq!(entries(dir.path()), [file.as_path()], "nothing was made");
    steward(dir.path(), &init).success();
    let other = tempdir().unwrap();
    let said = steward(other.path(), &["init", "--network", "moonnet"]).failure("config_invalid");
    assert!(said["message"].as_str().unwrap().contains("flag --network"), "{said}");
}

#[test]
fn the_configuration_is_private_and_one_with_secrets_must_be() {
    let dir = made();
    let file = dir.path().join("steward.toml");
    assert_eq!(mode(&file), 0o600);
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    // Nothing in it is secret yet.
    drop(Daemon::start(dir.path(), &[REGTEST]));
    fs::write(&file, "[host]\nsecrets = [\"s3cret\"]\n").unwrap();
    let said = refused_start(dir.path(), &[REGTEST]).failure("config_invalid");
    assert!(said["hint"].as_str().unwrap().contains("chmod 600"), "{said}");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    drop(Daemon::start(dir.path(), &[REGTEST]));
}

#[test]
fn a_daemon_leaves_no_core_dump() {
    let dir = made();
    let daemon = Daemon::start(dir.path(), &[REGTEST]);
    let limits = fs::read_to_string(format!("/proc/{}/limits", daemon.process_id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let values: Vec<&str> = core.split_whitespace().rev().take(3).collect();
    assert_eq!(values, ["bytes", "0", "0"]);
}

#[test]
fn the_token_goes_to_no_stranger_at_the_port_of_a_node_that_has_stopped() {
    let dir = made();
    drop(Daemon::start(dir.path(), &[REGTEST]));
    assert!(dir.path().join("api-token").exists());
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let address = stranger.local_addr().unwrap();
    // As a killed daemon leaves it; and as the configuration has it.
    fs::write(dir.path().join(ADDRESS_FILE), format!("{address}\n")).unwrap();
    let configured = format!("api.address={address}");
    for question in [&["status"][..], &["stop"], &["channel", "list"]] {
        let question = [&["--set", configured.as_str()], question].concat();
        steward(dir.path(), &question).failure("daemon_not_running");
    }
    fs::remove_file(dir.path().join(ADDRESS_FILE)).unwrap();
    steward(dir.path(), &["--set", &configured, "status"]).failure("daemon_not_running");
    assert_eq!(stranger.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_second_daemon_is_named_before_any_port_is_tried() {
    let dir = made();
    let daemon = Daemon::start(dir.path(), &[REGTEST, "host.enabled=true"]);
    let api = format!("api.address={}", daemon.ready.api_address);
    let said = refused_start(dir.path(), &[REGTEST, &api]).failure("data_dir_locked");
    let process = format!("in use by process {}", daemon.process_id());
    assert!(said["message"].as_str().unwrap().contains(&process), "{said}");
}

#[test]
fn a_second_daemon_is_refused_whatever_happens_to_the_lock_file() {
    let place = tempdir().unwrap();
    let [dir, link, moved] = ["node", "link", "moved"].map(|name| place.path().join(name));
    steward(&dir, &["init", "--network", "regtest"]).success();
    symlink(&dir, &link).unwrap();
    let daemon = Daemon::start(&dir, &[REGTEST]);
    let refused = |dir: &Path| refused_start(dir, &[REGTEST]).failure("data_dir_locked");
    refused(&link);
    fs::remove_file(dir.join("lock")).unwrap();
    refused(&dir);
    refused(&link);
    fs::write(dir.join("new"), "1\n").unwrap();
    fs::rename(dir.join("new"), dir.join("lock")).unwrap();
    refused(&dir);
    fs::rename(&dir, &moved).unwrap();
    refused(&moved);
    fs::rename(&moved, &dir).unwrap();
    daemon.status();
}

/// Mounts one directory under two paths that no comparison of names could tell. Where the system
/// lets us.
#[test]
fn a_second_daemon_is_refused_behind_a_bind_mount() {
    let place = tempdir().unwrap();
    let [dir, other] = ["node", "other"].map(|name| place.path().join(name));
    steward(&dir, &["init", "--network", "regtest"]).success();
    fs::create_dir(&other).unwrap();
    let _daemon = Daemon::start(&dir, &[REGTEST]);
    let script = "mount --bind \"$1\" \"$2\" || exit 77; rm \"$2/lock\"; shift; exec \"$0\" --json \
                  --data-dir \"$1\" --set network=regtest --set api.address=127.0.0.1:0 start \
                  --until-stdin-closes";
    let mut second = command(Path::new("unshare"));
    second.args(["--mount", "sh", "-c", script]).arg(binary()).arg(&dir).arg(&other);
    second.stdin(Stdio::null());
    match second.output() {
        Ok(output) if said(&output).contains("data_dir_locked") => {}
        Ok(output) if output.status.code() == Some(77) || said(&output).contains("unshare") => {
            eprintln!("skipped: no mounts are allowed here");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_database_that_is_replaced_under_a_running_daemon_stops_it() {
    let dir = made();
    // Each new height is written down.
    let daemon = Daemon::start(dir.path(), &[REGTEST, "chain.seconds_per_block=1"]);
    let database = dir.path().join("steward.db");
    fs::copy(&database, dir.path().join("copy")).unwrap();
    fs::rename(dir.path().join("copy"), &database).unwrap();
    let end = daemon.wait();
    assert!(end.json()["message"].as_str().unwrap().contains("replaced"), "{end:?}");
}

#[test]
fn a_secret_for_a_host_comes_from_a_file_or_standard_input() {
    let (host, client) = (made(), made());
    let secrets = host.path().join("secrets");
    fs::write(&secrets, "correct,horse\nanother\n").unwrap();
    fs::set_permissions(&secrets, Permissions::from_mode(0o600)).unwrap();
    let listed = format!("host.secrets_file={}", secrets.display());
    let settings =
        [REGTEST, "host.enabled=true", "host.require_secret=true", "listen.addresses=127.0.0.1:0"];
    let daemon = Daemon::start(host.path(), &[&settings[..], &[&listed]].concat());
    let _client = Daemon::start(client.path(), &[REGTEST]);
    let address = format!("{}@{}", daemon.ready.node_id, daemon.ready.listen_addresses[0]);
    let invoke = |more: &[&str], input: &str| -> Answer {
        let arguments = [&["channel", "invoke", &address], more].concat();
        steward_with_input(client.path(), &arguments, input)
    };
    let from_stdin = ["--secret-file", "-"];
    for unusable in ["", "\n", "hex:\n", " correct,horse\n", "correct\nhorse\n"] {
        invoke(&from_stdin, unusable).failure("bad_secret");
    }
    invoke(&["--secret", ""], "").failure("bad_secret");
    let file = client.path().join("secret");
    fs::write(&file, "correct\n").unwrap();
    let wrong = invoke(&["--secret-file", file.to_str().unwrap()], "").failure("opening_failed");
    let none = invoke(&[], "").failure("opening_failed");
    for (said, says) in [(wrong, "the secret sent was not accepted"), (none, "no secret was sent")]
    {
        let hint = said["hint"].as_str().unwrap();
        assert!(hint.contains(says) && hint.contains("--secret-file"), "{said}");
        assert!(said["message"].as_str().unwrap().contains("0007 "), "{said}");
    }
    let opened = invoke(&from_stdin, "correct,horse\n").success();
    assert_eq!(opened["phase"], "active", "{opened}");
}

#[test]
fn without_a_home_directory_a_place_must_be_named() {
    let place = tempdir().unwrap();
    fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
    if is_root() {
        let mut init = command(binary());
        init.env_remove("HOME").uid(NOBODY).current_dir(place.path()).arg("init");
        let output = init.output().unwrap();
        assert!(!output.status.success());
        assert!(said(&output).contains("no home directory"), "{}", said(&output));
    } else {
        eprintln!("skipped in part: only root can become a user without an entry");
    }
    let missing = place.path().join("missing");
    let output = command(binary()).env("HOME", &missing).arg("init").output().unwrap();
    assert!(said(&output).contains("missing does not exist"), "{}", said(&output));
    assert!(entries(place.path()).is_empty());
}

#[test]
fn a_database_that_was_read_only_names_the_files_and_can_be_mended() {
    let dir = made();
    let place = dir.path();
    // Root may write to anything.
    let user = is_root().then_some(NOBODY);
    if let Some(user) = user {
        chown(place, Some(user), None).unwrap();
        entries(place).iter().for_each(|file| chown(file, Some(user), None).unwrap());
    }
    let run = |arguments: &[&str]| -> String {
        let mut command = command(binary());
        command.args(["--data-dir", place.to_str().unwrap(), "--set", REGTEST]);
        command.args(["--set", "api.address=127.0.0.1:0"]).args(arguments).stdin(Stdio::null());
        if let Some(user) = user {
            command.uid(user);
        }
        said(&command.output().unwrap())
    };
    let start = ["start", "--until-stdin-closes"];
    let database = place.join("steward.db");
    let set_mode = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    };
    set_mode(&database, 0o400);
    let refused = run(&start);
    assert!(refused.contains("database_read_only"), "{refused}");
    assert!(refused.contains("steward.db cannot be written"), "{refused}");
    assert!(run(&["doctor"]).contains("steward.db cannot be written"));
    assert!(!place.join("steward.db-shm").exists() && !place.join("steward.db-wal").exists());
    set_mode(&database, 0o600);
    // As earlier versions left them.
    for name in ["steward.db-wal", "steward.db-shm"] {
        let path = place.join(name);
        fs::write(&path, "").unwrap();
        user.iter().for_each(|user| chown(&path, Some(*user), None).unwrap());
        set_mode(&path, 0o400);
        let expected = format!("{name} cannot be written");
        assert!(run(&start).contains(&expected), "{name}");
        assert!(run(&["doctor"]).contains(&expected), "{name}");
        set_mode(&path, 0o600);
    }
    assert!(run(&start).contains("ready"), "{}", run(&start));
}

#[test]
fn the_configuration_is_printed_with_what_each_key_means() {
    let dir = tempdir().unwrap();
    let mut config = command(binary());
    config.arg("--data-dir").arg(dir.path()).arg("config");
    let printed = said(&config.output().unwrap());
    let lines: Vec<&str> = printed.lines().collect();
    let key = lines.iter().position(|line| line.starts_with("host.fee_ppm = 1000")).unwrap();
    assert_eq!(lines[key], "host.fee_ppm = 1000  # default");
    assert!(lines[key - 1].starts_with("# Proportional fee"), "{printed}");
    assert!(!printed.to_lowercase().contains("invitation"));
    let json = steward(dir.path(), &["config"]).success();
    let keys = json["keys"].as_array().unwrap();
    assert!(keys.iter().all(|key| !key["meaning"].as_str().unwrap().contains('\n')), "{json}");
}

#[test]
fn a_mistyped_variable_of_the_environment_keeps_the_door_shut() {
    let dir = made();
    for (variable, value, reason) in [
        ("STEWARD_HOST_REQUIRE_SECRET", "true", "did you mean STEWARD_HOST__REQUIRE_SECRET?"),
        ("STEWARD_HOST__SECRETS", "correct,horse", "one secret or several"),
        ("STEWARD_HOST__SECRETS", "", "it is empty"),
        ("STEWARD_LOG__LEVEL", "banana", "`banana` is no level"),
    ] {
        let mut start = command(binary());
        start.env(variable, value).env("STEWARD_API__ADDRESS", "127.0.0.1:0");
        start.arg("--data-dir").arg(dir.path()).args(["start", "--until-stdin-closes"]);
        let output = start.stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success());
        assert!(said(&output).contains(reason), "{variable}: {}", said(&output));
    }
}

#[test]
fn words_are_read_as_a_numbered_list_over_many_lines() {
    let dir = made();
    let words = steward(dir.path(), &["seed", "--yes"]).success();
    let listed: String = words["words"]
        .as_str()
        .unwrap()
        .split(' ')
        .enumerate()
        .map(|(index, word)| format!("{:2}. \"{}\",\r\n", index + 1, word.to_uppercase()))
        .collect();
    let restored = tempdir().unwrap();
    let init = ["init", "--network", "regtest", "--restore"];
    let made = steward_with_input(restored.path(), &init, &format!("\u{feff}{listed}")).success();
    assert!(made["words"].is_null());
    assert_eq!(steward(restored.path(), &["seed", "--yes"]).success()["words"], words["words"]);
    let unreadable = tempdir().unwrap();
    let place = unreadable.path().join("new");
    let said = steward_with_input(&place, &init, &"abandon ".repeat(2000)).failure("seed_invalid");
    assert!(said["message"].as_str().unwrap().contains("longer"), "{said}");
    assert!(!place.exists());
}

#[test]
fn the_doctor_knows_where_a_running_daemon_listens() {
    let dir = made();
    let daemon =
        Daemon::start(dir.path(), &[REGTEST, "host.enabled=true", "listen.addresses=127.0.0.1:0"]);
    let checkup = steward(dir.path(), &["doctor"]).json();
    let find = |name: &str| -> String {
        let checks = checkup["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == name).unwrap()["detail"].to_string()
    };
    assert!(find("api_port").contains(&daemon.ready.api_address), "{checkup}");
    assert!(find("listen_port").contains(&daemon.ready.listen_addresses[0]), "{checkup}");
}

#[test]
fn the_help_says_who_can_see_a_secret() {
    let help = Command::new(binary()).args(["channel", "invoke", "--help"]).output().unwrap();
    let text = said(&help).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("list of processes") && text.contains("--secret-file"), "{text}");
}
