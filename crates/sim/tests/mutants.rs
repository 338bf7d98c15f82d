//! Every mutant still fits the code it breaks. Whether somebody notices it, `make mutants` tells.

use std::fs;
use std::path::Path;

use steward_sim::mutant::{CaughtBy, Mutant};

/// Fewest there are.
const LEAST: usize = 60;

#[test]
fn every_entry_fits_the_code_it_breaks_and_names_a_test_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir(root.join("crates/sim/mutants")).unwrap() {
        let path = entry.unwrap().path();
        count += 1;
        let checked = Mutant::parse(&fs::read_to_string(&path).unwrap())
            .and_then(|mutant| Ok((mutant.apply(root)?, mutant.caught_by)))
            .and_then(|(_, caught_by)| test_exists(root, &caught_by));
        if let Err(error) = checked {
            wrong.push(format!("{}: {error}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "move these with the code:\n{}", wrong.join("\n"));
    assert!(count >= LEAST, "only {count} mutants");
}

fn test_exists(root: &Path, caught_by: &CaughtBy) -> Result<(), String> {
    let CaughtBy::Test { package, file, name } = caught_by else { return Ok(()) };
    // A unit test is named with its modules: `sqlite::live::tests::name`.
    let (modules, name) = name.rsplit_once("::tests::").unwrap_or(("", name));
    let path = match file.as_str() {
        "lib" => format!("crates/{package}/src/{}.rs", modules.replace("::", "/")),
        _ => format!("crates/{package}/tests/{file}.rs"),
    };
    let path = root.join(path);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let is_there = text.contains(&format!("fn {name}("));
    is_there.then_some(()).ok_or_else(|| format!("no test {name} in {}", path.display()))
}
