//! Embeds a client node in a program: makes a data directory, starts the node, opens a channel with
//! a host, shows the balance, and shuts the node down in order.
//!
//! ```sh
//! cargo run -p steward-node --example embed_client -- DATA_DIR HOST_ID@ADDRESS:PORT
//! ```
//!
//! The node runs on regtest, where no chain source is needed. A host to try it with is in the
//! README, "Two nodes on one machine".

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use steward_engine::{Command, Event, EventKind, Reply};
use steward_hosted::Summary;
use steward_node::{Config, EffectiveConfig, Node, NodeHandle, Seed, Sources, initialize};
use steward_wire::NodeId;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

/// The time a host has to answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(data_dir), Some(host)) = (arguments.next(), arguments.next()) else {
        return Err("usage: embed_client DATA_DIR HOST_ID@ADDRESS:PORT".into());
    };
    let (host, address) = host.split_once('@').ok_or("the host is not ID@ADDRESS:PORT")?;

    let config = configure(&data_dir)?;
    make_if_new(&config)?;
    let node = Node::start(config).await?;
    let shown = open_and_show(&node, host.parse()?, address).await;
    // In order also after an error: what the node has taken in becomes durable.
    node.shutdown().await?;
    shown
}

/// The same configuration as the daemon's: `steward.toml` in the data directory, if there is one,
/// and these keys in front of it.
fn configure(data_dir: &str) -> Result<Config, Box<dyn Error>> {
    let keys = vec![format!("data_dir={data_dir}"), "network=regtest".to_owned()];
    let sources = Sources { overrides: keys, ..Sources::default() };
    Ok(EffectiveConfig::load(&sources)?.config)
}

/// Makes seed and database at the first start. The node refuses to start before somebody has seen
/// the words of a new seed: without them the money is lost with the disk.
fn make_if_new(config: &Config) -> Result<(), Box<dyn Error>> {
    let data_dir: &Path = &config.node.data_dir;
    if steward_node::data_dir::is_made(data_dir) {
        return Ok(());
    }
    let seed = initialize(config, None)?;
    println!("write these words down: {}", seed.words());
    Ok(Seed::words_were_shown(data_dir)?)
}

async fn open_and_show(
    node: &NodeHandle,
    host: NodeId,
    address: &str,
) -> Result<(), Box<dyn Error>> {
    // Subscribed before the command, so that no event is missed.
    let mut events = node.subscribe();
    let open = Command::InvokeChannel {
        host,
        addresses: vec![address.to_owned()],
        // For hosts that open channels only to those they know.
        secret: Vec::new(),
    };
    let mut summary = summary_in(node.command(open).await?)?;
    // At a second start the channel is open already.
    if summary.is_none() {
        timeout(PATIENCE, opened(&mut events, host)).await??;
        summary = summary_in(node.command(Command::ShowChannel { peer: host }).await?)?;
    }
    let summary = summary.ok_or("the channel is not open")?;
    println!(
        "balance: {} msat of a capacity of {} msat",
        summary.local_balance_msat, summary.capacity_msat
    );
    Ok(())
}

/// Every command about one channel is answered with the channel; it has a summary once it is open.
fn summary_in(reply: Reply) -> Result<Option<Summary>, Box<dyn Error>> {
    match reply {
        Reply::Channel(channel) => Ok(channel.summary),
        _ => Err("the node did not answer with the channel".into()),
    }
}

/// Waits until both sides have signed the first state.
async fn opened(events: &mut Receiver<Event>, host: NodeId) -> Result<(), Box<dyn Error>> {
    loop {
        match events.recv().await?.kind {
            EventKind::ChannelOpened { peer, .. } if peer == host => return Ok(()),
            EventKind::ChannelOpeningFailed { peer, reason } if peer == host => {
                return Err(reason.into());
            }
            _ => {}
        }
    }
}
