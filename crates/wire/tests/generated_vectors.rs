//! The committed vectors are what the code generates.

#[path = "support/load.rs"]
mod load;
#[path = "../examples/generate_vectors/vectors.rs"]
mod vectors;

use serde_json::Value;

/// `cargo run -p steward-wire --example generate_vectors` writes the file again.
#[test]
fn the_committed_file_is_what_the_generator_prints() {
    let committed: Value = load::load("wire/generated.json");
    assert!(committed == vectors::generate(), "vectors/wire/generated.json is out of date");
}
