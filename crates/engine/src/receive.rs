//! Payments to us: the last layer of an onion, the parts of one payment held until all are here,
//! then claimed together.

use std::collections::BTreeMap;

use bitcoin::secp256k1::SecretKey;
use steward_onion::{Failure, IncomingHtlc, PeelError, Received, receive};
use steward_wire::{PaymentHash, Preimage};

use crate::engine::Engine;
use crate::io::EventKind;
use crate::limits::{FINAL_EXPIRY_SAFETY_BLOCKS, MAX_AMOUNT_MSAT, MPP_TIMEOUT_MS};
use crate::row::{HtlcKey, InvoiceRow, PaymentStatus, RowKey, Settlement, Write};

/// The parts of one payment that are here so far.
#[derive(Clone, Debug)]
pub(crate) struct IncomingSet {
    total_msat: u64,
    received_msat: u64,
    parts: BTreeMap<HtlcKey, Part>,
    /// When the parts are failed if the rest has not come, by `now_ms`.
    give_up_ms: u64,
}

#[derive(Clone, Debug)]
struct Part {
    received: Received,
    onion: Box<[u8; 1366]>,
}

impl Engine {
    /// Takes one part of a payment to us.
    pub(crate) fn receive(
        &mut self,
        key: HtlcKey,
        secret_key: &SecretKey,
        htlc: &IncomingHtlc<'_>,
    ) -> Result<(), PeelError> {
        let received = receive(secret_key, htlc, self.height)?;
        let height = self.height;
        let reject = |received: &Received| {
            // One answer for unknown, expired, wrong secret and wrong amount: a payer who does
            // not hold the invoice learns nothing.
            let failure = Failure::incorrect_or_unknown_payment_details(htlc.amount_msat, height);
            received.blinding.reject(htlc.onion, received.shared_secret, failure)
        };
        // What a payer may call an amount, no row need be able to hold.
        if received.total_msat > MAX_AMOUNT_MSAT || htlc.amount_msat > MAX_AMOUNT_MSAT {
            return Err(reject(&received));
        }
        let earliest_expiry = self.height.saturating_add(FINAL_EXPIRY_SAFETY_BLOCKS);
        if htlc.cltv_expiry < earliest_expiry {
            return Err(reject(&received));
        }
        if let Some(preimage) = received.keysend_preimage
            && !self.invoices.contains_key(&htlc.payment_hash)
        {
            if !self.config.accept_keysend || preimage.hash() != htlc.payment_hash {
                return Err(reject(&received));
            }
            self.expect_keysend(preimage, received.total_msat);
        }
        let fits = self
            .invoices
            .get(&htlc.payment_hash)
            .is_some_and(|invoice| fits(invoice, &received, self.wall_ms));
        let same_total = self
            .receives
            .get(&htlc.payment_hash)
            .is_none_or(|set| set.total_msat == received.total_msat);
        if !fits || !same_total {
            return Err(reject(&received));
        }
        self.hold(key, htlc, received);
        self.claim_if_complete(htlc.payment_hash);
        Ok(())
    }

    /// Fails sets whose rest did not come in time (BOLT4 `mpp_timeout`).
    pub(crate) fn time_out_incoming_sets(&mut self) {
        let now_ms = self.now_ms;
        let late: Vec<PaymentHash> = self
            .receives
            .iter()
            .filter(|(_, set)| set.give_up_ms <= now_ms)
            .map(|(hash, _)| *hash)
            .collect();
        for hash in late {
            let Some(set) = self.receives.remove(&hash) else { continue };
            for (key, part) in set.parts {
                let Received { blinding, shared_secret, .. } = part.received;
                let refusal = blinding.reject(&part.onion, shared_secret, Failure::mpp_timeout());
                self.refuse(key, refusal);
            }
        }
    }

    fn hold(&mut self, key: HtlcKey, htlc: &IncomingHtlc<'_>, received: Received) {
        let set = self.receives.entry(htlc.payment_hash).or_insert_with(|| IncomingSet {
            total_msat: received.total_msat,
            received_msat: 0,
            parts: BTreeMap::new(),
            give_up_ms: self.now_ms.saturating_add(MPP_TIMEOUT_MS),
        });
        let part = Part { received, onion: Box::new(*htlc.onion) };
        if set.parts.insert(key, part).is_none() {
            set.received_msat = set.received_msat.saturating_add(htlc.amount_msat);
        }
    }

    /// All parts are here: the preimage, the paid invoice and every settlement in one commit.
    fn claim_if_complete(&mut self, hash: PaymentHash) {
        if self.receives.get(&hash).is_none_or(|set| set.received_msat < set.total_msat) {
            return;
        }
        let Some(set) = self.receives.remove(&hash) else { return };
        let Some(mut invoice) = self.invoices.remove(&hash) else { return };
        invoice.status = PaymentStatus::Complete;
        invoice.received_msat = set.received_msat;
        invoice.paid_ms = Some(self.wall_ms);
        let preimage = invoice.preimage;
        self.learn(preimage);
        self.batch.writes.put(RowKey::Invoice(hash), Write::Invoice(invoice));
        for key in set.parts.into_keys() {
            self.settle(key, Settlement::Fulfil(preimage));
        }
        self.notice(EventKind::InvoicePaid {
            payment_hash: hash,
            received_msat: set.received_msat,
        });
    }

    /// A keysend brings its own preimage: from here on it is like an invoice of the same amount.
    fn expect_keysend(&mut self, preimage: Preimage, total_msat: u64) {
        let payment_hash = preimage.hash();
        let row = InvoiceRow {
            payment_hash,
            preimage,
            payment_secret: [0; 32],
            amount_msat: Some(total_msat),
            description: String::new(),
            bolt11: String::new(),
            created_ms: self.wall_ms,
            expires_ms: self.wall_ms.saturating_add(MPP_TIMEOUT_MS),
            status: PaymentStatus::Pending,
            received_msat: 0,
            paid_ms: None,
        };
        self.batch.writes.put(RowKey::Invoice(payment_hash), Write::Invoice(row.clone()));
        self.invoices.insert(payment_hash, row);
    }
}

/// The payer holds the invoice, it is not expired, and the sum is right: at least what was asked
/// and at most twice as much (BOLT4).
fn fits(invoice: &InvoiceRow, received: &Received, wall_ms: u64) -> bool {
    let is_keysend = invoice.bolt11.is_empty();
    let secret_fits = match received.payment_secret {
        Some(secret) if !is_keysend => same(&secret, &invoice.payment_secret),
        _ => is_keysend && received.keysend_preimage.is_some(),
    };
    let amount_fits = invoice.amount_msat.is_none_or(|asked| {
        received.total_msat >= asked && received.total_msat <= asked.saturating_mul(2)
    });
    secret_fits && amount_fits && received.total_msat > 0 && wall_ms < invoice.expires_ms
}

/// Equal, in a time that does not tell where they differ.
fn same(a: &[u8; 32], b: &[u8; 32]) -> bool {
    a.iter().zip(b).fold(0u8, |acc, (a, b)| acc | (a ^ b)) == 0
}
