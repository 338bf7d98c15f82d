//! docs/architecture.md names the phases of a channel that the enum has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use steward_hosted::Phase;

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
