//! Programs of earlier commits, built from the history of this repository when a test asks for one. A test that
//! cannot have one (a shallow clone, no Git, a build that fails) says so in a line that begins with "SKIP".

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::support::binary;

/// An earlier version of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    /// The commit it is built from.
    pub(crate) commit: &'static str,
    /// Its place in this history.
    pub(crate) what: &'static str,
    /// The settings of these tests that it does not know: it behaves that way anyhow.
    unknown_settings: &'static [&'static str],
}

/// The last commit whose database has schema 4: a channel is still named by its peer.
pub(crate) const PEERS_NAME_CHANNELS: Version = Version {
    commit: "c0ee90efe979e45ebc04a466445e57eb3c706cc7",
    what: "schema 4",
    unknown_settings: &[],
};

/// A commit whose database has schema 3.
pub(crate) const SCHEMA_3: Version = Version {
    commit: "2503b248144a71c565884bfb10cf5a721316f523",
    what: "schema 3",
    unknown_settings: &["host.enabled=true"],
};

/// Every version that the present one must understand.
pub(crate) const ALL: [Version; 2] = [PEERS_NAME_CHANNELS, SCHEMA_3];

/// Runs a test with the program of each earlier version; skips those that cannot be built, loudly.
pub(crate) fn with_each(test: &str, run: impl Fn(&Path)) {
    for version in ALL {
        match program(version) {
            Ok(program) => run(&program),
            Err(reason) => skip(test, version, &reason),
        }
    }
}

/// Prints a line that must be seen: the harness keeps what `println!` writes to itself.
fn skip(test: &str, version: Version, reason: &str) {
    let Version { commit, what, .. } = version;
    let line = format!("\nSKIP {test} with {what} ({}): {reason}\n", &commit[..7]);
    io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Returns the program of that version, built once however many tests ask for it.
fn program(version: Version) -> Result<PathBuf, String> {
    static BUILT: Mutex<BTreeMap<Version, Result<PathBuf, String>>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry(version).or_insert_with(|| build(version)).clone()
}

fn build(version: Version) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let root = root.ok_or("this crate is in no repository")?;
    let target = binary().ancestors().nth(2).ok_or("the program is in no target directory")?;
    let mut command = Command::new(root.join("scripts/build-before"));
    command.arg(version.commit).arg(target);
    // The settings of this test's build are not meant for the other one.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST") {
            command.env_remove(name);
        }
    }
    let output = command.output().map_err(|error| error.to_string())?;
    let last_line =
        |bytes: &[u8]| String::from_utf8_lossy(bytes).lines().last().unwrap_or_default().to_owned();
    if !output.status.success() {
        return Err(last_line(&output.stderr));
    }
    let program = PathBuf::from(last_line(&output.stdout));
    without_unknown_settings(&program, version).map_err(|error| error.to_string())
}

/// A script that runs the program without the settings that it would refuse.
fn without_unknown_settings(program: &Path, version: Version) -> io::Result<PathBuf> {
    let mut script = String::from("#!/bin/bash\narguments=()\nwhile [ $# -gt 0 ]; do\n");
    for setting in version.unknown_settings {
        let skip =
            format!("    [ \"$1 ${{2-}}\" = '--set {setting}' ] && {{ shift 2; continue; }}\n");
        script.push_str(&skip);
    }
    let run = format!("exec '{}' \"${{arguments[@]}}\"\n", program.display());
    script.push_str("    arguments+=(\"$1\"); shift\ndone\n");
    script.push_str(&run);
    let path = program.with_extension("sh");
    fs::write(&path, script)?;
    fs::set_permissions(&path, Permissions::from_mode(0o700))?;
    Ok(path)
}
