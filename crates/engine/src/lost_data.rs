//! What is not guessed when our data may be an old copy: a restored backup looks like a restart,
//! until a peer shows a state we signed and do not know (docs/recovery.md).

use std::collections::BTreeSet;

use steward_hosted::{Channel, Command, Role};
use steward_wire::{
    ErrorCode, IncomingHtlcId, LinkId, NodeId, OutgoingHtlcId, PaymentHash, PaymentId, impossible,
};

use crate::engine::Engine;
use crate::io::Level;
use crate::row::Origin;

/// What waits for the peers to confirm that our data is the newest there is.
#[derive(Debug, Default)]
pub(crate) struct Confirmation {
    /// Channels with our hosts whose state was not compared since the start.
    awaited: BTreeSet<LinkId>,
    /// Payments found at start that have, or may have, never left us.
    unsent: BTreeSet<PaymentId>,
}

impl Engine {
    /// At start: payments without an HTLC never left us, unless they left after this copy of the
    /// data was made. They end when every host of ours has confirmed its state.
    pub(crate) fn await_confirmation(&mut self) {
        for (payment, _) in self.unsent_payments() {
            if !self.payments.is_outcome_unknown(&payment) {
                self.confirmation.unsent.insert(payment);
            }
        }
        if self.confirmation.unsent.is_empty() {
            return;
        }
        // Only our own hosts: no client may keep our payments open by staying away.
        let hosts = self.channels.iter().filter(|(link, entry)| {
            let is_open = entry.channel.state().is_some() && !self.is_suspended(link);
            is_open && entry.channel.role() == Role::Client
        });
        self.confirmation.awaited = hosts.map(|(link, _)| *link).collect();
        self.end_unsent_if_confirmed();
    }

    /// Both sides hold the same state.
    pub(crate) fn state_confirmed(&mut self, link: LinkId) {
        if self.confirmation.awaited.remove(&link) {
            self.end_unsent_if_confirmed();
        }
    }

    /// Suspended before the states were compared, or because they differ.
    pub(crate) fn suspended_at_start(&mut self, link: LinkId, code: Option<u16>) {
        let channel = self.channels.get(&link).map(|entry| &entry.channel);
        let suspension = channel.and_then(Channel::suspension);
        let states_differ = ErrorCode::MissingChannel.number();
        // A peer's word alone stops no HTLC of others.
        if suspension.is_some_and(|own| own.by_us && own.code == Some(states_differ)) {
            self.hold_forwards_to(link);
        }
        if !self.confirmation.awaited.remove(&link) {
            return;
        }
        if code == Some(states_differ) {
            self.give_up_knowing();
        }
        self.end_unsent_if_confirmed();
    }

    /// A peer shows what we signed and do not know.
    pub(crate) fn data_lost(&mut self, link: LinkId, peer: NodeId) {
        let text = "our data is older than the peer's: the peer's state, signed by us, is taken";
        self.batch.log(Level::Error, "data_lost", peer, text);
        self.give_up_knowing();
        self.hold_forwards_to(link);
    }

    /// True if payments found at start wait until the states of this channel were compared.
    pub(crate) fn awaits_state_of(&self, link: &LinkId) -> bool {
        self.confirmation.awaited.contains(link)
    }

    /// HTLCs found at start that seem never to have been offered in this channel.
    fn hold_forwards_to(&mut self, next: LinkId) {
        let waiting = self.deferred.iter().filter(|(_, to)| **to == Some(next));
        let held: Vec<IncomingHtlcId> = waiting.map(|(key, _)| *key).collect();
        for key in held {
            self.deferred.remove(&key);
            self.hold_unknown_forward(key);
        }
    }

    /// Whether it was carried on, and with what success, is for people to find out.
    pub(crate) fn hold_unknown_forward(&mut self, key: IncomingHtlcId) {
        // What the HTLC came in may have been overridden, and forgotten, since.
        let Some(entry) = self.channels.get(&key.link) else { return };
        let peer = entry.channel.remote();
        if !entry.channel.incoming_htlcs().any(|htlc| htlc.htlc.id == key.id) {
            return;
        }
        let text = format!("HTLC {} may have been forwarded before our data was lost", key.id);
        self.batch.log(Level::Error, "forward_unknown", peer, text);
        if let Some(Err(refusal)) = self.drive_command(key.link, Command::Suspend) {
            impossible!("a channel with an HTLC is open: {refusal}");
        }
    }

    /// An own HTLC ended in the time we know nothing of: it was paid or it was not. What it came
    /// from is held, for a preimage may turn up.
    pub(crate) fn outcome_unknown(&mut self, key: OutgoingHtlcId) {
        let peer = self.peer_of(&key.link);
        let text = format!("HTLC {} ended before our data was restored, nobody knows how", key.id);
        self.batch.log(Level::Error, "htlc_outcome_unknown", peer, text);
        match self.origins.get(&key).copied() {
            // Its part stays pending. The id may come to stand for another HTLC.
            Some(Origin::Payment { payment, .. }) => {
                self.end_origin(&key);
                self.mark_outcome_unknown(payment);
            }
            Some(Origin::Forward(incoming)) if self.is_out(&key) => {
                // It does already.
                self.end_origin(&key);
                self.hold_unknown_forward(incoming);
            }
            Some(Origin::Forward(_)) | None => {}
        }
    }

    /// Forwards with this hash that are held since we missed how they ended, by the HTLC we
    /// offered.
    pub(crate) fn held_forwards(&self, hash: &PaymentHash) -> Vec<OutgoingHtlcId> {
        let has_hash = |key: &IncomingHtlcId| {
            self.channels.get(&key.link).is_some_and(|entry| {
                let mut incoming = entry.channel.incoming_htlcs();
                incoming.any(|htlc| htlc.htlc.id == key.id && htlc.htlc.payment_hash == *hash)
            })
        };
        let is_held = |(key, origin): &(&OutgoingHtlcId, &Origin)| match origin {
            Origin::Forward(incoming) => has_hash(incoming) && !self.is_out(key),
            Origin::Payment { .. } => false,
        };
        self.origins.iter().filter(is_held).map(|(key, _)| *key).collect()
    }

    /// People have agreed on what the HTLCs of this channel were worth.
    pub(crate) fn forget_held_forwards(&mut self, link: &LinkId) {
        let is_held = |(key, origin): &(&OutgoingHtlcId, &Origin)| {
            matches!(origin, Origin::Forward(incoming) if incoming.link == *link)
                && !self.is_out(key)
        };
        let held: Vec<OutgoingHtlcId> =
            self.origins.iter().filter(is_held).map(|(key, _)| *key).collect();
        for key in held {
            if let Some(Origin::Forward(incoming)) = self.end_origin(&key) {
                self.close_forward(incoming, false);
            }
        }
    }

    /// True if an HTLC that we offered is in its channel.
    pub(crate) fn is_out(&self, key: &OutgoingHtlcId) -> bool {
        self.channels
            .get(&key.link)
            .is_some_and(|entry| entry.channel.outgoing_htlcs().any(|htlc| htlc.htlc.id == key.id))
    }

    /// Payments that seemed never to have left may have left, and arrived, after all.
    fn give_up_knowing(&mut self) {
        for payment in std::mem::take(&mut self.confirmation.unsent) {
            self.mark_outcome_unknown(payment);
        }
        self.confirmation.awaited.clear();
    }

    fn end_unsent_if_confirmed(&mut self) {
        if !self.confirmation.awaited.is_empty() {
            return;
        }
        let unsent = std::mem::take(&mut self.confirmation.unsent);
        for (payment, parts) in self.unsent_payments() {
            if !unsent.contains(&payment) {
                continue;
            }
            for part in parts {
                self.part_lost(payment, part);
            }
            self.retry_or_end(payment);
        }
    }

    /// Pending payments of which no part, or not every part, has an HTLC; with those parts.
    fn unsent_payments(&self) -> Vec<(PaymentId, Vec<u32>)> {
        let sent: BTreeSet<Origin> = self.origins.values().copied().collect();
        let unsent =
            self.payments.pending_parts().into_iter().filter_map(|(payment, mut parts)| {
                let has_parts = !parts.is_empty();
                parts.retain(|part| !sent.contains(&Origin::Payment { payment, part: *part }));
                (!has_parts || !parts.is_empty()).then_some((payment, parts))
            });
        unsent.collect()
    }
}
