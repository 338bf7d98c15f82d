//! Mutants: the code under test broken on purpose in one place, kept as text to look for and text
//! to put there, so that an entry can be moved with the code (`crates/sim/mutants`).
//!
//! ```text
//! What it breaks, in a sentence.
//! caught by: engine receiving a_wrong_payment_secret_is_refused_like_an_unknown_payment
//! --- crates/engine/src/receive.rs
//! <<<<
//! text that stands there exactly once
//! ====
//! text that takes its place, if any
//! >>>>
//! ```
//!
//! `caught by` names the crate, its test file and the test, or just `sim`. Where a second check
//! covers the first, the entry has a part for each.

use std::fs;
use std::path::Path;

/// One mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutant {
    /// The broken behaviour, in a sentence.
    pub what: String,
    /// The test that must notice.
    pub caught_by: CaughtBy,
    /// The texts that are replaced.
    pub parts: Vec<Part>,
}

/// The test that must notice a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaughtBy {
    /// The simulator, within some seeds.
    Simulator,
    /// A test.
    Test {
        /// The package, without `steward-`.
        package: String,
        /// The file in its `tests`; `lib` for its unit tests.
        file: String,
        /// The test in it.
        name: String,
    },
}

/// One replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The path from the root of the repository.
    pub file: String,
    /// Stands there once.
    pub old: String,
    /// Takes its place.
    pub new: String,
}

impl Mutant {
    /// Reads an entry.
    ///
    /// # Errors
    /// Returns an error if the mutant does not fit the code.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let what = lines.next().filter(|what| !what.is_empty()).ok_or("it says nothing")?;
        let caught_by = lines.next().and_then(|line| line.strip_prefix("caught by: "));
        let caught_by = CaughtBy::parse(caught_by.ok_or("it names no test that catches it")?)?;
        let mut parts = Vec::new();
        while let Some(line) = lines.next() {
            let file = line.strip_prefix("--- ").ok_or_else(|| format!("no file: {line}"))?;
            if lines.next() != Some("<<<<") {
                return Err(format!("nothing to look for in {file}"));
            }
            let mut until = |end: &str| {
                let text: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
                text.join("\n")
            };
            let (old, new) = (until("===="), until(">>>>"));
            parts.push(Part { file: file.to_owned(), old, new });
        }
        if parts.is_empty() {
            return Err("it changes nothing".to_owned());
        }
        Ok(Self { what: what.to_owned(), caught_by, parts })
    }

    /// The files of `root` as this mutant has them, each with its new text.
    ///
    /// # Errors
    /// If a text does not stand where it should, exactly once.
    pub fn apply(&self, root: &Path) -> Result<Vec<(String, String)>, String> {
        let mut files: Vec<(String, String)> = Vec::new();
        for part in &self.parts {
            let known = files.iter_mut().find(|(file, _)| *file == part.file);
            let text = match known {
                Some((_, text)) => text,
                None => {
                    let text = fs::read_to_string(root.join(&part.file))
                        .map_err(|error| format!("{}: {error}", part.file))?;
                    files.push((part.file.clone(), text));
                    &mut files.last_mut().ok_or("no file")?.1
                }
            };
            let found = text.matches(&part.old).count();
            if found != 1 {
                return Err(format!("{}: found {found} times: {}", part.file, part.old));
            }
            *text = text.replacen(&part.old, &part.new, 1);
        }
        Ok(files)
    }
}

impl CaughtBy {
    fn parse(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["sim"] => Ok(Self::Simulator),
            [package, file, name] => Ok(Self::Test {
                package: (*package).to_owned(),
                file: (*file).to_owned(),
                name: (*name).to_owned(),
            }),
            _ => Err(format!("caught by an unknown test: {text}")),
        }
    }
}
