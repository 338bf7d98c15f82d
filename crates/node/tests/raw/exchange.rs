//! Normal operation (docs/protocol.md sections 3.4 and 3.5): the messages that the host may send at
//! each moment, the answers to them, and the signatures of both sides.

use super::bytes::Reader;
use super::client::Client;
use super::connection::Framing;
use super::crypto::{channel_id, is_signed_by, sha256};
use super::message::*;
use super::policy::Policy;
use super::state::{Htlc, State, Update};

impl Client {
    /// Takes one message, and answers it if it calls for an answer.
    pub(super) async fn step(&mut self) {
        let (message_type, body) = self.connection.receive().await;
        match message_type {
            UPDATE_ADD_HTLC => self.on_add(Htlc(body)),
            UPDATE_FULFILL_HTLC => self.on_fulfill(&body),
            UPDATE_FAIL_HTLC => self.on_fail(&body),
            STATE_UPDATE => self.on_state_update(&StateUpdate::read(&body)),
            CHANNEL_UPDATE if self.is_policy_due => {
                self.is_policy_due = false;
                self.policy = Some(Policy::read(&body, &self.host, &self.id()));
            }
            other => panic!("unexpected message {other}: {body:02x?}"),
        }
    }

    fn on_add(&mut self, htlc: Htlc) {
        assert_eq!(htlc.channel_id(), channel_id(&self.id(), &self.host));
        assert_eq!(htlc.id(), u64::from(self.next_peer_counter()), "the id is the counter");
        assert!(htlc.tlvs().is_empty(), "nothing was to be blinded: {:02x?}", htlc.tlvs());
        self.peer.push(Update::Add(htlc));
    }

    fn on_fulfill(&mut self, body: &[u8]) {
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
        self.peer.push(Update::Fulfill { id, preimage });
    }

    /// Only an HTLC that both have signed may be failed (docs/protocol.md section 3.5).
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

    /// Follows docs/protocol.md section 3.4, rules a to e.
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

    /// Takes over a state that both have signed: the host's adds and fails count from now on.
    fn adopt(&mut self, next: State) {
        let before = self.state.replace(next).unwrap();
        self.own.clear();
        for update in self.peer.drain(..) {
            match update {
                Update::Add(htlc) => self.arrived.push_back(htlc),
                Update::Fulfill { .. } => {}
                Update::Fail { id, reason } => {
                    let htlc = before.outgoing.iter().find(|htlc| htlc.id() == id).unwrap();
                    self.failures.insert(htlc.payment_hash(), reason);
                }
            }
        }
    }

    pub(super) fn update(&mut self, update: Update) {
        self.send_update(&update);
        self.own.push(update);
        self.send_state_update();
    }

    pub(super) fn send_update(&self, update: &Update) {
        match update {
            Update::Add(htlc) => self.connection.send(UPDATE_ADD_HTLC, htlc.0.clone()),
            Update::Fulfill { id, preimage } => {
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
    /// the legacy peers, repeat their signature, which the host must ignore; a modern peer does
    /// not.
    pub(super) fn send_state_update(&mut self) {
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

    /// Returns the state after all updates of both, signed by us.
    fn next_state(&self) -> State {
        let mut next = self.state().after(&self.own, &self.peer);
        next.block_day = self.block_day;
        next.sign(&self.key);
        next
    }

    pub(super) fn next_own_counter(&self) -> u32 {
        self.state().local_updates + u32::try_from(self.own.len()).unwrap() + 1
    }

    fn next_peer_counter(&self) -> u32 {
        self.state().remote_updates + u32::try_from(self.peer.len()).unwrap() + 1
    }
}

/// The body of `state_update`.
pub(super) struct StateUpdate {
    pub(super) block_day: u32,
    pub(super) local_updates: u32,
    pub(super) remote_updates: u32,
    pub(super) signature: [u8; 64],
}

impl StateUpdate {
    pub(super) fn read(body: &[u8]) -> Self {
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
