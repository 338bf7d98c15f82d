//! A host with many idle channels: how much memory each one takes, and how long a start takes.

use std::path::Path;

use bitcoin::secp256k1::{PublicKey, SECP256K1, SecretKey};
use steward_engine::config::default_offer;
use steward_engine::row::{ChannelRow, LocalIdentity, Row, WriteBatch};
use steward_hosted::{Channel, Env, Output, Role};
use steward_htlc::{LinkEvent, LinkInput};
use steward_node::{NodeKeys, Seed};
use steward_store::Store;
use steward_wire::{LinkId, NodeId, ShortChannelId};
use tempfile::TempDir;

use crate::process::{Daemon, Result, init, progress};
use crate::stored;

/// The rows written in one commit.
const ROWS_PER_COMMIT: usize = 10_000;
/// The height at which the channels were opened.
const HEIGHT: u32 = 144_000;

/// Returns the memory of a host with `count` channels, less that of one without, per channel.
pub(crate) fn bytes_per_idle_channel(steward: &Path, count: usize) -> Result<u64> {
    progress(&format!("weighing {count} idle channels"));
    let without = resident_with(steward, 0)?.0;
    let with = resident_with(steward, count)?.0;
    Ok(with.saturating_sub(without) / count.max(1) as u64)
}

/// Returns the time until a host with `count` channels is ready, in seconds.
pub(crate) fn start_up_s(steward: &Path, count: usize) -> Result<f64> {
    progress(&format!("starting with {count} channels"));
    Ok(resident_with(steward, count)?.1)
}

fn resident_with(steward: &Path, count: usize) -> Result<(u64, f64)> {
    let dir = TempDir::new()?;
    init(steward, dir.path())?;
    fill(dir.path(), count)?;
    let daemon = Daemon::start(steward, dir.path(), &[])?;
    let figures = (daemon.resident_bytes()?, daemon.start_up.as_secs_f64());
    daemon.stop()?;
    Ok(figures)
}

/// Writes channels that both sides really signed into a new data directory.
fn fill(data_dir: &Path, count: usize) -> Result<()> {
    let host_key = NodeKeys::new(&Seed::load(data_dir)?, bitcoin::Network::Regtest).node();
    let mut store = stored::open(data_dir)?;
    let mut batch = WriteBatch::default();
    for number in 1..=count {
        let row = opened_channel(&host_key, number)?;
        batch.put(Row::Channel(row));
        if batch.len() == ROWS_PER_COMMIT || number == count {
            store.commit(&std::mem::take(&mut batch))?;
            store.maintain()?;
        }
    }
    store.close()?;
    Ok(())
}

/// Makes the host's row of a channel, after the whole opening exchange.
fn opened_channel(host_key: &SecretKey, number: usize) -> Result<ChannelRow> {
    let mut bytes = [1u8; 32];
    bytes[..8].copy_from_slice(&(number as u64).to_be_bytes());
    let client_key = SecretKey::from_slice(&bytes)?;
    let (host_id, client_id) = (node_id(host_key), node_id(&client_key));
    let refund = [[0u8, 20].as_slice(), &[7; 20]].concat();
    let mut host = Channel::host(host_id, client_id, default_offer(1_000_000));
    let mut client = Channel::client(client_id, host_id, refund, Vec::new());
    let mut to_host = run(&mut client, &client_key, LinkInput::Connected);
    run(&mut host, host_key, LinkInput::Connected);
    while !to_host.is_empty() {
        let to_client: Vec<LinkInput> =
            to_host.drain(..).flat_map(|input| run(&mut host, host_key, input)).collect();
        to_host =
            to_client.into_iter().flat_map(|input| run(&mut client, &client_key, input)).collect();
    }
    let state = host.state().ok_or("the channel did not open")?;
    Ok(ChannelRow {
        link: LinkId::hosted(&host_id, &client_id),
        peer: client_id,
        identity: LocalIdentity::Node,
        role: Role::Host,
        phase: host.phase(),
        short_channel_id: ShortChannelId::of_pair(&host_id, &client_id),
        local_balance_msat: state.local_balance_msat,
        remote_balance_msat: state.remote_balance_msat,
        record: host.record(),
    })
}

/// Applies one input and returns the inputs that the other side gets from it.
fn run(channel: &mut Channel, key: &SecretKey, input: LinkInput) -> Vec<LinkInput> {
    let env = Env {
        local: key,
        chain_hash: &regtest(),
        height: HEIGHT,
        searched_height: HEIGHT,
        now_ms: 0,
        is_readable: &|_| false,
        max_capacity_sat: u64::MAX / 1000,
    };
    let mut out = Vec::new();
    channel.handle(input, &env, &mut out);
    channel.handle(LinkInput::Flush, &env, &mut out);
    let sent = out.into_iter().filter_map(|output| match output {
        Output::Link(LinkEvent::Send(message)) => Some(LinkInput::Message(message)),
        _ => None,
    });
    sent.collect()
}

fn regtest() -> [u8; 32] {
    bitcoin::constants::ChainHash::REGTEST.to_bytes()
}

fn node_id(key: &SecretKey) -> NodeId {
    PublicKey::from_secret_key(SECP256K1, key).into()
}
