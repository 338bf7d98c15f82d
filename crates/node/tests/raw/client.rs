//! The actions of a client: it opens (docs/protocol.md section 3.2), resumes (section 3.3), pays,
//! claims and waits. `exchange` takes and gives the signatures meanwhile.

use std::collections::{BTreeMap, VecDeque};

use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::SecretKey;

use super::bytes::Reader;
use super::connection::{Connection, Framing};
use super::crypto::{Id, channel_id, id_of, sha256};
use super::exchange::StateUpdate;
use super::message::*;
use super::policy::Policy;
use super::state::{Htlc, State, Update};

/// A hosted channel's client and all it knows.
pub(crate) struct Client {
    pub(super) key: SecretKey,
    pub(super) host: Id,
    pub(super) framing: Framing,
    pub(super) block_day: u32,
    pub(super) connection: Connection,
    pub(super) state: Option<State>,
    /// Our updates that are in no signed state.
    pub(super) own: Vec<Update>,
    /// The host's updates that are in no signed state.
    pub(super) peer: Vec<Update>,
    /// Our last `state_update` on this connection.
    pub(super) last_sent: Option<Vec<u8>>,
    pub(super) policy: Option<Policy>,
    /// True while the host owes a `channel_update`: once per opening or reconnection.
    pub(super) is_policy_due: bool,
    /// The cross-signed HTLCs that the test has not taken yet.
    pub(super) arrived: VecDeque<Htlc>,
    /// Proofs of our payments, by payment hash.
    pub(super) preimages: BTreeMap<[u8; 32], [u8; 32]>,
    /// Reasons why payments of ours have failed, cross-signed, by payment hash.
    pub(super) failures: BTreeMap<[u8; 32], Vec<u8>>,
}

impl Client {
    /// Makes a client that knows only its key and the address of its host.
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

    /// Waits until so many signatures of the host have come, without looking at them.
    pub(crate) async fn wait_for_unread_state_updates(&mut self, count: usize) {
        self.connection.wait_for_unread(STATE_UPDATE, count).await;
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
    pub(crate) fn fulfill(&mut self, htlc: &Htlc, preimage: [u8; 32]) {
        assert!(self.state().incoming.contains(htlc), "only what is cross-signed");
        self.update(Update::Fulfill { id: htlc.id(), preimage });
    }

    /// Waits for the next HTLC from the host, cross-signed.
    pub(crate) async fn next_htlc(&mut self) -> Htlc {
        loop {
            if let Some(htlc) = self.arrived.pop_front() {
                return htlc;
            }
            self.step().await;
        }
    }

    /// Waits for the proof that a payment of ours has arrived.
    pub(crate) async fn preimage(&mut self, payment_hash: [u8; 32]) -> [u8; 32] {
        while !self.preimages.contains_key(&payment_hash) {
            self.step().await;
        }
        self.preimages[&payment_hash]
    }

    /// Waits for the onion error of a payment of ours that has failed for good.
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

    /// Checks that the host has nothing more to say: it would come before the host's answer to a
    /// question. The host may answer at once and sign a moment later: ask twice.
    pub(crate) async fn expect_silence(&mut self) {
        self.ask_branding().await;
        self.ask_branding().await;
    }

    async fn ask_branding(&mut self) {
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

    /// Compares the host's copy with ours (docs/protocol.md section 3.3.1). Here it is never
    /// behind.
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

    async fn expect(&mut self, expected: u16) -> Vec<u8> {
        let (message_type, body) = self.connection.receive().await;
        assert_eq!(message_type, expected, "the message came instead: {body:02x?}");
        body
    }

    /// Returns a P2WPKH script, the same after every loss of memory.
    fn refund_scriptpubkey(&self) -> Vec<u8> {
        let mut script = vec![0x00, 0x14];
        script.extend(&sha256(&self.id())[..20]);
        script
    }

    /// Returns the TLV that immortan, a legacy peer, adds to every HTLC: 64 bytes only it can read.
    /// The host must sign and keep it to the byte.
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
