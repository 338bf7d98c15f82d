//! What an operator sees of all channels: in pages, and in sums that need no look at any channel.

use bitcoin::secp256k1::SecretKey;
use steward_engine::command::{ChannelInfo, Status};
use steward_engine::limits::MAX_CHANNELS_PER_PAGE;
use steward_engine::row::LocalIdentity;
use steward_engine::{Command, Config, Reply};
use steward_hosted::{Phase, Role};
use steward_testkit::{Net, config, id_of};
use steward_wire::{LinkId, Preimage};

fn page(net: &mut Net, after: Option<LinkId>) -> Vec<LinkId> {
    match net.command(0, Command::ListChannels { after }) {
        Ok(Reply::Channels(channels)) => channels.iter().map(|channel| channel.link).collect(),
        other => panic!("{other:?}"),
    }
}

fn status(net: &mut Net, node: usize) -> Status {
    match net.command(node, Command::Status) {
        Ok(Reply::Status(status)) => status,
        other => panic!("{other:?}"),
    }
}

/// A host's settings by which a new client owns nothing.
fn generous_to_nobody() -> Config {
    let mut config = config();
    config.host.offer.initial_client_balance_msat = 0;
    config
}

/// Begins openings with this many hosts, none of which is there.
fn open_many(net: &mut Net, count: usize) {
    for number in 1..=count {
        let mut key = [7; 32];
        key[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let host = id_of(&SecretKey::from_slice(&key).unwrap());
        let (addresses, identity, secret) = (Vec::new(), LocalIdentity::PerHost, Vec::new());
        net.command(0, Command::InvokeChannel { host, addresses, identity, secret }).unwrap();
    }
}

#[test]
fn no_list_shows_more_channels_than_a_page_and_the_pages_are_the_channels_in_order() {
    let mut net = Net::new(vec![config()]);
    open_many(&mut net, MAX_CHANNELS_PER_PAGE);
    let full = page(&mut net, None);
    assert_eq!(full.len(), MAX_CHANNELS_PER_PAGE);
    assert_eq!(page(&mut net, full.last().copied()), [], "no page after the last channel");

    let all = MAX_CHANNELS_PER_PAGE + 3;
    open_many(&mut net, all);
    let first = page(&mut net, None);
    assert_eq!(first.len(), MAX_CHANNELS_PER_PAGE);
    let second = page(&mut net, first.last().copied());
    assert_eq!(second.len(), 3);
    let joined = [first, second].concat();
    assert!(joined.is_sorted_by(|one, next| one < next), "each once, in the order of ids");
    assert_eq!(status(&mut net, 0).channels, [all as u32, 0, 0, 0, 0]);

    // The last channel of a page may be gone when the next page is asked for.
    let mut gone = joined[9];
    gone.0[31] ^= 1;
    let next = if gone < joined[9] { joined[9] } else { joined[10] };
    assert_eq!(page(&mut net, Some(gone))[0], next);
}

/// The numbers of a status that follow from the channels.
type Sums = ([u32; 5], [u64; 4]);

fn told(net: &mut Net, node: usize) -> Sums {
    let told = status(net, node);
    let owed = [told.owed_to_clients_msat, told.owed_by_hosts_msat];
    (told.channels, [owed[0], owed[1], told.spendable_msat, told.receivable_msat])
}

fn summed(channels: &[ChannelInfo]) -> Sums {
    let phases = [Phase::Opening, Phase::Offline, Phase::Syncing, Phase::Active, Phase::Suspended];
    let count = |phase| channels.iter().filter(|channel| channel.phase == phase).count() as u32;
    let mut sums = [0; 4];
    for summary in channels.iter().filter_map(|channel| channel.summary.as_ref()) {
        sums[2] += summary.spendable_msat;
        if summary.role == Role::Host {
            sums[0] += summary.remote_balance_msat;
        } else {
            sums[1] += summary.local_balance_msat;
            let is_active = summary.phase == Phase::Active;
            sums[3] += if is_active { summary.receivable_msat } else { 0 };
        }
    }
    (phases.map(count), sums)
}

#[test]
fn a_status_tells_the_sums_over_the_channels_whatever_became_of_them() {
    let mut net = Net::new(vec![config(); 4]);
    net.open(1, 0);
    net.open(2, 0);
    // The last client gets nothing, and may be forgotten.
    net.command(0, Command::Reconfigure { config: Box::new(generous_to_nobody()) }).unwrap();
    net.open(3, 0);
    let mut seen: Vec<Sums> = Vec::new();
    let mut compare = |net: &mut Net, what: &str| {
        for node in 0..4 {
            let summed = summed(&net.channels(node));
            assert_eq!(told(net, node), summed, "node {node}, {what}");
        }
        let of_host = told(net, 0);
        assert!(!seen.contains(&of_host), "{what} changes the host's sums");
        seen.push(of_host);
    };
    compare(&mut net, "opened");
    let invoice = net.invoice(2, Some(10_000_000));
    net.pay(1, invoice.kind.bolt11().unwrap()).unwrap();
    let of_payer = told(&mut net, 1);
    assert_eq!(of_payer, summed(&net.channels(1)), "a client has paid");
    net.disconnect(1, 0);
    net.settle();
    compare(&mut net, "disconnected");
    let peer = net.client_id(2, 0);
    net.command(0, Command::SuspendChannel { channel: peer.into() }).unwrap();
    compare(&mut net, "suspended");
    net.connect(1, 0);
    net.settle();
    let peer = net.client_id(3, 0);
    net.command(0, Command::ForgetChannel { channel: peer.into() }).unwrap();
    compare(&mut net, "forgotten");
    net.crash(0);
    net.start(0);
    net.settle();
    compare(&mut net, "restarted");
}

/// Without a host, the clients' largest channel and their lowest minimum decide, as they are now.
#[test]
fn an_invoice_of_a_host_is_for_what_its_present_clients_can_pay() {
    let mut net = Net::new(vec![generous_to_nobody(), config()]);
    net.open(1, 0);
    let most_msat = net.channel(0, 1).summary.unwrap().capacity_msat;
    let invoice = |net: &mut Net, amount_msat| {
        let (preimage, payment_secret) = (Preimage([amount_msat as u8; 32]), [1; 32]);
        let (amount_msat, description, expiry_s) = (Some(amount_msat), String::new(), 3600);
        let asked =
            Command::CreateInvoice { amount_msat, description, expiry_s, preimage, payment_secret };
        net.command(0, asked).is_ok()
    };
    assert!(invoice(&mut net, most_msat));
    assert!(!invoice(&mut net, most_msat + 1));
    let peer = net.client_id(1, 0);
    net.command(0, Command::ForgetChannel { channel: peer.into() }).unwrap();
    assert!(!invoice(&mut net, 1_000_000), "no client is left");
}
