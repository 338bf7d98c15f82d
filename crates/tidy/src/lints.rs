//! Crate roots of production code that do not ask for the restriction lints.

use crate::files::TextFile;

/// The line that keeps a crate from panicking. It stands in each root and not in the workspace's lints, so that test
/// files need no header against it.
pub const NO_PANICS: &str =
    "#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]";

/// The line that no crate goes without.
pub const NO_UNSAFE: &str = "#![forbid(unsafe_code)]";

/// The crates that test others: they may panic.
const FOR_TESTS: [&str; 4] = ["bench", "sim", "testkit", "tidy"];

/// Returns one line for each crate root that lacks one of its lines.
pub fn missing(files: &[TextFile]) -> Vec<String> {
    let roots = files.iter().filter(|file| {
        let is_root = file.path.ends_with("/src/lib.rs") || file.path.ends_with("/src/main.rs");
        is_root && file.path.starts_with("crates/")
    });
    let mut found = Vec::new();
    for root in roots {
        let mut wanted = vec![NO_UNSAFE];
        if !FOR_TESTS.iter().any(|name| root.path.starts_with(&format!("crates/{name}/"))) {
            wanted.push(NO_PANICS);
        }
        let missing = wanted.into_iter().filter(|line| !root.text.contains(line));
        found.extend(missing.map(|line| format!("{}: {line}", root.path)));
    }
    found
}
