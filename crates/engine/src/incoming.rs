//! An incoming HTLC, from its cross-signed add to its settlement: who is it for, and how it is
//! answered. The answer is durable before it leaves (the outbox, design.md section 3).

use steward_hosted::Input;
use steward_onion::{Hop, IncomingHtlc, PeelError, peel};
use steward_wire::{IncomingHtlcId, LinkId, Preimage, UpdateAddHtlc};

use crate::engine::Engine;
use crate::forward::incoming_htlc;
use crate::row::{Row, RowKey, Settlement};

/// A settlement that the incoming channel has not recorded yet.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) settlement: Settlement,
    /// The batch in which its row was first written; 0 for an earlier one than any of this run.
    pub(crate) batch: u64,
}

impl Engine {
    /// Acts on an HTLC that both sides have signed. Once per HTLC. If it was taken over with a
    /// state of the peer's, an earlier self may have forwarded it.
    pub(crate) fn incoming(&mut self, link: LinkId, add: &UpdateAddHtlc, taken_over: bool) {
        let key = IncomingHtlcId { link, id: add.id };
        match self.take(key, add, &incoming_htlc(add), taken_over) {
            Ok(()) => {}
            Err(refusal) => self.refuse(key, refusal, self.now_ms),
        }
    }

    /// Takes an HTLC as ours, or forwards it.
    fn take(
        &mut self,
        key: IncomingHtlcId,
        add: &UpdateAddHtlc,
        htlc: &IncomingHtlc<'_>,
        taken_over: bool,
    ) -> Result<(), PeelError> {
        // Invoices with hints name a payee key of their own, also when they are paid already.
        let may_be_paid = self.preimages.get(&add.payment_hash).is_some();
        let may_be_ours = may_be_paid || self.invoices.contains_key(&add.payment_hash);
        if may_be_ours {
            let payee = self.signer.invoice(&add.payment_hash);
            match self.receive(key, &*payee, htlc) {
                Err(PeelError::Malformed { .. }) => {} // Not made for that key.
                outcome => return outcome,
            }
        }
        let local = self.local_of(&key.link);
        let peeled = match peel(&*local, htlc) {
            // An invoice we have forgotten: its payer gets the answer of any payee, or it could
            // tell invoices of one age from those of another.
            Err(PeelError::Malformed { .. }) if !may_be_ours => {
                let payee = self.signer.invoice(&add.payment_hash);
                return self.receive(key, &*payee, htlc);
            }
            peeled => peeled?,
        };
        match peeled.hop {
            Hop::Forward(_) if taken_over => {
                self.hold_unknown_forward(key);
                Ok(())
            }
            Hop::Forward(forward) => self.forward(key, add, forward, peeled.shared_secret),
            Hop::Final => self.receive(key, &*local, htlc),
        }
    }

    /// Fails an incoming HTLC, taken at `since_ms`, the way `refusal` says.
    pub(crate) fn refuse(&mut self, key: IncomingHtlcId, refusal: PeelError, since_ms: u64) {
        self.settle(key, Settlement::Fail(self.failure_made(&key, refusal, since_ms)));
    }

    /// Decides an incoming HTLC for good. A fulfill always wins over a fail.
    pub(crate) fn settle(&mut self, key: IncomingHtlcId, settlement: Settlement) {
        let decided = self.outbox.get(&key).map(|waiting| &waiting.settlement);
        let settlement = match decided {
            Some(fulfill @ Settlement::Fulfill { .. }) => fulfill.clone(),
            _ => settlement,
        };
        let Some(entry) = self.channels.get(&key.link) else { return };
        if !entry.channel.incoming_htlcs().any(|htlc| htlc.htlc.id == key.id) {
            return;
        }
        self.batch.writes.put(Row::Outbox(key, settlement.clone()));
        let is_stored =
            self.outbox.get(&key).is_some_and(|waiting| waiting.batch != self.batch_number);
        let batch = if is_stored { 0 } else { self.batch_number };
        self.outbox.insert(key, Waiting { settlement: settlement.clone(), batch });
        self.deliver(key, settlement);
    }

    pub(crate) fn deliver(&mut self, key: IncomingHtlcId, settlement: Settlement) {
        let input = match settlement {
            Settlement::Fulfill { preimage, tlvs } => Input::Fulfill { id: key.id, preimage, tlvs },
            Settlement::Fail(failure) => Input::Fail { id: key.id, failure },
        };
        self.drive(key.link, input);
    }

    /// The channel's own record repeats it from now on.
    pub(crate) fn settlement_recorded(&mut self, key: IncomingHtlcId) {
        match self.outbox.remove(&key) {
            // Decided and recorded in one batch: the row need never be written.
            Some(waiting) if waiting.batch == self.batch_number => {
                self.batch.writes.forget(&RowKey::Outbox(key));
            }
            Some(_) => self.batch.writes.delete(RowKey::Outbox(key)),
            None => {}
        }
    }

    /// Stores a preimage before anything is done with it.
    pub(crate) fn learn(&mut self, preimage: Preimage) {
        if self.preimages.insert(preimage) {
            // The store forgets old preimages by it: a date of next year, had for a moment, would
            // make all others old.
            let learned_ms = self.believed_wall_ms();
            self.batch.writes.put(Row::Preimage { preimage, learned_ms });
        }
    }
}
