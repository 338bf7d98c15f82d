//! The client's side of the protocol (P§3.2 to 3.4): it signs, verifies and keeps its own books.

use std::collections::{BTreeMap, VecDeque};

use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::SecretKey;

use super::bytes::Reader;
use super::connection::{Connection, Framing};
use super::crypto::{Id, channel_id, id_of, is_signed_by, sha256};
use super::message::*;
use super::policy::Policy;
use super::state::{Htlc, State, Update};

/// A hosted channel's client and all it knows.
pub(crate) struct Client {
    key: SecretKey,
    host: Id,
    framing: Framing,
    block_day: u32,
    connection: Connection,
    state: Option<State>,
    /// Our updates that are in no signed state.
    own: Vec<Update>,
    /// The host's.
    peer: Vec<Update>,
    /// Our last `state_update` on this connection.
    last_sent: Option<Vec<u8>>,
    policy: Option<Policy>,
    /// The host owes a `channel_update`: once per opening or reconnection.
    is_policy_due: bool,
    /// Cross-signed HTLCs nobody has looked at.
    arrived: VecDeque<Htlc>,
    /// Proofs of our payments, by payment hash.
    preimages: BTreeMap<[u8; 32], [u8; 32]>,
    /// Reasons why payments of ours have failed, cross-signed, by payment hash.
    failures: BTreeMap<[u8; 32], Vec<u8>>,
}

impl Client {
    /// A client that knows nothing but its key and where its host is.
    pub(crate) fn new(
        key: SecretKey,
        host: Id,
        address: &str,
        framing: Framing,
        block_day: u32,
    ) -> Self {
        Self {
            key,
            host,
            framing,
            block_day,
            connection: Connection::new(key, host, address, framing),
            state: None,
            own: Vec::new(),
            peer: Vec::new(),
            last_sent: None,
            policy: None,
            is_policy_due: false,
            arrived: VecDeque::new(),
            preimages: BTreeMap::new(),
            failures: BTreeMap::new(),
        }
    }

    pub(crate) fn id(&self) -> Id {
        id_of(&self.key)
    }

    pub(crate) fn host(&self) -> Id {
        self.host
    }

    pub(crate) fn key(&self) -> &SecretKey {
        &self.key
    }

    pub(crate) fn state(&self) -> &State {
        self.state.as_ref().expect("an open channel")
    }

    pub(crate) fn policy(&self) -> Policy {
        self.policy.expect("the host has told its terms")
    }

    /// Opens a channel; returns the body of the host's `init_hosted_channel`.
    pub(crate) async fn open(&mut self) -> Vec<u8> {
        self.invoke().await;
        let init = self.expect(INIT_HOSTED_CHANNEL).await;
        let mut state = self.first_state(init.clone());
        state.sign(&self.key);
        self.state = Some(state);
        self.send_state_update();

        let body = self.expect(STATE_UPDATE).await;
        let update = StateUpdate::read(&body);
        assert_eq!(update.block_day, self.block_day, "the host signs the day we signed");
        assert_eq!((update.local_updates, update.remote_updates), (0, 0));
        let state = self.state.as_mut().unwrap();
        state.remote_sig_of_local = update.signature;
        state.check_signatures(&self.key, &self.host);

        let body = self.expect(CHANNEL_UPDATE).await;
        self.policy = Some(Policy::read(&body, &self.host, &self.id()));
        init
    }

    /// Reconnects, with the state both have signed, or without any: then the host's is taken.
    pub(crate) async fn resume(&mut self) {
        self.last_sent = None;
        self.invoke().await;
        let body = self.expect(LAST_CROSS_SIGNED_STATE).await;
        let theirs = State::read(&body);
        assert!(theirs.is_host, "the state as the host sees it");
        assert_eq!(theirs.refund_scriptpubkey, self.refund_scriptpubkey());
        let ours = theirs.reverse();
        ours.check_signatures(&self.key, &self.host);
        self.catch_up(ours);

        self.connection.send(LAST_CROSS_SIGNED_STATE, self.state().write());
        for update in &self.own {
            self.send_update(update);
        }
        if !self.own.is_empty() {
            self.send_state_update();
        }
        let body = self.expect(LAST_CROSS_SIGNED_STATE).await;
        assert_eq!(body, self.state().reverse().write(), "both hold the same state now");
        self.is_policy_due = true;
        while self.is_policy_due {
            self.step().await;
        }
    }

    /// Ends the connection without a look at what has come over it.
    pub(crate) async fn disconnect(&mut self) {
        self.connection.cut().await;
    }

    /// Waits until the host's signature has come, without looking at it.
    pub(crate) async fn wait_for_unread_state_update(&mut self) {
        self.connection.wait_for_unread(STATE_UPDATE).await;
    }

    /// Offers an HTLC and signs it.
    pub(crate) fn offer(
        &mut self,
        amount_msat: u64,
        payment_hash: [u8; 32],
        cltv_expiry: u32,
        onion: &[u8; 1366],
    ) {
        let mut body = channel_id(&self.id(), &self.host).to_vec();
        body.extend(u64::from(self.next_own_counter()).to_be_bytes());
        body.extend(amount_msat.to_be_bytes());
        body.extend(payment_hash);
        body.extend(cltv_expiry.to_be_bytes());
        body.extend(onion);
        body.extend(self.payment_tag());
        self.update(Update::Add(Htlc(body)));
    }

    /// Refuses a cross-signed HTLC and signs that.
    pub(crate) fn fail(&mut self, htlc: &Htlc, reason: Vec<u8>) {
        assert!(self.state().incoming.contains(htlc), "only what is cross-signed");
        self.update(Update::Fail { id: htlc.id(), reason });
    }

    /// Claims a cross-signed HTLC and signs that.
    pub(crate) fn fulfil(&mut self, htlc: &Htlc, preimage: [u8; 32]) {
        assert!(self.state().incoming.contains(htlc), "only what is cross-signed");
        self.update(Update::Fulfil { id: htlc.id(), preimage });
    }

    /// The next HTLC from the host, cross-signed.
    pub(crate) async fn next_htlc(&mut self) -> Htlc {
        loop {
            if let Some(htlc) = self.arrived.pop_front() {
                return htlc;
            }
            self.step().await;
        }
    }

    /// The proof that a payment of ours has arrived.
    pub(crate) async fn preimage(&mut self, payment_hash: [u8; 32]) -> [u8; 32] {
        while !self.preimages.contains_key(&payment_hash) {
            self.step().await;
        }
        self.preimages[&payment_hash]
    }

    /// The onion error of a payment of ours that has failed for good.
    pub(crate) async fn failure(&mut self, payment_hash: [u8; 32]) -> Vec<u8> {
        while !self.failures.contains_key(&payment_hash) {
            self.step().await;
        }
        self.failures[&payment_hash].clone()
    }

    /// Goes on until both have signed everything and no HTLC is left. The host must then have
    /// nothing more to say.
    pub(crate) async fn settle(&mut self) {
        let is_open = |client: &Self| {
            let state = client.state();
            let unsigned = client.own.len() + client.peer.len();
            unsigned + state.incoming.len() + state.outgoing.len() > 0
        };
        while is_open(self) {
            self.step().await;
        }
        self.expect_silence().await;
        assert!(self.arrived.is_empty());
        self.state().check_signatures(&self.key, &self.host);
    }

    /// Asks for the branding. Whatever the host had to say before must come before its answer.
    pub(crate) async fn expect_silence(&mut self) {
        self.connection.send(ASK_BRANDING_INFO, ChainHash::REGTEST.to_bytes().to_vec());
        let body = self.expect(HOSTED_CHANNEL_BRANDING).await;
        let mut reader = Reader::new(&body);
        assert_eq!(reader.array(), [0x12, 0x34, 0x56], "rgb");
        assert_eq!(reader.u8(), 0, "has_png");
        let len = usize::from(reader.u16());
        assert_eq!(reader.take(len), b"https://host.example");
        reader.end();
    }

    async fn invoke(&mut self) {
        self.connection.connect().await;
        let script = self.refund_scriptpubkey();
        let mut body = ChainHash::REGTEST.to_bytes().to_vec();
        body.extend(u16::try_from(script.len()).unwrap().to_be_bytes());
        body.extend(script);
        body.extend([0, 0]); // No secret.
        self.connection.send(INVOKE_HOSTED_CHANNEL, body);
    }

    fn first_state(&self, init: Vec<u8>) -> State {
        let mut state = State {
            is_host: false,
            refund_scriptpubkey: self.refund_scriptpubkey(),
            init,
            block_day: self.block_day,
            local_balance_msat: 0,
            remote_balance_msat: 0,
            local_updates: 0,
            remote_updates: 0,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            remote_sig_of_local: [0; 64],
            local_sig_of_remote: [0; 64],
        };
        state.local_balance_msat = state.initial_client_balance_msat();
        state.remote_balance_msat = state.capacity_msat() - state.local_balance_msat;
        state
    }

    /// The host's copy against ours (P§3.3.1). Here it is never behind.
    fn catch_up(&mut self, ours: State) {
        let Some(signed) = &self.state else {
            self.arrived.extend(ours.incoming.iter().cloned());
            self.state = Some(ours);
            return;
        };
        let own_used = usize::try_from(ours.local_updates - signed.local_updates).unwrap();
        let peer_used = usize::try_from(ours.remote_updates - signed.remote_updates).unwrap();
        if own_used + peer_used > 0 {
            let mut reached = signed.after(&self.own[..own_used], &self.peer[..peer_used]);
            reached.remote_sig_of_local = ours.remote_sig_of_local;
            reached.local_sig_of_remote = ours.local_sig_of_remote;
            assert_eq!(reached, ours, "our updates lead to the host's state");
            self.own.drain(..own_used);
            self.state = Some(reached);
        } else {
            assert_eq!(*signed, ours, "equal counters, equal content");
        }
        self.peer.clear(); // The host repeats what is in no signed state.
    }

    /// Takes one message, and answers it if it calls for that.
    async fn step(&mut self) {
        let (message_type, body) = self.connection.receive().await;
        match message_type {
            UPDATE_ADD_HTLC => self.on_add(Htlc(body)),
            UPDATE_FULFILL_HTLC => self.on_fulfil(&body),
            UPDATE_FAIL_HTLC => self.on_fail(&body),
            STATE_UPDATE => self.on_state_update(&StateUpdate::read(&body)),
            CHANNEL_UPDATE if self.is_policy_due => {
                self.is_policy_due = false;
                self.policy = Some(Policy::read(&body, &self.host, &self.id()));
            }
            other => panic!("unexpected message {other}: {body:02x?}"),
        }
    }

    async fn expect(&mut self, expected: u16) -> Vec<u8> {
        let (message_type, body) = self.connection.receive().await;
        assert_eq!(message_type, expected, "the message came instead: {body:02x?}");
        body
    }

    fn on_add(&mut self, htlc: Htlc) {
        assert_eq!(htlc.channel_id(), channel_id(&self.id(), &self.host));
        assert_eq!(htlc.id(), u64::from(self.next_peer_counter()), "the id is the counter");
        assert!(htlc.tlvs().is_empty(), "nothing was to be blinded: {:02x?}", htlc.tlvs());
        self.peer.push(Update::Add(htlc));
    }

    fn on_fulfil(&mut self, body: &[u8]) {
        let mut reader = Reader::new(body);
        assert_eq!(reader.array(), channel_id(&self.id(), &self.host));
        let id = reader.u64();
        let preimage = reader.array();
        reader.end();
        let next = self.state().after(&self.own, &self.peer);
        let htlc = next.outgoing.iter().find(|htlc| htlc.id() == id);
        let htlc = htlc.expect("an HTLC of ours that is not settled yet");
        assert_eq!(sha256(&preimage), htlc.payment_hash());
        self.preimages.insert(htlc.payment_hash(), preimage);
        self.peer.push(Update::Fulfil { id, preimage });
    }

    /// Only what both have signed may be failed (P§3.5).
    fn on_fail(&mut self, body: &[u8]) {
        let mut reader = Reader::new(body);
        assert_eq!(reader.array(), channel_id(&self.id(), &self.host));
        let id = reader.u64();
        let len = usize::from(reader.u16());
        let reason = reader.take(len).to_vec();
        reader.end();
        let is_signed = self.state().outgoing.iter().any(|htlc| htlc.id() == id);
        assert!(is_signed, "a fail of an HTLC that the host has not signed");
        self.peer.push(Update::Fail { id, reason });
    }

    /// P§3.4, rules a to e.
    fn on_state_update(&mut self, update: &StateUpdate) {
        let signed = self.state();
        assert_ne!(update.signature, signed.remote_sig_of_local, "the same signature again");
        assert_eq!(update.block_day, self.block_day);
        let peer_updates = signed.remote_updates + u32::try_from(self.peer.len()).unwrap();
        assert_eq!(update.local_updates, peer_updates, "the host signs what it has sent");
        let own_updates = signed.local_updates + u32::try_from(self.own.len()).unwrap();
        assert!(update.remote_updates <= own_updates, "the host signs what we have not sent");
        if update.remote_updates < own_updates {
            return self.send_state_update(); // They crossed: sign for everything.
        }
        let mut next = self.next_state();
        next.remote_sig_of_local = update.signature;
        assert!(
            is_signed_by(&self.host, next.hash(), &update.signature),
            "the host's signature does not fit {next:02x?}"
        );
        self.adopt(next);
        self.send_state_update();
    }

    /// Both have signed this: what the host has added and failed counts from now on.
    fn adopt(&mut self, next: State) {
        let before = self.state.replace(next).unwrap();
        self.own.clear();
        for update in self.peer.drain(..) {
            match update {
                Update::Add(htlc) => self.arrived.push_back(htlc),
                Update::Fulfil { .. } => {}
                Update::Fail { id, reason } => {
                    let htlc = before.outgoing.iter().find(|htlc| htlc.id() == id).unwrap();
                    self.failures.insert(htlc.payment_hash(), reason);
                }
            }
        }
    }

    fn update(&mut self, update: Update) {
        self.send_update(&update);
        self.own.push(update);
        self.send_state_update();
    }

    fn send_update(&self, update: &Update) {
        match update {
            Update::Add(htlc) => self.connection.send(UPDATE_ADD_HTLC, htlc.0.clone()),
            Update::Fulfil { id, preimage } => {
                let mut body = channel_id(&self.id(), &self.host).to_vec();
                body.extend(id.to_be_bytes());
                body.extend(preimage);
                self.connection.send(UPDATE_FULFILL_HTLC, body);
            }
            Update::Fail { id, reason } => {
                let mut body = channel_id(&self.id(), &self.host).to_vec();
                body.extend(id.to_be_bytes());
                body.extend(u16::try_from(reason.len()).unwrap().to_be_bytes());
                body.extend(reason);
                self.connection.send(UPDATE_FAIL_HTLC, body);
            }
        }
    }

    /// Signs everything both have sent so far. If just that was signed last, eclair and immortan,
    /// the legacy peers, repeat their signature, which the host must ignore; a modern peer spares
    /// it.
    fn send_state_update(&mut self) {
        let next = self.next_state();
        let mut body = next.block_day.to_be_bytes().to_vec();
        body.extend(next.local_updates.to_be_bytes());
        body.extend(next.remote_updates.to_be_bytes());
        body.extend(next.local_sig_of_remote);
        if self.framing == Framing::Legacy || self.last_sent.as_ref() != Some(&body) {
            self.connection.send(STATE_UPDATE, body.clone());
            self.last_sent = Some(body);
        }
    }

    /// The state after all updates of both, signed by us.
    fn next_state(&self) -> State {
        let mut next = self.state().after(&self.own, &self.peer);
        next.block_day = self.block_day;
        next.sign(&self.key);
        next
    }

    fn next_own_counter(&self) -> u32 {
        self.state().local_updates + u32::try_from(self.own.len()).unwrap() + 1
    }

    fn next_peer_counter(&self) -> u32 {
        self.state().remote_updates + u32::try_from(self.peer.len()).unwrap() + 1
    }

    /// P2WPKH, the same after every loss of memory.
    fn refund_scriptpubkey(&self) -> Vec<u8> {
        let mut script = vec![0x00, 0x14];
        script.extend(&sha256(&self.id())[..20]);
        script
    }

    /// The TLV that immortan, a legacy peer, adds to every HTLC: 64 bytes only it can read. The
    /// host must sign and keep it to the byte.
    fn payment_tag(&self) -> Vec<u8> {
        match self.framing {
            Framing::Legacy => {
                let mut tlv = vec![0xfe, 0xf6, 0x0b, 0x27, 0x77, 64];
                tlv.extend([0xa5; 64]);
                tlv
            }
            Framing::Modern => Vec::new(),
        }
    }
}

/// The body of `state_update`.
struct StateUpdate {
    block_day: u32,
    local_updates: u32,
    remote_updates: u32,
    signature: [u8; 64],
}

impl StateUpdate {
    fn read(body: &[u8]) -> Self {
        let mut reader = Reader::new(body);
        let update = Self {
            block_day: reader.u32(),
            local_updates: reader.u32(),
            remote_updates: reader.u32(),
            signature: reader.array(),
        };
        reader.end();
        update
    }
}
