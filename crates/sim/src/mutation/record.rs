//! Changes a channel's record behind the engine's back.

use bitcoin::secp256k1::SecretKey;
use steward_hosted::Channel;
use steward_wire::codec::{Reader, Wire as _, put_var_u16};
use steward_wire::{LastCrossSignedState, Message, UpdateFailHtlc, UpdateFulfillHtlc};

/// Version, role and two node ids come before the sections.
const HEAD_BYTES: usize = 1 + 1 + 33 + 33;
const STATE: usize = 1;
const OWN_UPDATES: usize = 2;
const OUTCOMES: usize = 4;
const OWN_ERROR: usize = 5;
const PEER_ERROR: usize = 6;

/// The mark of an outcome.
const FULFILLED: u8 = 1;

/// A record, taken apart.
pub(super) struct Record {
    head: Vec<u8>,
    sections: Vec<Vec<u8>>,
}

impl Record {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let head = reader.take(HEAD_BYTES).ok()?.to_vec();
        let mut sections = Vec::new();
        while reader.remaining() > 0 {
            let len = reader.u32().ok()?;
            sections.push(reader.take(len as usize).ok()?.to_vec());
        }
        Some(Self { head, sections })
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head.clone();
        for section in &self.sections {
            bytes.extend_from_slice(&(section.len() as u32).to_be_bytes());
            bytes.extend_from_slice(section);
        }
        bytes
    }

    pub(super) fn suspend(&mut self) {
        let mut error = vec![0, 8];
        put_var_u16(&mut error, b"injected");
        self.sections[OWN_ERROR] = error;
    }

    pub(super) fn forget_suspension(&mut self) {
        self.sections[OWN_ERROR].clear();
        self.sections[PEER_ERROR].clear();
    }

    /// Changes the signed state.
    pub(super) fn edit_state(&mut self, edit: impl FnOnce(&mut LastCrossSignedState)) {
        if let Ok(mut state) = LastCrossSignedState::decode(&self.sections[STATE]) {
            edit(&mut state);
            self.sections[STATE] = state.encode();
        }
    }

    /// Both sides sign whatever the state says now.
    pub(super) fn sign(&mut self, ours: &SecretKey, theirs: &SecretKey) {
        self.edit_state(|state| {
            state.remote_sig_of_local = state.reverse().sign_remote(theirs);
            state.local_sig_of_remote = state.sign_remote(ours);
        });
    }

    /// Turns our unsigned fulfills into fails.
    pub(super) fn fail_what_is_fulfilled(&mut self) {
        let (mut updates, mut left) = (Vec::new(), Reader::new(&self.sections[OWN_UPDATES]));
        while let (Ok(message_type), Ok(len)) = (left.u16(), left.u32()) {
            let Ok(body) = left.take(len as usize) else { return };
            let (message_type, body) = match Message::decode(message_type, body) {
                Ok(Message::UpdateFulfillHtlc(fulfill)) => failing(&fulfill).encode(),
                _ => (message_type, body.to_vec()),
            };
            updates.extend_from_slice(&message_type.to_be_bytes());
            updates.extend_from_slice(&(body.len() as u32).to_be_bytes());
            updates.extend_from_slice(&body);
        }
        self.sections[OWN_UPDATES] = updates;
    }

    /// Turns own HTLCs that were given up at their expiry into fulfilled ones.
    pub(super) fn fulfill_what_expired(&mut self) {
        let (mut outcomes, mut left) = (Vec::new(), Reader::new(&self.sections[OUTCOMES]));
        while let (Ok(id), Ok(kind)) = (left.u64(), left.u8()) {
            let preimage = match kind {
                FULFILLED => left.take(32).unwrap_or_default(),
                _ => &[0; 32],
            };
            outcomes.extend_from_slice(&id.to_be_bytes());
            outcomes.push(FULFILLED);
            outcomes.extend_from_slice(preimage);
        }
        self.sections[OUTCOMES] = outcomes;
    }

    /// Replaces these bytes wherever they stand.
    pub(super) fn replace(&mut self, old: &[u8; 32], new: &[u8; 32]) {
        for section in &mut self.sections {
            for start in 0..section.len().saturating_sub(31) {
                if section[start..start + 32] == old[..] {
                    section[start..start + 32].copy_from_slice(new);
                }
            }
        }
    }
}

fn failing(fulfill: &UpdateFulfillHtlc) -> Message {
    Message::UpdateFailHtlc(UpdateFailHtlc {
        channel_id: fulfill.channel_id,
        id: fulfill.id,
        reason: vec![0; 292],
        tlvs: Vec::new(),
    })
}

/// True if the channel gave up an HTLC that is still in its state.
pub(super) fn has_expired_htlc(channel: &Channel) -> bool {
    let signed = channel.state().map_or(0, |state| state.outgoing_htlcs.len());
    let is_in_state = |id: u64| {
        channel.state().is_some_and(|state| state.outgoing_htlcs.iter().any(|add| add.id == id))
    };
    channel.outgoing_htlcs().filter(|htlc| is_in_state(htlc.htlc.id)).count() < signed
}
