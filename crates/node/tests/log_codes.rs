//! Every code of a line in the log is explained in docs/operations.md, which explains no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The texts that a code follows in the sources, after any number of spaces.
const MARKS: [&str; 3] = [".log(Level::", "code = \"", " code: \""];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let end = text.find("#[cfg(test)]").unwrap_or(text.len());
            out.push_str(&text[..end]);
        }
    }
}

/// Returns the codes that the sources give to lines of the log.
fn used() -> BTreeSet<String> {
    let mut text = String::new();
    for name in ["engine", "node", "runtime"] {
        sources(&root().join("crates").join(name).join("src"), &mut text);
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("( Level", "(Level");
    let mut codes = BTreeSet::new();
    for mark in MARKS {
        for rest in text.split(mark).skip(1) {
            let rest = if mark.starts_with('.') { rest.split_once('"').unwrap().1 } else { rest };
            codes.insert(rest.split('"').next().unwrap().to_owned());
        }
    }
    codes
}

#[test]
fn the_table_of_log_codes_is_complete() {
    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let (_, table) = page.split_once("| Code | Level | Means |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with("| `"));
    let listed: BTreeSet<String> =
        rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    let used = used();
    assert!(used.len() > 30, "{used:?}");
    let missing: Vec<_> = used.symmetric_difference(&listed).collect();
    assert!(missing.is_empty(), "only in the sources or only in the table: {missing:?}");
}
