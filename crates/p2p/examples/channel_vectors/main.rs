//! Prints vectors of the messages of funded channels as LDK writes them:
//! `cargo run -p steward-p2p --example channel_vectors > vectors/bolt02/messages.json`.

#[path = "../../../wire/tests/support/channel_fields.rs"]
mod channel_fields;
#[path = "../../../wire/tests/support/channel_messages.rs"]
mod channel_messages;
#[path = "../../tests/support/ldk.rs"]
mod ldk;
mod vectors;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    serde_json::to_writer_pretty(std::io::stdout(), &vectors::generate())?;
    println!();
    Ok(())
}
