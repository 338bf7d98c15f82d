//! How the crate's files hang together, and that docs/architecture.md tells the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use steward_hosted::Phase;

/// Which files each file of the crate uses, by name without the extension.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut uses = BTreeMap::new();
    for entry in fs::read_dir(src).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let paths = code.flat_map(|line| line.split("crate::").skip(1));
        let used = paths.map(|path| {
            path.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
        });
        uses.insert(name, used.collect());
    }
    uses.remove("lib");
    uses
}

#[test]
fn no_file_uses_one_that_uses_it() {
    let mut left = uses();
    assert!(left["channel"].contains("open"), "uses are read wrongly");
    // Files that use none of those left, until there are no more.
    while let Some(leaf) = {
        let is_leaf = |used: &BTreeSet<String>| used.iter().all(|name| !left.contains_key(name));
        left.iter().find(|(_, used)| is_leaf(used)).map(|(name, _)| name.clone())
    } {
        left.remove(&leaf);
    }
    assert_eq!(left, BTreeMap::new(), "these files use each other in a circle");
}

#[test]
fn the_table_of_phases_names_them_all() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/architecture.md");
    let text = fs::read_to_string(docs).unwrap();
    let section = text.split("\n## One channel\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> =
        section.lines().filter(|line| line.starts_with("| `")).map(cells).collect();
    let told: BTreeSet<&str> =
        rows.iter().filter(|row| row.len() == 6).map(|row| row[3].as_str()).collect();
    let phases = [Phase::Opening, Phase::Offline, Phase::Syncing, Phase::Active, Phase::Suspended];
    let named = phases.map(|phase| match phase {
        Phase::Opening => "`Opening`",
        Phase::Offline => "`Offline`",
        Phase::Syncing => "`Syncing`",
        Phase::Active => "`Active`",
        Phase::Suspended => "`Suspended`",
    });
    assert_eq!(told, BTreeSet::from(named));
}
