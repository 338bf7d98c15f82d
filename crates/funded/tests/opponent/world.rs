//! Our channel, its database, and the way between it and LDK's node.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bitcoin::secp256k1::PublicKey;
use bitcoin::{Network, Transaction};
use lightning::events::Event;
use lightning::sign::{InMemorySigner, KeysManager, NodeSigner, Recipient, SignerProvider};
use lightning::types::payment::{PaymentHash as LdkHash, PaymentPreimage};
use steward_funded::bolt3::{BuiltCommitment, ChannelSigner, HtlcKey, LdkSigner, Side};
use steward_funded::{
    AcceptTerms, ArchivedCommitment, Channel, Defence, Env, Input, Output, Phase, Resolve,
};
use steward_htlc::{AddToken, Failure, LinkEvent, LinkInput, NewHtlc};
use steward_wire::{
    ChannelMessage, NodeId, Onion, PaymentHash, Preimage, ShortChannelId, UpdateAddHtlc,
};

use super::ldk::{Ldk, START_HEIGHT, Sent};
use super::{Rng, node_id};

pub const FUNDING_SAT: u64 = 1_000_000;
pub const PUSH_MSAT: u64 = 400_000_000;
pub const DELTA: u32 = 200;

/// What is durable.
#[derive(Clone, Default)]
pub struct Database {
    pub record: Option<Vec<u8>>,
    pub rows: BTreeMap<HtlcKey, Vec<u8>>,
    pub archive: BTreeMap<u64, Vec<u8>>,
}

/// A payment, by who makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Open,
    Paid,
    Failed,
    Refused,
}

pub struct World {
    pub ldk: Ldk,
    pub signer: LdkSigner<InMemorySigner>,
    pub our_id: NodeId,
    pub channel: Option<Channel>,
    pub database: Database,
    pub to_us: VecDeque<ChannelMessage>,
    pub to_ldk: VecDeque<ChannelMessage>,
    pub is_connected: bool,
    pub height: u32,
    pub now_ms: u64,
    pub rng: Rng,
    pub funding: Option<Transaction>,
    /// HTLCs of the peer's that were reported and are not answered.
    pub incoming: BTreeMap<u64, UpdateAddHtlc>,
    /// Preimages of LDK's payments to us.
    pub preimages: BTreeMap<PaymentHash, Preimage>,
    /// Our payments, by token, and by id once they have one.
    pub ours: BTreeMap<u64, (u64, End)>,
    pub by_id: BTreeMap<u64, u64>,
    /// LDK's payments to us.
    pub theirs: BTreeMap<PaymentHash, (u64, End)>,
    /// What LDK may claim of ours.
    pub claimable: Vec<(LdkHash, Option<PaymentPreimage>)>,
    pub answered: BTreeMap<u64, bool>,
    pub reported: BTreeSet<u64>,
    pub outputs: Vec<Output>,
    pub delivered: u64,
    pub is_active: bool,
    pub offer: Option<steward_wire::OpenChannel>,
    is_hanging_up: bool,
    next: u64,
}

pub fn terms() -> AcceptTerms {
    AcceptTerms {
        min_funding_sat: 100_000,
        max_funding_sat: 2_000_000,
        dust_limit_sat: 354,
        to_self_delay: 144,
        max_accepted_htlcs: 30,
        htlc_minimum_msat: 1,
        minimum_depth: 3,
        shutdown_script: [vec![0, 20], vec![5; 20]].concat(),
        may_announce: false,
    }
}

impl World {
    /// Opens a channel up to `funding_signed`, and connects the funding transaction's blocks.
    pub fn open(seed: u64) -> Self {
        let mut world = Self::opening(seed);
        world.pump();
        world.confirm(6);
        world.pump();
        assert_eq!(world.phase(), Phase::Active);
        world
    }

    pub fn opening(seed: u64) -> Self {
        let keys = KeysManager::new(&[7; 32], 1, 1, true);
        let our_key = keys.get_node_id(Recipient::Node).unwrap();
        // As the resolver derives them from the `keys_id` 1.
        let mut keys_id = [0; 32];
        keys_id[7] = 1;
        let signer = LdkSigner(keys.derive_channel_signer(keys_id));
        let ldk = Ldk::new(u8::try_from(seed % 200).unwrap() + 11, our_key);
        let mut world = Self {
            ldk,
            signer,
            our_id: node_id(our_key),
            channel: None,
            database: Database::default(),
            to_us: VecDeque::new(),
            to_ldk: VecDeque::new(),
            is_connected: true,
            height: START_HEIGHT,
            now_ms: 0,
            rng: Rng::new(seed),
            funding: None,
            incoming: BTreeMap::new(),
            preimages: BTreeMap::new(),
            ours: BTreeMap::new(),
            by_id: BTreeMap::new(),
            theirs: BTreeMap::new(),
            claimable: Vec::new(),
            answered: BTreeMap::new(),
            reported: BTreeSet::new(),
            outputs: Vec::new(),
            delivered: 0,
            is_active: false,
            offer: None,
            is_hanging_up: false,
            next: 0,
        };
        world.ldk.connect();
        let us = world.ldk.us;
        world.ldk.manager.create_channel(us, FUNDING_SAT, PUSH_MSAT, 1, None, None).unwrap();
        world.collect();
        let Some(ChannelMessage::OpenChannel(offer)) = world.to_us.pop_front() else {
            panic!("LDK offers a channel first");
        };
        let peer = node_id(world.ldk.id);
        let (channel, accept) = world
            .with_env(|env| Channel::accept(env, &terms(), peer, 1, &offer))
            .expect("the offer is good");
        world.channel = Some(channel);
        world.offer = Some(*offer);
        world.to_ldk.push_back(ChannelMessage::AcceptChannel(Box::new(accept)));
        world
    }

    pub fn with_env<T>(&self, run: impl FnOnce(&Env<'_>) -> T) -> T {
        let chain_hash = genesis();
        run(&Env {
            signer: &self.signer,
            local: &self.our_id,
            chain_hash: &chain_hash,
            height: self.height,
            now_ms: self.now_ms,
        })
    }

    pub fn channel(&self) -> &Channel {
        self.channel.as_ref().unwrap()
    }

    pub fn phase(&self) -> Phase {
        self.channel().phase()
    }

    /// One input of ours, and what comes of it.
    pub fn input(&mut self, input: Input) -> Vec<Output> {
        let mut channel = self.channel.take().unwrap();
        let outputs = self.with_env(|env| channel.handle(env, input));
        self.channel = Some(channel);
        self.commit(&outputs);
        outputs.iter().for_each(|output| self.act(output));
        self.outputs.extend(outputs.clone());
        outputs
    }

    /// Makes the writes durable, before any output is acted upon.
    fn commit(&mut self, outputs: &[Output]) {
        let is_changed = outputs.iter().any(|o| matches!(o, Output::Link(LinkEvent::Changed)));
        if is_changed {
            self.database.record = self.channel().record();
        }
        for output in outputs {
            match output {
                Output::PutHtlc { key, row } => {
                    assert!(is_changed);
                    self.database.rows.insert(*key, row.clone());
                }
                Output::DeleteHtlc { key } => {
                    assert!(is_changed);
                    self.database.rows.remove(key);
                }
                Output::Archive { number, row } => {
                    assert!(is_changed);
                    self.database.archive.insert(*number, row.clone());
                }
                _ => {}
            }
        }
        self.check_record();
    }

    /// The record as it is says what the record on disk says, and our commitment can be published.
    fn check_record(&self) {
        let Some(record) = &self.database.record else { return };
        assert_eq!(self.channel().record().as_ref(), Some(record), "a change was not reported");
        let rows = self.database.rows.iter().map(|(key, row)| (*key, row.as_slice()));
        let read = Channel::from_record(record, rows).expect("the record can be read");
        assert_eq!(read.record().as_ref(), Some(record));
        let defence = self.channel().defence().unwrap();
        assert_eq!(read.defence().unwrap().local, defence.local);
        self.check_defence(&defence);
    }

    fn check_defence(&self, defence: &Defence) {
        let built = built(&self.signer, defence);
        built
            .verify(
                &defence.parameters,
                Side::Local,
                &defence.local.signature,
                &defence.local.htlc_signatures,
            )
            .expect("our commitment is signed");
        for remote in &defence.remote {
            // What the peer may publish is what we signed, and is in the archive.
            let archived = ArchivedCommitment::decode(&self.database.archive[&remote.number]);
            let archived = archived.unwrap();
            assert_eq!((archived.point, &archived.contents), (remote.point, &remote.contents));
        }
        for number in 0..defence.remote[0].number {
            assert!(defence.secrets.secret(number).is_some());
            assert!(self.database.archive.contains_key(&number), "{number} is not archived");
        }
    }

    fn act(&mut self, output: &Output) {
        match output {
            Output::Send(message) if self.is_connected => self.to_ldk.push_back(message.clone()),
            Output::Link(LinkEvent::Reconnect(why)) => panic!("we hang up: {why}"),
            Output::Link(LinkEvent::Active) => self.is_active = true,
            Output::Link(LinkEvent::Inactive) => self.is_active = false,
            Output::Link(LinkEvent::HtlcIncoming { add, .. }) => {
                assert!(self.reported.insert(add.id), "{} was reported twice", add.id);
                self.incoming.insert(add.id, add.clone());
            }
            Output::Refuse { add, .. } => {
                assert!(self.reported.insert(add.id));
                self.incoming.insert(add.id, add.clone());
                let failure = Failure::Reason { reason: vec![1; 292], tlvs: Vec::new() };
                self.answer(add.id, None, failure);
            }
            Output::Link(LinkEvent::HtlcAdded { token, id }) => {
                assert!(self.by_id.insert(*id, token.0).is_none());
            }
            Output::Link(LinkEvent::HtlcRefused { token, .. }) => {
                self.end(token.0, End::Refused);
            }
            Output::Link(LinkEvent::HtlcFulfilled { id, .. }) => {
                self.end(self.by_id[id], End::Paid);
            }
            Output::Link(LinkEvent::HtlcFailed { id, .. }) => {
                self.end(self.by_id[id], End::Failed);
            }
            _ => {}
        }
    }

    fn end(&mut self, token: u64, end: End) {
        let payment = self.ours.get_mut(&token).unwrap();
        assert_eq!(payment.1, End::Open, "payment {token} ends twice");
        payment.1 = end;
    }

    /// Takes what LDK wants sent, and acts on its events.
    pub fn collect(&mut self) {
        for event in self.ldk.events() {
            self.on_event(event);
        }
        for sent in self.ldk.sent() {
            match sent {
                Sent::Message(message) if self.is_connected => self.to_us.push_back(message),
                Sent::Message(_) => {}
                // Its timer ticks faster here than its peer can answer.
                Sent::Disconnect(why) if why.contains("timeout awaiting response") => {
                    self.is_hanging_up = true;
                }
                Sent::Disconnect(why) => panic!("LDK hangs up: {why}"),
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::FundingGenerationReady {
                temporary_channel_id,
                counterparty_node_id,
                channel_value_satoshis,
                output_script,
                ..
            } => {
                let funding = self.ldk.funding_transaction(output_script, channel_value_satoshis);
                self.ldk
                    .manager
                    .funding_transaction_generated(
                        temporary_channel_id,
                        counterparty_node_id,
                        funding.clone(),
                    )
                    .unwrap();
                self.funding = Some(funding);
            }
            Event::PaymentClaimable { payment_hash, purpose, .. } => {
                self.claimable.push((payment_hash, purpose.preimage()));
            }
            Event::PaymentSent { payment_hash, .. } => {
                self.theirs.get_mut(&PaymentHash(payment_hash.0)).unwrap().1 = End::Paid;
            }
            Event::PaymentFailed { payment_hash, .. } => {
                let hash = PaymentHash(payment_hash.unwrap().0);
                let payment = self.theirs.get_mut(&hash).unwrap();
                assert_eq!(payment.1, End::Open);
                payment.1 = End::Failed;
            }
            Event::ChannelClosed { reason, .. } => {
                self.outputs.push(Output::OpeningFailed(format!("LDK closed: {reason}")));
            }
            _ => {}
        }
    }

    pub fn ldk_closed(&self) -> bool {
        self.outputs.iter().any(
            |output| matches!(output, Output::OpeningFailed(why) if why.starts_with("LDK closed")),
        )
    }

    /// Delivers one message, if there is one: to us or to LDK, as the seed wants.
    pub fn deliver_one(&mut self) -> bool {
        self.collect();
        if std::mem::take(&mut self.is_hanging_up) && self.is_connected {
            self.disconnect();
            self.connect();
            return true;
        }
        let to_us = match (self.to_us.is_empty(), self.to_ldk.is_empty()) {
            (true, true) => return false,
            (false, true) => true,
            (true, false) => false,
            (false, false) => self.rng.chance(50),
        };
        self.delivered += 1;
        if to_us {
            let message = self.to_us.pop_front().unwrap();
            self.input(Input::Message(message));
            // A batch ends after one input or after several.
            if self.to_us.is_empty() || self.rng.chance(60) {
                self.flush();
            }
        } else {
            let message = self.to_ldk.pop_front().unwrap();
            self.ldk.deliver(&message);
        }
        self.collect();
        true
    }

    pub fn flush(&mut self) {
        self.input(Input::Link(LinkInput::Flush));
    }

    pub fn pump(&mut self) {
        for _ in 0..10_000 {
            self.flush();
            if !self.deliver_one() {
                return;
            }
        }
        panic!("the exchange does not end");
    }

    pub fn confirm(&mut self, depth: u32) {
        let funding = self.funding.clone().unwrap();
        self.block(&[funding]);
        for _ in 1..depth {
            self.block(&[]);
        }
        let scid = ShortChannelId(u64::from(self.height - depth + 1) << 40 | 1 << 16);
        self.input(Input::FundingDepth { depth, scid, is_ours: true, is_coinbase: false });
    }

    pub fn block(&mut self, transactions: &[Transaction]) -> Vec<Output> {
        self.ldk.block(transactions);
        self.height = self.ldk.height;
        self.input(Input::Link(LinkInput::Block))
    }

    /// The connection breaks: what is on its way is lost.
    pub fn disconnect(&mut self) {
        if std::mem::take(&mut self.is_connected) {
            self.collect();
            self.to_us.clear();
            self.to_ldk.clear();
            self.ldk.disconnect();
            self.input(Input::Link(LinkInput::Disconnected));
            self.collect();
        }
    }

    /// We are killed: only the database is left.
    pub fn restart(&mut self) {
        self.disconnect();
        self.reload();
    }

    pub fn reload(&mut self) {
        let record = self.database.record.clone().unwrap();
        let rows = self.database.rows.iter().map(|(key, row)| (*key, row.as_slice()));
        self.channel = Some(Channel::from_record(&record, rows).unwrap());
        self.is_active = false;
        // Waiting payments were never sent.
        let sent: BTreeSet<u64> = self.by_id.values().copied().collect();
        for (token, payment) in &mut self.ours {
            if payment.1 == End::Open && !sent.contains(token) {
                payment.1 = End::Refused;
            }
        }
    }

    pub fn connect(&mut self) {
        self.is_connected = true;
        self.ldk.connect();
        self.input(Input::Link(LinkInput::Connected));
        self.collect();
    }

    /// LDK offers us an HTLC.
    pub fn ldk_pays(&mut self, amount_msat: u64) -> bool {
        self.next += 1;
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.next.to_be_bytes());
        let preimage = Preimage(bytes);
        let hash = preimage.hash();
        self.theirs.insert(hash, (amount_msat, End::Open));
        if !self.ldk.pay(amount_msat, LdkHash(hash.0), DELTA) {
            self.theirs.remove(&hash);
            return false;
        }
        self.preimages.insert(hash, preimage);
        self.collect();
        true
    }

    /// We offer LDK an HTLC; one that it cannot read if asked for.
    pub fn we_pay(&mut self, amount_msat: u64, is_readable: bool) -> u64 {
        self.next += 1;
        let token = self.next;
        let session = u8::try_from(token % 250).unwrap() + 1;
        let (hash, mut onion, cltv_expiry) = self.ldk.invoice(amount_msat, DELTA, session);
        if !is_readable {
            let mut bytes = *onion.0;
            bytes[700] ^= 1;
            onion = Onion(Arc::new(bytes));
        }
        self.ours.insert(token, (amount_msat, End::Open));
        let htlc = NewHtlc {
            token: AddToken(token),
            amount_msat,
            payment_hash: PaymentHash(hash.0),
            cltv_expiry,
            onion,
            tlvs: Vec::new(),
            give_up_ms: self.now_ms + 60_000,
        };
        self.input(Input::Link(LinkInput::Add(htlc)));
        token
    }

    /// Answers an HTLC of LDK's: with its preimage, or with a failure.
    pub fn answer(&mut self, id: u64, preimage: Option<Preimage>, failure: Failure) {
        let Some(_) = self.incoming.remove(&id) else { return };
        self.answered.insert(id, preimage.is_some());
        let input = match preimage {
            Some(preimage) => LinkInput::Fulfill { id, preimage, tlvs: Vec::new() },
            None => LinkInput::Fail { id, failure },
        };
        let outputs = {
            let mut channel = self.channel.take().unwrap();
            let outputs = self.with_env(|env| channel.handle(env, Input::Link(input)));
            self.channel = Some(channel);
            outputs
        };
        assert!(outputs.contains(&Output::Link(LinkEvent::SettlementRecorded { id })));
        self.commit(&outputs);
        outputs.iter().for_each(|output| self.act(output));
        self.outputs.extend(outputs);
    }

    /// Settles one HTLC that waits for somebody, as the seed wants.
    pub fn settle_one(&mut self) {
        let pick = self.rng.next();
        if let Some((&id, add)) = self.incoming.iter().nth(0) {
            let preimage = self.preimages[&add.payment_hash];
            match pick % 5 {
                0 => self.answer(id, None, failure()),
                1 => self.answer(id, None, malformed()),
                _ => self.answer(id, Some(preimage), failure()),
            }
        } else if let Some((hash, preimage)) = self.claimable.pop() {
            match preimage {
                Some(preimage) if !pick.is_multiple_of(4) => self.ldk.claim(preimage),
                _ => self.ldk.manager.fail_htlc_backwards(&hash),
            }
            self.collect();
        }
    }

    pub fn set_feerate(&mut self, feerate: u32) {
        self.ldk.fees.0.store(feerate, Ordering::Relaxed);
        self.ldk.manager.timer_tick_occurred();
        self.collect();
    }

    /// Lets everything end, and checks that both sides agree on all of it.
    pub fn finish(&mut self) {
        if !self.is_connected {
            self.connect();
        }
        for _ in 0..500 {
            self.pump();
            if self.incoming.is_empty() && self.claimable.is_empty() && !self.has_open() {
                break;
            }
            self.now_ms += 1_000;
            self.settle_one();
            self.input(Input::Link(LinkInput::Tick));
        }
        self.pump();
        assert_eq!(self.phase(), Phase::Active);
        assert!(!self.ldk_closed());
        let summary = self.channel().summary().unwrap();
        assert_eq!((summary.outgoing_htlcs, summary.incoming_htlcs), (0, 0));
        assert!(self.database.rows.is_empty());
        let open: Vec<_> = self.ours.values().filter(|(_, end)| *end == End::Open).collect();
        assert_eq!(open, Vec::<&(u64, End)>::new());
        let sum = |payments: &mut dyn Iterator<Item = &(u64, End)>| -> u64 {
            payments.filter(|(_, end)| *end == End::Paid).map(|(amount, _)| *amount).sum()
        };
        let sent = sum(&mut self.ours.values());
        let received = sum(&mut self.theirs.values());
        assert_eq!(summary.local_balance_msat, PUSH_MSAT + received - sent);
        let channel = self.ldk.channel().unwrap();
        assert!(
            channel.pending_inbound_htlcs.is_empty() && channel.pending_outbound_htlcs.is_empty()
        );
        let reserve = channel.unspendable_punishment_reserve.unwrap() * 1_000;
        // LDK leaves out what it pays for the anchors.
        let theirs = summary.remote_balance_msat.saturating_sub(reserve + 660_000);
        assert_eq!(channel.outbound_capacity_msat, theirs, "LDK's balance is ours");
        assert_eq!(channel.feerate_sat_per_1000_weight, Some(summary.feerate_per_kw));
    }

    fn has_open(&self) -> bool {
        self.ours.values().chain(self.theirs.values()).any(|(_, end)| *end == End::Open)
    }

    pub fn resolves(&self) -> Vec<&Resolve> {
        self.outputs
            .iter()
            .filter_map(|output| match output {
                Output::Resolve(resolve) => Some(resolve),
                _ => None,
            })
            .collect()
    }
}

pub fn built(signer: &impl ChannelSigner, defence: &Defence) -> BuiltCommitment {
    let point: PublicKey = signer.point(defence.local.number).unwrap();
    defence.build_local(point)
}

pub fn failure() -> Failure {
    Failure::Reason { reason: vec![1; 292], tlvs: Vec::new() }
}

pub fn malformed() -> Failure {
    Failure::Malformed { sha256_of_onion: [2; 32], failure_code: 0x8000 | 0x4000 | 5 }
}

pub fn genesis() -> [u8; 32] {
    use bitcoin::hashes::Hash;
    bitcoin::blockdata::constants::genesis_block(Network::Regtest).block_hash().to_byte_array()
}
