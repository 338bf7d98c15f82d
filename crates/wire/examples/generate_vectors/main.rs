//! Prints `vectors/wire/generated.json`: deterministic messages and signed states for other
//! implementations to test against.
//!
//! ```text
//! cargo run -p steward-wire --example generate_vectors > vectors/wire/generated.json
//! ```

mod vectors;

fn main() {
    println!("{:#}", vectors::generate());
}
