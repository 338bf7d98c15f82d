//! Checks of the repository itself, each of which is a test in `tests/tidy.rs`: what CONTRIBUTING.md asks for
//! and the compiler does not see.
//!
//! Layout
//! - [`files`]: the files of the repository, as Git knows them
//! - [`citations`]: a document or a section that a text names and a reader cannot open
//! - [`layout`]: modules that their crate's list leaves out
//! - [`functions`]: functions that are too long
//! - [`lints`]: crate roots without the lints that production code has
//! - [`words`]: words that docs/glossary.md rules out
//! - [`circles`]: files of one crate that use each other
#![forbid(unsafe_code)]

pub mod circles;
pub mod citations;
pub mod files;
pub mod functions;
pub mod layout;
pub mod lints;
pub mod words;
