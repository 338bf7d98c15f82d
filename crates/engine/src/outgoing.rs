//! An HTLC that we offer, from the moment its channel takes it to its end: its origin is stored in
//! the commit that assigns its id, and learns how it ended.

use steward_hosted::{AddRefusal, AddToken, DropCause, Failure as ChannelFailure};
use steward_onion::Failure;
use steward_wire::{LinkId, OutgoingHtlcId, Preimage, impossible};

use crate::engine::Engine;
use crate::io::Level;
use crate::row::{Origin, Row, RowKey};

impl Engine {
    /// A token stands for an HTLC until its channel gives it an id.
    pub(crate) fn new_token(&mut self, origin: Origin) -> AddToken {
        self.last_token += 1;
        let token = AddToken(self.last_token);
        self.unsent.insert(token, origin);
        token
    }

    /// An own HTLC is on its way: remember where it came from, in the same commit.
    pub(crate) fn htlc_added(&mut self, token: AddToken, key: OutgoingHtlcId) {
        let Some(origin) = self.unsent.remove(&token) else {
            return impossible!("an HTLC that was offered has an origin");
        };
        self.search.offered(key, self.height);
        let displaced = self.origins.insert(key, origin);
        self.batch.writes.put(Row::Origin(key, origin));
        // The id was another HTLC's, which was lost with our data.
        if let Some(Origin::Forward(held)) = displaced {
            self.hold_unknown_forward(held);
        }
    }

    /// An own HTLC was never sent, so its origin may be told so at once.
    pub(crate) fn htlc_refused(&mut self, token: AddToken, link: LinkId, reason: AddRefusal) {
        match self.unsent.remove(&token) {
            Some(Origin::Forward(key)) => {
                let failure = self.failure_of_refusal(&link, &reason, &key);
                self.fail_forward(key, failure);
            }
            Some(Origin::Payment { payment, part }) => {
                self.part_refused(payment, part, reason);
            }
            None => {}
        }
    }

    /// The preimage of an own HTLC: claim what it came from, at once.
    pub(crate) fn htlc_fulfilled(&mut self, key: OutgoingHtlcId, preimage: Preimage, tlvs: &[u8]) {
        self.learn(preimage);
        match self.end_origin(&key) {
            Some(Origin::Forward(incoming)) => {
                let hop = self.close_forward(incoming, true).map(|forward| forward.hop);
                self.settle(incoming, self.fulfill_of(&incoming, preimage, hop, tlvs));
            }
            Some(Origin::Payment { payment, part }) => {
                self.part_paid(payment, part, preimage, tlvs);
            }
            // Told again after a reconnect, when the first time settled it; or offered in a time
            // we know nothing of.
            None => self.payment_proved(preimage),
        }
    }

    /// An own HTLC failed and its removal is cross-signed.
    pub(crate) fn htlc_failed(&mut self, key: OutgoingHtlcId, failure: ChannelFailure) {
        match self.end_origin(&key) {
            Some(Origin::Forward(incoming)) => self.pass_failure_back(incoming, failure),
            Some(Origin::Payment { payment, part }) => {
                self.part_failed(payment, part, Some(&failure));
            }
            None => {}
        }
    }

    /// An own HTLC is dead without an answer from the peer.
    pub(crate) fn htlc_dropped(&mut self, key: OutgoingHtlcId, cause: DropCause) {
        if cause == DropCause::NewerState {
            return self.outcome_unknown(key);
        }
        let peer = self.peer_of(&key.link);
        let text = format!("HTLC {} ended without an answer: {cause:?}", key.id);
        self.batch.log(Level::Warn, "htlc_dropped", peer, text);
        match self.end_origin(&key) {
            Some(Origin::Forward(incoming)) => {
                self.fail_forward(incoming, Failure::permanent_channel_failure());
            }
            Some(Origin::Payment { payment, part }) => {
                self.part_failed(payment, part, None);
            }
            None => {}
        }
    }

    pub(crate) fn end_origin(&mut self, key: &OutgoingHtlcId) -> Option<Origin> {
        self.search.ended(key);
        let origin = self.origins.remove(key)?;
        self.batch.writes.delete(RowKey::Origin(*key));
        Some(origin)
    }
}
