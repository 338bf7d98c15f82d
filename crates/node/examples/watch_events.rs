//! Starts the node of a data directory and prints its events until Ctrl-C.
//!
//! ```sh
//! cargo run -p steward-node --example watch_events -- DATA_DIR
//! ```
//!
//! A program beside a running daemon reads the same events from the HTTP API: `GET /v1/events`.

use std::error::Error;

use steward_engine::Event;
use steward_node::{EffectiveConfig, Node, NodeHandle, Sources};
use tokio::sync::broadcast::error::RecvError;

/// The most events that are read from the store at once.
const PAGE: usize = 100;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let data_dir = std::env::args().nth(1).ok_or("usage: watch_events DATA_DIR")?;
    let sources = Sources { overrides: vec![format!("data_dir={data_dir}")], ..Sources::default() };
    let node = Node::start(EffectiveConfig::load(&sources)?.config).await?;

    let watched = tokio::select! {
        watched = watch(&node) => watched,
        // The node stops by itself when it must not go on: above all when its disk fails.
        stopped = node.stopped() => stopped.map_err(Into::into),
        pressed = tokio::signal::ctrl_c() => pressed.map_err(Into::into),
    };
    node.shutdown().await?;
    watched
}

/// Prints the stored events first, then those that come. A subscriber that is too slow loses
/// events; the store has them.
async fn watch(node: &NodeHandle) -> Result<(), Box<dyn Error>> {
    let mut events = node.subscribe();
    let mut last = print_stored(node, 0).await?;
    loop {
        match events.recv().await {
            // The store was read after the subscription: it may have told this one already.
            Ok(event) if event.number <= last => {}
            Ok(event) => last = print(&event),
            Err(RecvError::Lagged(_)) => last = print_stored(node, last).await?,
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

/// Prints the events after number `last` and returns the number of the newest.
async fn print_stored(node: &NodeHandle, mut last: u64) -> Result<u64, Box<dyn Error>> {
    loop {
        let page = node.events_after(last, PAGE).await?;
        if page.is_empty() {
            return Ok(last);
        }
        for event in &page {
            last = print(event);
        }
    }
}

fn print(event: &Event) -> u64 {
    println!("{} at {} ms: {:?}", event.number, event.time_ms, event.kind);
    event.number
}
