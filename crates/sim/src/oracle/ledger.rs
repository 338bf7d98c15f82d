//! Rule 6 over time: the balance of each new state follows from the one before and from what
//! became of its HTLCs, and from nothing else.

use steward_hosted::{Channel, Role};
use steward_htlc::{IncomingHtlcId, IncomingSettlement, OutgoingHtlcId};
use steward_wire::{LastCrossSignedState, LinkId, UpdateAddHtlc};

use super::{Oracles, Rule, Violation};

impl Oracles {
    /// A durable state followed another: books what became of every HTLC.
    pub(super) fn htlcs_ended(
        &mut self,
        node: usize,
        link: LinkId,
        before: Option<&Channel>,
        now: &Channel,
        is_peer_hostile: bool,
    ) -> Result<(), Violation> {
        let (Some(before), Some(after)) = (before, now.state()) else { return Ok(()) };
        let Some(was) = before.state() else { return Ok(()) };
        let new_out = without(&after.outgoing_htlcs, &was.outgoing_htlcs);
        let new_in = without(&after.incoming_htlcs, &was.incoming_htlcs);
        let gone_out = without(&was.outgoing_htlcs, &after.outgoing_htlcs);
        let gone_in = without(&was.incoming_htlcs, &after.incoming_htlcs);
        self.htlc_steps += (new_out.len() + new_in.len() + gone_out.len() + gone_in.len()) as u64;

        let mut expected_msat = i128::from(was.local_balance_msat) + growth(now.role(), was, after);
        expected_msat -= sum(&new_out);
        let mut is_by_chain = false;
        for add in gone_out {
            let is_paid = self.was_paid(node, link, before, add);
            is_by_chain |= is_paid
                && !self.books[node].shown.contains_key(&OutgoingHtlcId { link, id: add.id });
            self.books[node].ended_out.insert(OutgoingHtlcId { link, id: add.id }, is_paid);
            expected_msat += if is_paid { 0 } else { i128::from(add.amount_msat) };
        }
        for add in gone_in {
            let key = IncomingHtlcId { link, id: add.id };
            let is_credited = self.books[node].given.contains(&key);
            self.books[node].ended_in.insert(key, is_credited);
            expected_msat += if is_credited { i128::from(add.amount_msat) } else { 0 };
        }
        expected_msat -= i128::from(self.never_signed(node, link, before, now));
        let balance_msat = i128::from(after.local_balance_msat);
        // An attacker may fail what it was shown to have claimed: its own loss. And who sees a preimage
        // on chain takes it for the claim of its HTLC, though it may have been another's of the
        // same hash: who gives such an HTLC back gives what was theirs.
        let may_be_given = is_peer_hostile || before.suspension().is_some() || is_by_chain;
        let is_gift = may_be_given && balance_msat > expected_msat;
        if balance_msat != expected_msat && !is_gift {
            let text = format!(
                "its balance is {} msat after {}/{}, its HTLCs make it {expected_msat} msat",
                after.local_balance_msat, after.local_updates, after.remote_updates
            );
            return Err(Violation::new(Rule::MoneyIsConserved, node, text));
        }
        Ok(())
    }

    /// Own HTLCs that came and went between two states: paid with the peer's very first
    /// signature on them, or dropped. Returns what was paid, in millisatoshi.
    fn never_signed(&mut self, node: usize, link: LinkId, before: &Channel, now: &Channel) -> u64 {
        let is_in = |channel: &Channel, id: u64| {
            channel.state().is_some_and(|s| s.outgoing_htlcs.iter().any(|add| add.id == id))
        };
        let mut paid_msat = 0;
        for htlc in before.outgoing_htlcs() {
            let id = htlc.htlc.id;
            let is_left = now.outgoing_htlcs().any(|left| left.htlc.id == id);
            if is_left || is_in(before, id) || is_in(now, id) {
                continue;
            }
            let is_paid = self.was_paid(node, link, before, htlc.htlc);
            self.books[node].ended_out.insert(OutgoingHtlcId { link, id }, is_paid);
            paid_msat += if is_paid { htlc.htlc.amount_msat } else { 0 };
        }
        paid_msat
    }

    /// The peer, or the chain, showed the preimage.
    pub(super) fn was_paid(
        &self,
        node: usize,
        link: LinkId,
        before: &Channel,
        add: &UpdateAddHtlc,
    ) -> bool {
        if is_given_up(before, add.id) {
            return false; // A preimage that comes later claims nothing.
        }
        let key = OutgoingHtlcId { link, id: add.id };
        let shown = self.books[node].shown.get(&key);
        let is_shown = shown.is_some_and(|preimage| preimage.hash() == add.payment_hash);
        let is_known =
            before.outgoing_htlcs().any(|htlc| htlc.htlc.id == add.id && htlc.preimage.is_some());
        is_shown || is_known
    }

    /// Returns the balance of a channel if everything ended as this side knows, in millisatoshi.
    pub(crate) fn fair_balance_msat(&self, node: usize, link: LinkId, channel: &Channel) -> u64 {
        let Some(state) = channel.state() else { return 0 };
        let mut msat = state.local_balance_msat;
        for add in &state.outgoing_htlcs {
            if !self.was_paid(node, link, channel, add) {
                msat += add.amount_msat;
            }
        }
        // Paid before the peer's signature on them arrived.
        for htlc in channel.outgoing_htlcs() {
            let is_signed = state.outgoing_htlcs.iter().any(|add| add.id == htlc.htlc.id);
            if !is_signed && self.was_paid(node, link, channel, htlc.htlc) {
                msat = msat.saturating_sub(htlc.htlc.amount_msat);
            }
        }
        for htlc in channel.incoming_htlcs() {
            let is_given = matches!(htlc.settlement, Some(IncomingSettlement::Fulfill(_)));
            msat += if is_given { htlc.htlc.amount_msat } else { 0 };
        }
        msat
    }
}

/// Expired, and failed back for good, although it is still in the signed state.
pub(super) fn is_given_up(channel: &Channel, id: u64) -> bool {
    let is_signed =
        channel.state().is_some_and(|s| s.outgoing_htlcs.iter().any(|add| add.id == id));
    is_signed && channel.outgoing_htlcs().all(|htlc| htlc.htlc.id != id)
}

/// A resize gives the host what the capacity gains.
fn growth(role: Role, was: &LastCrossSignedState, now: &LastCrossSignedState) -> i128 {
    let capacity =
        |s: &LastCrossSignedState| i128::from(s.init_hosted_channel.channel_capacity_msat);
    if role == Role::Host { capacity(now) - capacity(was) } else { 0 }
}

fn without<'a>(htlcs: &'a [UpdateAddHtlc], known: &[UpdateAddHtlc]) -> Vec<&'a UpdateAddHtlc> {
    htlcs.iter().filter(|add| known.iter().all(|known| known.id != add.id)).collect()
}

fn sum(htlcs: &[&UpdateAddHtlc]) -> i128 {
    htlcs.iter().map(|add| i128::from(add.amount_msat)).sum()
}
