//! Attacks with HTLCs: adds that no peer may make, settlements that settle nothing, and routes that
//! cheat.

use steward_engine::io::RoutedPart;
use steward_wire::limits::ONION_BYTES;
use steward_wire::{
    Message, Onion, PaymentHash, Preimage, UpdateAddHtlc, UpdateFailHtlc, UpdateFailMalformedHtlc,
    UpdateFulfillHtlc,
};

use super::attack::Attack;
use super::message_forge::MessageForge;
use crate::rng::Rng;

/// Set in a failure code that says an onion could not be read (BOLT4).
const BADONION: u16 = 0x8000;
/// More adds than any terms of the simulation allow.
const MANY_ADDS: u64 = 40;
/// An expiry that is neither past nor too far away, in blocks of the simulated chain.
const USUAL_EXPIRY: u32 = crate::chain::START_HEIGHT + 500;

impl MessageForge<'_> {
    pub(super) fn with_other_id(
        &mut self,
        attack: Attack,
        message: &Message,
    ) -> Option<Vec<Message>> {
        let Message::UpdateAddHtlc(add) = message else { return None };
        let back = self.rng.below(add.id + 1);
        let ahead = self.rng.pick(&[1, 2, 1 << 32, u64::MAX - add.id]).unwrap_or(1);
        let id = if attack == Attack::UsedId { add.id - back.max(1) } else { add.id + ahead };
        Some(vec![Message::UpdateAddHtlc(UpdateAddHtlc { id, ..add.clone() })])
    }

    /// Adds that break the terms, before the signature that would cover them.
    pub(super) fn extra_adds(&mut self, attack: Attack, message: &Message) -> Option<Vec<Message>> {
        if !matches!(message, Message::StateUpdate(_)) {
            return None;
        }
        let channel = self.channel?;
        let state = channel.state()?;
        let first_id = u64::from(state.local_updates) + channel.unsigned_updates().0 as u64 + 1;
        let (count, amount_msat) = match attack {
            Attack::Overspend => {
                let above_msat = self.rng.pick(&[1, 1000, 1 << 40, (1 << 63) - 1]).unwrap_or(1);
                (1, state.local_balance_msat.saturating_add(above_msat).min((1 << 63) - 1))
            }
            Attack::TooSmall => (1, self.rng.below(1000)),
            _ => (MANY_ADDS, 1000),
        };
        let mut told: Vec<Message> =
            (0..count).map(|number| self.add(first_id + number, amount_msat)).collect();
        told.push(message.clone());
        Some(told)
    }

    pub(super) fn add(&mut self, id: u64, amount_msat: u64) -> Message {
        Message::UpdateAddHtlc(UpdateAddHtlc {
            channel_id: steward_wire::ChannelId::of_pair(&self.plan.client_id, &self.plan.host_id),
            id,
            amount_msat,
            payment_hash: PaymentHash(self.rng.bytes32()),
            cltv_expiry: USUAL_EXPIRY,
            onion: Onion(garbage_onion(self.rng).into()),
            tlvs: Vec::new(),
        })
    }

    pub(super) fn other_settlement(
        &mut self,
        attack: Attack,
        message: &Message,
    ) -> Option<Vec<Message>> {
        let id = match message {
            Message::UpdateFulfillHtlc(fulfill) => fulfill.id,
            Message::UpdateFailHtlc(fail) => fail.id,
            Message::UpdateFailMalformedHtlc(fail) => fail.id,
            _ => return None,
        };
        match attack {
            Attack::WrongPreimage => {
                let preimage = Preimage(self.rng.bytes32());
                Some(vec![self.fulfill(id, preimage)])
            }
            Attack::BadFailure => Some(vec![self.bad_failure(id)]),
            _ => {
                let second = if self.rng.chance(500) { message.clone() } else { self.fail(id) };
                Some(vec![message.clone(), second])
            }
        }
    }

    pub(super) fn fulfill(&mut self, id: u64, preimage: Preimage) -> Message {
        let channel_id = steward_wire::ChannelId::of_pair(&self.plan.client_id, &self.plan.host_id);
        Message::UpdateFulfillHtlc(UpdateFulfillHtlc { channel_id, id, preimage, tlvs: Vec::new() })
    }

    /// Well formed, with a reason that cannot be read.
    pub(super) fn fail(&mut self, id: u64) -> Message {
        if self.rng.chance(500) {
            return self.malformed(id, BADONION | 5);
        }
        let reason = self.rng.bytes32().to_vec();
        self.fail_with(id, reason)
    }

    fn bad_failure(&mut self, id: u64) -> Message {
        match self.rng.below(3) {
            0 => self.fail_with(id, Vec::new()),
            1 => self.fail_with(id, vec![1; 60_000]),
            _ => self.malformed(id, 5),
        }
    }

    fn fail_with(&self, id: u64, reason: Vec<u8>) -> Message {
        let channel_id = steward_wire::ChannelId::of_pair(&self.plan.client_id, &self.plan.host_id);
        Message::UpdateFailHtlc(UpdateFailHtlc { channel_id, id, reason, tlvs: Vec::new() })
    }

    fn malformed(&mut self, id: u64, failure_code: u16) -> Message {
        Message::UpdateFailMalformedHtlc(UpdateFailMalformedHtlc {
            channel_id: steward_wire::ChannelId::of_pair(&self.plan.client_id, &self.plan.host_id),
            id,
            sha256_of_onion: self.rng.bytes32(),
            failure_code,
            tlvs: Vec::new(),
        })
    }
}

/// One part of a payment that is not what its onion, or the forwarders' policy, asks for.
pub(super) fn cheat(part: &mut RoutedPart, rng: &mut Rng) {
    match rng.below(6) {
        0 => part.amount_msat = part.amount_msat.saturating_sub(rng.between(1, 2000)).max(1000),
        1 => part.cltv_expiry = part.cltv_expiry.saturating_sub(rng.between(1, 400) as u32),
        2 => part.cltv_expiry += rng.between(1, 1500) as u32,
        3 => *part.onion = *garbage_onion(rng),
        4 => part.amount_msat = part.amount_msat.saturating_mul(3),
        _ => part.session_key = rng.bytes32(),
    }
}

/// Bytes of an onion's length; half of them with a version and a key that could be right.
fn garbage_onion(rng: &mut Rng) -> Box<[u8; ONION_BYTES]> {
    let mut bytes = Box::new([0; ONION_BYTES]);
    for chunk in bytes.chunks_mut(32) {
        chunk.copy_from_slice(&rng.bytes32()[..chunk.len()]);
    }
    if rng.chance(500) {
        bytes[..2].copy_from_slice(&[0, 2]);
    }
    bytes
}
