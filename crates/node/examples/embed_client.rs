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

use steward_node::{Config, EffectiveConfig, Node, NodeHandle, Seed, Sources, initialize};
use steward_p2p::PeerAddress;
use steward_wire::NodeId;

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
    let shown = open_and_show(&node, host.parse()?, address.parse()?).await;
    // The shutdown is in order also after an error: the inputs taken in become durable.
    node.shutdown().await?;
    shown
}

/// Loads the same configuration as the daemon: `steward.toml` in the data directory, if there is
/// one; these two keys win over it.
fn configure(data_dir: &str) -> Result<Config, Box<dyn Error>> {
    let keys = vec![format!("data_dir={data_dir}"), "network=regtest".to_owned()];
    let sources = Sources { overrides: keys, ..Sources::default() };
    Ok(EffectiveConfig::load(&sources)?.config)
}

/// Makes seed and database at the first start. The node refuses to start before the words of a new
/// seed were shown: without them the money is lost with the disk.
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
    address: PeerAddress,
) -> Result<(), Box<dyn Error>> {
    // A host may demand a secret that it has given to its clients; this one does not. If the
    // channel is open already, it is returned as it stands.
    let secret = Vec::new();
    let channel = node
        .open_channel(host, address, steward_engine::row::LocalIdentity::PerHost, secret, PATIENCE)
        .await?;
    let summary = channel.summary.ok_or("the host has not signed in time")?;
    println!(
        "balance: {} msat of a capacity of {} msat",
        summary.local_balance_msat, summary.capacity_msat
    );
    Ok(())
}
