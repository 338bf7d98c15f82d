//! A host's engine with two clients: frames of a rogue in the name of one, payments of both,
//! operators, crashes. In every history the host stores only what adds up, and neither the host nor
//! the honest client loses money.

use std::collections::BTreeMap;

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::SecretKey;
use steward_engine::config::default_offer;
use steward_engine::io::{ConnId, Input};
use steward_engine::limits::MAX_AMOUNT_MSAT;
use steward_engine::{AnswerAt, Command};
use steward_hosted::{Channel, Phase};
use steward_onion::{OnionSeed, PathHop, Recipient, create};
use steward_store::Store;
use steward_wire::bolt1::WARNING_TYPE;
use steward_wire::{
    Framing, Message, NodeId, Onion, ShortChannelId, Signature, UpdateAddHtlc, framing,
};

use crate::bytes::Bytes;
use crate::rogue::{PREIMAGES, Rogue, raw_message};
use steward_testkit::hosted::preimage;
use steward_testkit::{CHAIN_HASH, Net, id_of};

const HOST: usize = 0;
/// The client in whose name the rogue speaks; the other one must not lose anything.
const SPOOFED: usize = 1;
const HONEST: usize = 2;
/// The longest history, in steps.
const MAX_STEPS: usize = 60;
/// A number of blocks in which no HTLC of these histories expires.
const QUIET_BLOCKS: u32 = 60;

pub(crate) fn frames(data: &[u8]) {
    let mut input = Bytes::new(data);
    let mut attack = Attack::new();
    for _ in 0..MAX_STEPS {
        if input.is_empty() {
            break;
        }
        attack.step(&mut input);
        attack.check_host();
    }
    attack.finish();
}

struct Attack {
    net: Net,
    rogue: Rogue,
    /// The rogue's connection, once it has one.
    conn: Option<ConnId>,
    host_key: SecretKey,
    /// The host's signed balances before the first step, less what it pays, in millisatoshi.
    host_msat: u64,
    /// True if an operator decided something, or HTLCs may have expired: money may move without a
    /// payment.
    is_rough: bool,
    mined: u32,
    /// The peers' signatures that were found to be right.
    verified: BTreeMap<NodeId, Signature>,
}

impl Attack {
    fn new() -> Self {
        let net = Net::host_and_clients(2);
        // The kit derives them in this way.
        let derive = |node: usize, purpose: &[u8]| {
            let seed = [&[u8::try_from(node + 1).unwrap()], purpose].concat();
            SecretKey::from_slice(sha256::Hash::hash(&seed).as_byte_array()).unwrap()
        };
        let (host_key, key) = (derive(HOST, b"node"), derive(SPOOFED, &net.id(HOST).0));
        assert_eq!(id_of(&key), net.client_id(SPOOFED, HOST));
        let rogue = Rogue::new(key, CHAIN_HASH, default_offer(1_000_000));
        let mut attack = Self {
            net,
            rogue,
            conn: None,
            host_key,
            host_msat: 0,
            is_rough: false,
            mined: 0,
            verified: BTreeMap::new(),
        };
        attack.host_msat = attack.host_balances_msat();
        attack
    }

    fn step(&mut self, input: &mut Bytes<'_>) {
        match input.u8() {
            0..=19 => self.keysend(input),
            20..=29 => self.pay_invoice(input),
            30..=69 => drop(self.net.step(input.below(3))),
            70..=84 => self.net.settle(),
            85..=179 => self.attack(input),
            180..=189 => self.reconnect(input),
            190..=199 => self.crash(input),
            200..=204 => {
                let blocks = u32::from(input.u8() % 8);
                self.mined += blocks;
                self.net.mine(blocks);
            }
            205 => {
                self.is_rough = true;
                self.net.mine(u32::from(input.u16() % 1_000));
            }
            206..=212 => self.net.tick(u64::from(input.u16())),
            213..=216 => {
                let stale = input.flag();
                let node = input.below(3);
                let asked_ms = (!stale).then(|| self.net.time(node).now_ms);
                let height = self.net.height;
                self.net.input(node, Input::Chain { height, stale, asked_ms });
            }
            217..=228 => self.ask(input),
            229..=236 => self.decide(input),
            _ => self.any_frame(input),
        }
    }

    /// Lets one client pay the other, with a preimage that the rogue knows as well.
    fn keysend(&mut self, input: &mut Bytes<'_>) {
        let payer = if input.flag() { SPOOFED } else { HONEST };
        let command = Command::Keysend {
            destination: self.net.client_id(SPOOFED + HONEST - payer, HOST),
            via: Some(self.net.id(HOST)),
            amount_msat: 1_000 + u64::from(input.u16()) * 5_000,
            max_fee_msat: Some(1_000_000_000),
            preimage: preimage(u64::from(input.u8()) % PREIMAGES),
            answer: if input.flag() { AnswerAt::Start } else { AnswerAt::End },
        };
        self.net.issue(payer, command);
    }

    fn pay_invoice(&mut self, input: &mut Bytes<'_>) {
        let (payer, payee) = [(1, 2), (2, 1), (0, 1), (1, 0), (0, 2), (2, 0)][input.below(6)];
        let amount_msat = 1_000 + u64::from(input.u16()) * 5_000;
        if payer == HOST {
            self.host_msat = self.host_msat.saturating_sub(amount_msat);
        }
        let command = Command::CreateInvoice {
            amount_msat: Some(amount_msat),
            description: String::new(),
            expiry_s: 3600,
            preimage: preimage(100 + u64::from(input.u8())),
            payment_secret: [7; 32],
        };
        let reply = self.net.issue(payee, command);
        self.net.step(payee);
        if let Ok(steward_engine::Reply::Invoice(invoice)) = self.net.reply(payee, reply) {
            let pay = self.net.pay_command(invoice.kind.bolt11().unwrap(), None);
            self.net.issue(payer, pay);
        }
    }

    /// Connects the rogue, if it is not connected, and sends one of its messages.
    fn attack(&mut self, input: &mut Bytes<'_>) {
        let conn = match self.conn {
            Some(conn) => conn,
            None => {
                let conn = self.net.impersonate(SPOOFED, HOST);
                self.rogue.disconnected();
                *self.conn.insert(conn)
            }
        };
        let Some(victim) = self.host_channel(SPOOFED) else { return };
        self.rogue.forget_signed(&victim);
        let height = self.net.height;
        let message = match input.u8() {
            0..=39 => Some(self.onward(self.rogue.update(&victim, height, input), input)),
            40..=59 => Some(self.rogue.update(&victim, height, input)),
            60..=139 => self.rogue.state_update(&victim, height, input),
            140..=169 => self.rogue.state(&victim, &self.host_key, input),
            170..=199 => Some(self.rogue.invoke(input)),
            200..=219 => Some(self.rogue.control(&victim, height, input)),
            _ => raw_message(input),
        };
        let framing = if input.flag() { Framing::Modern } else { Framing::Legacy };
        let frame = message.and_then(|message| {
            self.rogue.said(&message);
            framing::encode(framing, &message).ok()
        });
        if let Some(frame) = frame {
            self.net.input(HOST, Input::Frames { conn, frames: vec![frame] });
        }
        if input.flag() {
            self.net.step(HOST);
        }
        self.listen(conn);
    }

    /// Takes the host's messages to the rogue.
    fn listen(&mut self, conn: ConnId) {
        let said = self.net.tapped(conn).into_iter();
        for (message_type, payload) in said.filter(|(kind, _)| *kind != WARNING_TYPE) {
            let decode = |framing| framing::decode(&mut Some(framing), message_type, &payload);
            let heard = decode(Framing::Modern).or_else(|_| decode(Framing::Legacy));
            let heard = heard.expect("the host says what can be read");
            self.rogue.heard(&heard.expect("the host says what is known"));
        }
    }

    /// Makes an add with an onion that the host can peel, for the honest client.
    fn onward(&self, message: Message, input: &mut Bytes<'_>) -> Message {
        let Message::UpdateAddHtlc(add) = message else { return message };
        let host_id = self.net.id(HOST);
        let payee = self.net.client_id(HONEST, HOST);
        let hop = |node_id, scid, fee_msat, cltv_expiry_delta| PathHop {
            node_id,
            scid,
            fee_msat,
            cltv_expiry_delta,
        };
        let towards = ShortChannelId::of_pair(&host_id, &payee);
        let amount_msat = add.amount_msat % 300_000_000;
        let fee_msat = 1_000 + amount_msat / 500;
        let path = [
            hop(host_id, ShortChannelId(1), fee_msat, 144 + u32::from(input.u8() & 1)),
            hop(payee, towards, amount_msat, 144),
        ];
        let choice = input.u8();
        let preimage = preimage(u64::from(choice) % PREIMAGES);
        // A payer may name this as the sum of all parts; no row may have to hold it.
        let (total_msat, payment_secret) = match choice {
            0..=247 => (amount_msat, None),
            248..=251 => (MAX_AMOUNT_MSAT + u64::from(choice - 247), Some([3; 32])),
            _ => (MAX_AMOUNT_MSAT * 2, Some([3; 32])),
        };
        let recipient = Recipient {
            payment_secret,
            total_msat,
            keysend_preimage: Some(preimage),
            ..Recipient::default()
        };
        let (session_key, height) = ([9; 32], self.net.height);
        let seed = OnionSeed { session_key, prng_seed: [8; 32], height };
        match create(&path, &recipient, &preimage.hash(), &seed) {
            Ok(payment) => Message::UpdateAddHtlc(UpdateAddHtlc {
                amount_msat: payment.amount_msat,
                cltv_expiry: payment.cltv_expiry,
                payment_hash: preimage.hash(),
                onion: Onion(payment.onion.into()),
                ..add
            }),
            Err(_) => Message::UpdateAddHtlc(add),
        }
    }

    /// Sends any frame, on the rogue's connection or on an unknown one.
    fn any_frame(&mut self, input: &mut Bytes<'_>) {
        let conn = self.conn.unwrap_or(ConnId(u64::from(input.u8()) + 1_000));
        let frames = vec![(input.u16() | 0x8001, input.long().to_vec())];
        self.net.input(HOST, Input::Frames { conn, frames });
    }

    fn reconnect(&mut self, input: &mut Bytes<'_>) {
        let client = if input.flag() { SPOOFED } else { HONEST };
        if client == SPOOFED
            && let Some(conn) = self.conn.take()
        {
            self.net.input(HOST, Input::PeerDisconnected { conn });
        }
        self.net.disconnect(client, HOST);
        self.net.connect(client, HOST);
    }

    /// Cuts the power: between batches, after a commit, or before one.
    fn crash(&mut self, input: &mut Bytes<'_>) {
        let node = input.below(3);
        match input.below(3) {
            0 => {}
            1 => drop(self.net.batch(node)),
            _ => self.net.uncommitted_batch(node),
        }
        self.net.crash(node);
        if node == HOST {
            self.conn = None;
        }
        self.net.start(node);
        for client in [SPOOFED, HONEST] {
            if node == HOST || node == client {
                self.net.connect(client, HOST);
            }
        }
    }

    /// Sends a command that changes nothing signed.
    fn ask(&mut self, input: &mut Bytes<'_>) {
        let (node, peer) = self.any_channel(input);
        let payment_hash = preimage(u64::from(input.u8()) % PREIMAGES).hash();
        let command = match input.below(8) {
            0 => Command::Status,
            1 => Command::ListChannels { after: None },
            2 => Command::ShowChannel { channel: peer.into() },
            3 => Command::ListPeers,
            4 => Command::AwaitPayment { payment_hash },
            5 => Command::GetPayment { payment_hash },
            6 => Command::InvokeChannel {
                host: peer,
                addresses: Vec::new(),
                identity: steward_engine::row::LocalIdentity::PerHost,
                secret: Vec::new(),
            },
            _ => Command::Connect { peer, addresses: vec!["127.0.0.1:9735".to_owned()] },
        };
        self.net.issue(node, command);
    }

    /// Sends a command by which an operator decides against the other side, or instead of it.
    fn decide(&mut self, input: &mut Bytes<'_>) {
        self.is_rough = true;
        let (node, peer) = self.any_channel(input);
        let command = match input.below(6) {
            0 => Command::SuspendChannel { channel: peer.into() },
            1 => {
                let local_balance_msat = u64::from(input.u16()) * 20_000;
                Command::ProposeOverride { channel: peer.into(), local_balance_msat }
            }
            2 => {
                // It is mostly the proposed balance, because no other is accepted.
                let proposed_msat = self.proposed_balance_msat(node, peer);
                let guessed_msat = u64::from(input.u16()) * 20_000;
                let our_balance_msat = proposed_msat.unwrap_or(guessed_msat);
                Command::AcceptOverride { channel: peer.into(), our_balance_msat }
            }
            3..=4 => {
                let new_capacity_sat = 1_000_000 + u64::from(input.u16()) * 100;
                Command::ResizeChannel { channel: peer.into(), new_capacity_sat }
            }
            _ => {
                let preimage = preimage(u64::from(input.u8()) % PREIMAGES);
                Command::SubmitPreimage { preimage }
            }
        };
        self.net.issue(node, command);
    }

    fn any_channel(&mut self, input: &mut Bytes<'_>) -> (usize, NodeId) {
        let node = input.below(3);
        let peer = match node {
            HOST => self.net.client_id(SPOOFED + input.below(2), HOST),
            _ => self.net.id(HOST),
        };
        (node, peer)
    }

    /// Returns what an override would give this node, by what it has stored.
    fn proposed_balance_msat(&mut self, node: usize, peer: NodeId) -> Option<u64> {
        let snapshot = self.net.nodes[node].store.load(self.net.now_ms).expect("the store loads");
        let row = snapshot.channels.iter().find(|row| row.peer == peer)?;
        Channel::from_record(&row.record).ok()?.override_balance_msat()
    }

    fn host_channels(&mut self) -> Vec<Channel> {
        let snapshot = self.net.nodes[HOST].store.load(self.net.now_ms).expect("the store loads");
        let read = |row: &steward_engine::row::ChannelRow| {
            let channel = Channel::from_record(&row.record).expect("a stored channel can be read");
            if let Some(state) = channel.state() {
                assert_eq!(row.local_balance_msat, state.local_balance_msat);
                assert_eq!(row.remote_balance_msat, state.remote_balance_msat);
            }
            channel
        };
        snapshot.channels.iter().map(read).collect()
    }

    fn host_channel(&mut self, client: usize) -> Option<Channel> {
        let client = self.net.client_id(client, HOST);
        self.host_channels().into_iter().find(|channel| channel.remote() == client)
    }

    fn host_balances_msat(&mut self) -> u64 {
        let channels = self.host_channels();
        channels.iter().filter_map(Channel::state).map(|state| state.local_balance_msat).sum()
    }

    /// Checks that the states on the host's disk add up and are signed, at any moment.
    fn check_host(&mut self) {
        for channel in self.host_channels() {
            let Some(state) = channel.state() else { continue };
            assert!(state.is_balanced());
            let signature = Some(state.remote_sig_of_local);
            if self.verified.insert(channel.remote(), state.remote_sig_of_local) != signature {
                assert!(state.verify_remote_sig(&channel.remote().public_key().unwrap()));
            }
        }
    }

    /// Connects all nodes again, and lets all waits end.
    fn finish(mut self) {
        let is_quiet = !self.is_rough && self.mined < QUIET_BLOCKS;
        self.conn = None;
        for _ in 0..3 {
            for client in [SPOOFED, HONEST] {
                self.net.disconnect(client, HOST);
                self.net.connect(client, HOST);
            }
            self.net.settle();
            self.net.tick(31_000);
            self.check_host();
        }
        let channels = self.host_channels();
        let idle = |channel: &Channel| channel.suspension().is_none() && !channel.has_htlcs();
        if is_quiet && channels.iter().all(idle) {
            assert!(self.host_balances_msat() >= self.host_msat, "the host gave money away");
        }
        let honest = self.net.channel(HONEST, HOST);
        if is_quiet {
            assert_eq!(honest.phase, Phase::Active, "{:?}", honest.suspension);
            let state = honest.state.expect("it is open");
            assert_eq!(honest.signatures_valid, Some(true));
            let hosts = self.net.channel(HOST, HONEST).state.expect("it is open");
            assert_eq!(state.reverse(), hosts, "both hold the same state");
        }
    }
}
