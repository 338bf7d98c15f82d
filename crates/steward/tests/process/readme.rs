//! The commands that README.md says to paste work as they stand there.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::binary;
use crate::support::program::signal_group;

#[test]
fn the_two_nodes_of_the_readme_pay_each_other_when_pasted() {
    let home = tempfile::tempdir().unwrap();
    let mut script = block_below("## Two nodes on one machine");
    // The ports of the text may be in use here.
    let listeners = ["19735", "19737", "19747"].map(|port| {
        assert!(script.contains(port), "{script}");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        script = script.replace(port, &listener.local_addr().unwrap().port().to_string());
        listener
    });
    drop(listeners);

    let (code, said) = paste(&script, home.path());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("complete: 1 000 sat"), "{said}");
    assert!(said.contains("signed that it owes 99 000 sat"), "{said}");
}

/// Returns the first block of commands below a heading.
fn block_below(heading: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let (_, below) = readme.split_once(&format!("\n{heading}\n")).unwrap();
    let (_, block) = below.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// Runs it in a shell of its own, which stops at the first failure, and ends what it has left
/// running. All that is said comes in one text.
fn paste(script: &str, home: &Path) -> (Option<i32>, String) {
    let said = home.join("said");
    let output = fs::File::create(&said).unwrap();
    let mut shell = Command::new("bash")
        .args(["-e", "-o", "pipefail", "-c", script])
        .current_dir(home)
        .env_clear()
        .env("HOME", home)
        .env("PATH", format!("{}:/usr/bin:/bin", binary().parent().unwrap().display()))
        .stdin(Stdio::null())
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .process_group(0)
        .spawn()
        .unwrap();
    let status = shell.wait().unwrap();
    if !status.success() {
        signal_group(shell.id(), "KILL");
    }
    (status.code(), fs::read_to_string(said).unwrap())
}
