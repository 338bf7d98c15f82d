//! An incoming HTLC, from its cross-signed add to its settlement: who is it for, and how it is
//! answered. The answer is durable before it leaves (the outbox, design.md section 3).

use steward_channel::{Failure as ChannelFailure, Input};
use steward_onion::{Hop, IncomingHtlc, PeelError, build_failure, peel};
use steward_wire::{Preimage, UpdateAddHtlc};

use crate::engine::Engine;
use crate::row::{HtlcKey, RowKey, Settlement, Write};

impl Engine {
    /// Acts on an HTLC that both sides have signed. Once per HTLC.
    pub(crate) fn incoming(&mut self, peer: steward_wire::NodeId, add: &UpdateAddHtlc) {
        let key = HtlcKey { peer, id: add.id };
        if let Some(preimage) = self.preimages.get(&add.payment_hash) {
            self.settle(key, Settlement::Fulfil(preimage));
            return;
        }
        let htlc = IncomingHtlc {
            onion: &add.onion.0,
            payment_hash: add.payment_hash,
            amount_msat: add.amount_msat,
            cltv_expiry: add.cltv_expiry,
            path_key: add.path_key(),
        };
        // Our invoices with hints name a payee key of their own.
        let identity = self.key_in_channel(&peer);
        let invoice_key = self
            .invoices
            .contains_key(&add.payment_hash)
            .then(|| self.keys.invoice(&htlc.payment_hash));
        let peeled = invoice_key
            .and_then(|key| peel(&key, &htlc).ok().map(|peeled| (key, peeled)))
            .map_or_else(|| peel(&identity, &htlc).map(|peeled| (identity, peeled)), Ok);
        let outcome = peeled.and_then(|(secret_key, peeled)| match peeled.hop {
            Hop::Forward(forward) => self.forward(key, add, forward, peeled.shared_secret),
            Hop::Final => self.receive(key, &secret_key, &htlc),
        });
        if let Err(refusal) = outcome {
            self.refuse(key, refusal);
        }
    }

    /// Fails an incoming HTLC the way `refusal` says.
    pub(crate) fn refuse(&mut self, key: HtlcKey, refusal: PeelError) {
        self.settle(key, Settlement::Fail(to_channel_failure(refusal)));
    }

    /// Decides an incoming HTLC for good. A fulfil always wins over a fail.
    pub(crate) fn settle(&mut self, key: HtlcKey, settlement: Settlement) {
        let known = self.incoming_hash(&key).and_then(|hash| self.preimages.get(&hash));
        let settlement = known.map_or(settlement, Settlement::Fulfil);
        let Some(entry) = self.channels.get(&key.peer) else { return };
        if !entry.channel.incoming_htlcs().any(|htlc| htlc.htlc.id == key.id) {
            return;
        }
        self.batch.writes.put(RowKey::Outbox(key), Write::Outbox(settlement.clone()));
        self.outbox.insert(key, settlement.clone());
        self.deliver(key, settlement);
    }

    pub(crate) fn deliver(&mut self, key: HtlcKey, settlement: Settlement) {
        let input = match settlement {
            Settlement::Fulfil(preimage) => Input::Fulfil { id: key.id, preimage },
            Settlement::Fail(failure) => Input::Fail { id: key.id, failure },
        };
        self.drive(key.peer, input);
    }

    /// The channel's own record repeats it from now on.
    pub(crate) fn settlement_recorded(&mut self, key: HtlcKey) {
        if self.outbox.remove(&key).is_some() {
            self.batch.writes.delete(RowKey::Outbox(key));
        }
    }

    /// Stores a preimage before anything is done with it.
    pub(crate) fn learn(&mut self, preimage: Preimage) {
        if self.preimages.insert(preimage) {
            let write = Write::Preimage { preimage, learned_ms: self.now_ms };
            self.batch.writes.put(RowKey::Preimage(preimage.hash()), write);
        }
    }

    fn incoming_hash(&self, key: &HtlcKey) -> Option<steward_wire::PaymentHash> {
        let entry = self.channels.get(&key.peer)?;
        let mut htlcs = entry.channel.incoming_htlcs();
        htlcs.find(|htlc| htlc.htlc.id == key.id).map(|htlc| htlc.htlc.payment_hash)
    }
}

fn to_channel_failure(refusal: PeelError) -> ChannelFailure {
    match refusal {
        PeelError::Malformed { code, sha256_of_onion } => {
            ChannelFailure::Malformed { sha256_of_onion, failure_code: code }
        }
        PeelError::Failure { shared_secret, failure } => ChannelFailure::Reason {
            reason: build_failure(&shared_secret, &failure),
            tlvs: Vec::new(),
        },
    }
}
