//! Rules 3, 4, 5, 9 and 10 where HTLCs pass through a node: what is offered on, what is failed
//! back, and that each answer belongs to its own HTLC.

use steward_engine::row::{Origin, PaymentStatus, Row};
use steward_hosted::Channel;
use steward_htlc::{IncomingHtlcId, IncomingSettlement, OutgoingHtlcId, Settlement};
use steward_wire::{LinkId, PaymentId, Preimage, UpdateAddHtlc};

use super::{Oracles, Rule, Violation};
use crate::chain::Chain;
use crate::disk::Disk;
use crate::node::Batch;
use crate::topology::Topology;

/// No policy goes below this distance between two expiries, in blocks.
const LEAST_CLTV_DELTA_BLOCKS: u32 = 34;

impl Oracles {
    /// New HTLCs of ours, each with where it comes from.
    pub(super) fn origins_written(
        &mut self,
        node: usize,
        batch: &Batch,
        disk: &Disk,
        topology: &Topology,
    ) -> Result<(), Violation> {
        for row in batch.writes.puts() {
            let Row::Origin(out, origin) = row else { continue };
            // An id that the peer never saw may come again, for another HTLC.
            let books = &mut self.books[node];
            books.origins.insert(*out, *origin);
            books.ended_out.remove(out);
            books.shown.remove(out);
            if let Origin::Forward(incoming) = origin {
                if batch.tip_was_stale {
                    let text = "an HTLC was forwarded on a stale tip";
                    return Err(Violation::new(Rule::HeightIsTrue, node, text));
                }
                self.forwarded(node, *incoming, *out, disk, topology)?;
            }
        }
        Ok(())
    }

    fn forwarded(
        &mut self,
        node: usize,
        incoming: IncomingHtlcId,
        out: OutgoingHtlcId,
        disk: &Disk,
        topology: &Topology,
    ) -> Result<(), Violation> {
        let broken = |text: String| Err(Violation::new(Rule::ForwardedByPolicy, node, text));
        let earlier = self.books[node].offered.insert(incoming, out);
        if earlier.is_some_and(|earlier| earlier != out) {
            return broken(format!("HTLC {} was offered on twice", incoming.id));
        }
        let Some(add_in) = signed_incoming(disk, &incoming) else {
            return broken(format!("HTLC {} was offered on before both signed it", incoming.id));
        };
        let Some(add_out) = outgoing(disk, &out) else { return Ok(()) };
        let policy = &topology.policies[node];
        let fee_msat = policy.fee_msat(add_out.amount_msat).unwrap_or(u64::MAX);
        if add_in.amount_msat < add_out.amount_msat.saturating_add(fee_msat) {
            return broken(format!(
                "{} msat came in, {} msat went out, the fee is {fee_msat}",
                add_in.amount_msat, add_out.amount_msat
            ));
        }
        let delta = u32::from(policy.cltv_expiry_delta_blocks).max(LEAST_CLTV_DELTA_BLOCKS);
        if add_out.cltv_expiry.saturating_add(delta) > add_in.cltv_expiry {
            let (a, b) = (add_in.cltv_expiry, add_out.cltv_expiry);
            return broken(format!("expires at {a} in and at {b} out, with a delta of {delta}"));
        }
        if add_in.payment_hash != add_out.payment_hash {
            return broken("another payment hash went out than came in".to_owned());
        }
        Ok(())
    }

    /// Incoming HTLCs whose end was decided in this batch.
    pub(super) fn settlements_decided(
        &mut self,
        node: usize,
        batch: &Batch,
        changed: &[(LinkId, Option<Channel>)],
        disk: &Disk,
        chain: &Chain,
    ) -> Result<(), Violation> {
        let mut failed = Vec::new();
        for row in batch.writes.puts() {
            match row {
                Row::Outbox(key, Settlement::Fail(_)) => failed.push(*key),
                Row::Outbox(key, Settlement::Fulfill { preimage, .. }) => {
                    if let Some(add) = signed_incoming(disk, key) {
                        own_preimage(node, add, preimage)?;
                    }
                }
                _ => {}
            }
        }
        for (link, _) in changed {
            let Some(channel) = disk.channel(link) else { continue };
            for htlc in channel.incoming_htlcs() {
                let key = IncomingHtlcId { link: *link, id: htlc.htlc.id };
                match htlc.settlement {
                    Some(IncomingSettlement::Fail) => failed.push(key),
                    Some(IncomingSettlement::Fulfill(preimage)) => {
                        own_preimage(node, htlc.htlc, &preimage)?;
                        self.books[node].given.insert(key);
                    }
                    None => {}
                }
            }
        }
        for key in failed {
            if self.books[node].failed.insert(key) {
                self.may_fail(node, key, disk, chain)?;
            }
        }
        Ok(())
    }

    fn may_fail(
        &self,
        node: usize,
        key: IncomingHtlcId,
        disk: &Disk,
        chain: &Chain,
    ) -> Result<(), Violation> {
        let Some(add) = signed_incoming(disk, &key) else { return Ok(()) };
        if self.books[node].given.contains(&key) {
            let text = format!("HTLC {} is failed although its preimage was given", key.id);
            return Err(Violation::new(Rule::PreimageKept, node, text));
        }
        let Some(out) = self.books[node].offered.get(&key) else { return Ok(()) };
        // After an override its id may stand for another HTLC in the same batch.
        if self.books[node].origins.get(out) != Some(&Origin::Forward(key)) {
            return Ok(());
        }
        let shown = self.books[node].shown.get(out);
        if shown.is_some_and(|preimage| preimage.hash() == add.payment_hash) {
            let text = format!("HTLC {} is failed although its preimage was learned", key.id);
            return Err(Violation::new(Rule::PreimageKept, node, text));
        }
        if outgoing(disk, out).is_some() {
            let text = format!("HTLC {} is failed while it is still out", key.id);
            return Err(Violation::new(Rule::FailedOnProof, node, text));
        }
        self.may_give_up(node, out, disk, chain)
    }

    /// A part of a payment ends as its own HTLC did.
    pub(super) fn parts_follow_htlcs(
        &self,
        node: usize,
        batch: &Batch,
        disk: &Disk,
        chain: &Chain,
    ) -> Result<(), Violation> {
        for row in batch.writes.puts() {
            let Row::Part(row) = row else { continue };
            let origin = Origin::Payment { payment: row.payment, part: row.part };
            let books = &self.books[node];
            // The latest HTLC of that name: an earlier attempt's part may have had the same number.
            let out = books
                .origins
                .iter()
                .rev()
                .find(|(out, known)| **known == origin && out.link == row.link);
            let Some((out, _)) = out else { continue };
            let is_paid = books
                .shown
                .get(out)
                .is_some_and(|shown| PaymentId::from(shown.hash()) == row.payment);
            let is_live = outgoing(disk, out).is_some();
            let text = match row.status {
                PaymentStatus::Complete if !is_paid && !self.is_claimed_outside(disk, out) => {
                    "paid, but its HTLC was not"
                }
                PaymentStatus::Failed if is_live => "failed, but its HTLC is still out",
                PaymentStatus::Failed => {
                    self.may_give_up(node, out, disk, chain)?;
                    continue;
                }
                _ => continue,
            };
            let text = format!("part {} of a payment is {text}", row.part);
            return Err(Violation::new(Rule::OwnOrigin, node, text));
        }
        Ok(())
    }

    /// Its preimage came from the chain.
    fn is_claimed_outside(&self, disk: &Disk, out: &OutgoingHtlcId) -> bool {
        let Some(channel) = disk.channel(&out.link) else { return false };
        channel.outgoing_htlcs().any(|htlc| htlc.htlc.id == out.id && htlc.preimage.is_some())
    }
}

fn own_preimage(node: usize, add: &UpdateAddHtlc, preimage: &Preimage) -> Result<(), Violation> {
    if preimage.hash() == add.payment_hash {
        return Ok(());
    }
    let text = format!("HTLC {} gets the preimage of another", add.id);
    Err(Violation::new(Rule::OwnOrigin, node, text))
}

fn signed_incoming<'a>(disk: &'a Disk, key: &IncomingHtlcId) -> Option<&'a UpdateAddHtlc> {
    let state = disk.channel(&key.link)?.state()?;
    state.incoming_htlcs.iter().find(|add| add.id == key.id)
}

/// An own HTLC that is out and has not expired.
pub(super) fn outgoing<'a>(disk: &'a Disk, key: &OutgoingHtlcId) -> Option<&'a UpdateAddHtlc> {
    let mut htlcs = disk.channel(&key.link)?.outgoing_htlcs();
    htlcs.find(|htlc| htlc.htlc.id == key.id).map(|htlc| htlc.htlc)
}

impl Oracles {
    /// An own HTLC without an answer: given up only if it expired unclaimed.
    fn may_give_up(
        &self,
        node: usize,
        out: &OutgoingHtlcId,
        disk: &Disk,
        chain: &Chain,
    ) -> Result<(), Violation> {
        let broken = |text: String| Err(Violation::new(Rule::FailedOnProof, node, text));
        let Some(channel) = disk.channel(&out.link) else { return Ok(()) };
        let mut signed = channel.state().into_iter().flat_map(|state| &state.outgoing_htlcs);
        let Some(expired) = signed.find(|add| add.id == out.id) else { return Ok(()) };
        // Still in the signed state: only its expiry allows this.
        if channel.suspension().is_none() {
            return broken(format!("HTLC {} expired, its channel goes on", out.id));
        }
        if chain.highest() <= expired.cltv_expiry {
            let (height, expiry) = (chain.highest(), expired.cltv_expiry);
            return broken(format!("given up at {height}, before its expiry at {expiry}"));
        }
        // What was published before it was offered is the claim of another of the same hash.
        let since = self.books[node].htlcs.offered_at.get(out).map_or(0, |height| height + 1);
        let claims = chain.preimages(since, expired.cltv_expiry);
        if claims.iter().any(|(_, preimage)| preimage.hash() == expired.payment_hash) {
            return broken(format!("HTLC {} was claimed on chain in time", out.id));
        }
        Ok(())
    }
}
