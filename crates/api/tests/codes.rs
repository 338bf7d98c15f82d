//! The table of error codes, the code that uses it, and docs/errors.md say the same.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use steward_api::codes::{CODES, find};

/// Crates of which any error may become an answer.
const CRATES: [&str; 2] = ["api", "engine"];
/// Files of the node that running nodes answer from; the others are about starting one.
const NODE_FILES: [&str; 6] =
    ["error.rs", "handle.rs", "reach.rs", "replies.rs", "stop.rs", "task.rs"];
/// Codes, or how they begin, that only starting a node meets.
const NOT_IN_ANSWERS: [&str; 3] = ["channel_record_unreadable", "config_", "seed_"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, out: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            out.push((path, text));
        }
    }
}

/// Sources without their tests.
fn all_sources() -> Vec<(PathBuf, String)> {
    let mut out = Vec::new();
    for name in CRATES {
        sources(&root().join("crates").join(name).join("src"), &mut out);
    }
    sources(&root().join("crates/node/src/ops"), &mut out);
    for name in NODE_FILES {
        let path = root().join("crates/node/src").join(name);
        let text = fs::read_to_string(&path).unwrap();
        out.push((path, text));
    }
    for (_, text) in &mut out {
        let end = text.find("#[cfg(test)]").unwrap_or(text.len());
        text.truncate(end);
    }
    out
}

/// Every code that is given to a constructor of errors, with the constructor.
fn used() -> Vec<(PathBuf, String, String)> {
    let mut found = Vec::new();
    for (path, text) in all_sources() {
        for start in ["Error::", "Self::"] {
            for (at, _) in text.match_indices(start) {
                let rest = &text[at + start.len()..];
                let Some((constructor, arguments)) = rest.split_once('(') else { continue };
                let kinds = ["bad_request", "refused", "unavailable", "ours", "new", "of"];
                if !kinds.contains(&constructor) {
                    continue;
                }
                let Some(rest) = arguments.trim_start().strip_prefix('"') else { continue };
                let code = rest.split('"').next().unwrap();
                found.push((path.clone(), constructor.to_owned(), code.to_owned()));
            }
        }
    }
    assert!(found.len() > 60, "{}", found.len());
    found
}

#[test]
fn every_code_in_the_sources_is_listed_with_a_status_that_fits() {
    for (path, constructor, name) in used() {
        if NOT_IN_ANSWERS.iter().any(|start| name.starts_with(start)) {
            continue;
        }
        let place = format!("{} in {}", name, path.display());
        let code = find(&name).unwrap_or_else(|| panic!("{place} is not in CODES"));
        // What no waiting mends must not be called unavailable: programs would ask for ever.
        let fits: &[u16] = match constructor.as_str() {
            // Its configuration was wrong; whoever asks the node afterwards is not to blame.
            _ if name == "chain_source_unusable" => &[500],
            "bad_request" => &[400, 404, 409, 422],
            "refused" => &[409],
            "unavailable" => &[503],
            "ours" => &[500],
            _ => continue,
        };
        assert!(fits.contains(&code.status), "{place}: {constructor} and {}", code.status);
    }
}

#[test]
fn every_listed_code_is_used_and_listed_once() {
    let mut all = String::new();
    for (path, text) in all_sources() {
        if !path.ends_with("codes.rs") {
            all.push_str(&text);
        }
    }
    all.push_str(&fs::read_to_string(root().join("crates/store/src/error.rs")).unwrap());
    let mut names = BTreeSet::new();
    for code in CODES {
        assert!(all.contains(&format!("\"{}\"", code.name)), "{} is used nowhere", code.name);
        assert!(names.insert(code.name), "{} is there twice", code.name);
        assert!(!code.meaning.is_empty() && !code.hint.is_empty(), "{}", code.name);
    }
}

/// An answer is read by programs and by people at other machines.
#[test]
fn no_error_of_the_core_names_a_command_line() {
    let store = root().join("crates/store/src/error.rs");
    let mut all = all_sources();
    all.push((store.clone(), fs::read_to_string(store).unwrap()));
    for (path, text) in all {
        // A token that cannot be loaded has no API to answer.
        if path.ends_with("auth.rs") {
            continue;
        }
        // In the node's file the errors of starting one come first.
        let start =
            if path.ends_with("node/src/error.rs") { text.find("pub(crate) fn") } else { None };
        let text = &text[start.unwrap_or(0)..];
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(!line.contains("`steward "), "{}: {line}", path.display());
        }
    }
    for code in CODES {
        assert!(!code.hint.contains("`steward "), "{}", code.name);
    }
}

#[test]
fn the_page_of_errors_is_the_table() {
    let page = fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let written: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let row = |code: &steward_api::codes::Code| {
        format!("| `{}` | {} | {} | {} |", code.name, code.status, code.meaning, code.hint)
    };
    let listed: Vec<String> = CODES.iter().map(row).collect();
    for row in &listed {
        assert!(written.contains(&row.as_str()), "docs/errors.md lacks:\n{row}");
    }
    for row in written {
        assert!(listed.iter().any(|listed| listed == row), "CODES lacks:\n{row}");
    }
}
