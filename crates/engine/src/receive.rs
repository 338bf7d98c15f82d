//! Payments to us: the last layer of an onion, the parts of one payment held until all are here,
//! then claimed together.

use std::collections::BTreeMap;

use steward_hosted::{IncomingHtlc as ChannelHtlc, IncomingSettlement};
use steward_onion::{Failure, IncomingHtlc, PeelError, Received, receive};
use steward_wire::{Identity, IncomingHtlcId, LinkId, PaymentHash, Preimage, impossible};

use crate::attribution::OurHop;
use crate::engine::Engine;
use crate::io::{Action, EventKind};
use crate::limits::{
    CHAIN_FRESH_MS, FINAL_EXPIRY_SAFETY_BLOCKS, KEYSEND_EXPIRY_SAFETY_BLOCKS, MAX_AMOUNT_MSAT,
    MPP_TIMEOUT_MS,
};
use crate::row::{InvoiceRow, InvoiceStatus, PaymentKind, Row};

/// The parts of one payment that are here so far.
#[derive(Clone, Debug)]
pub(crate) struct IncomingSet {
    total_msat: u64,
    parts: BTreeMap<IncomingHtlcId, Part>,
    /// When the parts are failed if the rest has not come, by `now_ms`.
    give_up_ms: u64,
}

impl IncomingSet {
    fn received_msat(&self) -> u64 {
        self.parts.values().fold(0, |sum, part| sum.saturating_add(part.amount_msat))
    }
}

#[derive(Clone, Debug)]
struct Part {
    amount_msat: u64,
    /// Later than at this height its preimage is not given: the host may take the HTLC back.
    latest_claim: u32,
    received: Received,
    onion: Box<[u8; 1366]>,
    /// When it came, by `now_ms`.
    since_ms: u64,
}

impl Engine {
    /// Takes one part of a payment to us.
    pub(crate) fn receive(
        &mut self,
        key: IncomingHtlcId,
        payee: &dyn Identity,
        htlc: &IncomingHtlc<'_>,
    ) -> Result<(), PeelError> {
        let received = receive(payee, htlc, self.height)?;
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
        let is_known = self.invoices.contains_key(&htlc.payment_hash);
        let keysend = received.keysend_preimage.filter(|_| !is_known);
        // A keysender has no invoice that could ask it for more.
        let safety_blocks = if keysend.is_some() {
            KEYSEND_EXPIRY_SAFETY_BLOCKS
        } else {
            FINAL_EXPIRY_SAFETY_BLOCKS
        };
        if htlc.cltv_expiry < self.height.saturating_add(safety_blocks) {
            return Err(reject(&received));
        }
        if let Some(preimage) = keysend {
            // Whoever paid us knows that preimage: what was paid with it stays as it is.
            let is_used = self.preimages.get(&htlc.payment_hash).is_some();
            let is_wanted = self.config.accept_keysend && !is_used;
            if !is_wanted || preimage.hash() != htlc.payment_hash {
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
            self.forget_keysend(&htlc.payment_hash);
            return Err(reject(&received));
        }
        self.hold(key, htlc, received, safety_blocks);
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
            self.forget_keysend(&hash);
            for (key, part) in set.parts {
                let Received { blinding, shared_secret, .. } = part.received;
                let refusal = blinding.reject(&part.onion, shared_secret, Failure::mpp_timeout());
                self.refuse(key, refusal, part.since_ms);
            }
        }
    }

    /// True if the height is one of a moment ago, the machine's sleep included.
    fn is_chain_fresh(&self) -> bool {
        !self.tip_is_stale && self.chain_age_ms().is_some_and(|age_ms| age_ms <= CHAIN_FRESH_MS)
    }

    /// The payee slept, or its chain stood still, while the HTLCs came close to their expiry.
    fn refuse_late(&mut self, hash: PaymentHash, set: IncomingSet) {
        let message = "a payment came when its host might already have taken it back: it was \
                       refused, and the payer has its money";
        self.note_claims(vec![hash], "payment_too_late", message);
        self.forget_keysend(&hash);
        for (key, part) in set.parts {
            let Received { blinding, shared_secret, .. } = part.received;
            let failure =
                Failure::incorrect_or_unknown_payment_details(part.amount_msat, self.height);
            let refusal = blinding.reject(&part.onion, shared_secret, failure);
            self.refuse(key, refusal, part.since_ms);
        }
    }

    /// The chain source answered: what is complete is claimed, or is too late.
    pub(crate) fn claim_held(&mut self) {
        if self.receives.is_empty() || !self.is_chain_fresh() {
            return;
        }
        let hashes: Vec<PaymentHash> = self.receives.keys().copied().collect();
        hashes.into_iter().for_each(|hash| self.claim_if_complete(hash));
    }

    fn hold(
        &mut self,
        key: IncomingHtlcId,
        htlc: &IncomingHtlc<'_>,
        received: Received,
        safety_blocks: u32,
    ) {
        let set = self.receives.entry(htlc.payment_hash).or_insert_with(|| IncomingSet {
            total_msat: received.total_msat,
            parts: BTreeMap::new(),
            give_up_ms: self.now_ms.saturating_add(MPP_TIMEOUT_MS),
        });
        let amount_msat = htlc.amount_msat;
        let latest_claim = htlc.cltv_expiry.saturating_sub(safety_blocks);
        let onion = Box::new(*htlc.onion);
        let since_ms = self.now_ms;
        set.parts.insert(key, Part { amount_msat, latest_claim, received, onion, since_ms });
    }

    /// Parts that an override, or anything else, took away no longer count, nor do those of a
    /// channel that is suspended: nobody would sign the claim.
    fn drop_lost_parts(&mut self, hash: &PaymentHash) {
        let Some(mut set) = self.receives.remove(hash) else { return };
        set.parts.retain(|key, part| self.can_claim(key, hash, part.amount_msat));
        if set.parts.is_empty() {
            self.forget_keysend(hash);
        } else {
            self.receives.insert(*hash, set);
        }
    }

    fn can_claim(&self, key: &IncomingHtlcId, hash: &PaymentHash, amount_msat: u64) -> bool {
        let Some(entry) = self.channels.get(&key.link) else { return false };
        let is_this = |found: ChannelHtlc<'_>| {
            let htlc = found.htlc;
            htlc.id == key.id
                && htlc.payment_hash == *hash
                && htlc.amount_msat == amount_msat
                && found.settlement.is_none()
        };
        !self.is_suspended(&key.link) && entry.channel.incoming_htlcs().any(is_this)
    }

    /// All parts are here: the preimage, the paid invoice and every settlement in one commit.
    fn claim_if_complete(&mut self, hash: PaymentHash) {
        self.drop_lost_parts(&hash);
        if self.receives.get(&hash).is_none_or(|set| set.received_msat() < set.total_msat) {
            return;
        }
        if !self.is_chain_fresh() {
            // By the height we know, the HTLCs may be long expired. The answer acts on them.
            return self.batch.act(Action::AskChain);
        }
        let Some(set) = self.receives.remove(&hash) else {
            return impossible!("a set that is complete is there");
        };
        if set.parts.values().any(|part| part.latest_claim < self.height) {
            return self.refuse_late(hash, set);
        }
        let Some(mut invoice) = self.invoices.remove(&hash) else {
            return impossible!("an invoice stays while parts of it are held");
        };
        let received_msat = set.received_msat();
        invoice.status = InvoiceStatus::Paid;
        invoice.received_msat = received_msat;
        invoice.paid_ms = Some(self.wall_ms);
        let preimage = invoice.preimage;
        self.learn(preimage);
        self.batch.writes.put(Row::Invoice(invoice));
        for (key, part) in set.parts {
            let Part { received: Received { shared_secret, .. }, since_ms, .. } = part;
            let hop = OurHop { shared_secret, since_ms };
            self.settle(key, self.fulfill_of(&key, preimage, Some(hop), &[]));
        }
        self.notice(EventKind::InvoicePaid { payment_hash: hash, received_msat });
    }

    /// The channel is suspended while claims of ours in it are not signed.
    pub(crate) fn claims_unsigned(&mut self, link: LinkId) {
        let Some(entry) = self.channels.get(&link) else {
            return impossible!("a channel that was suspended is there");
        };
        let claims = entry
            .channel
            .incoming_htlcs()
            .filter(|htlc| matches!(htlc.settlement, Some(IncomingSettlement::Fulfill(_))));
        let hashes = claims.map(|htlc| htlc.htlc.payment_hash).collect();
        let text = "the channel was suspended before the claim was signed: an override settles it";
        self.note_claims(hashes, "claim_unsigned", text);
    }

    /// Of claims that no state shows: the invoice, if it was one's, says so.
    pub(crate) fn note_claims(&mut self, hashes: Vec<PaymentHash>, code: &str, message: &str) {
        for hash in hashes {
            let (code, message) = (code.to_owned(), message.to_owned());
            self.batch.writes.put(Row::InvoiceFailure { payment_hash: hash, code, message });
        }
    }

    /// A keysend brings its own preimage: from here on it is like an invoice of the same amount.
    /// Nothing is stored of it before it is claimed, or whoever sends a part and never the rest
    /// would make rows for nothing: after a crash the part, which is still there, brings it again.
    fn expect_keysend(&mut self, preimage: Preimage, total_msat: u64) {
        let payment_hash = preimage.hash();
        let row = InvoiceRow {
            payment_hash,
            preimage,
            payment_secret: [0; 32],
            amount_msat: Some(total_msat),
            description: String::new(),
            kind: PaymentKind::Keysend,
            created_ms: self.wall_ms,
            expires_ms: self.wall_ms.saturating_add(MPP_TIMEOUT_MS),
            status: InvoiceStatus::Open,
            received_msat: 0,
            paid_ms: None,
            failure: None,
        };
        self.invoices.insert(payment_hash, row);
    }

    /// None of its parts is held any more, and it was not paid.
    fn forget_keysend(&mut self, hash: &PaymentHash) {
        let is_keysend =
            self.invoices.get(hash).is_some_and(|row| row.kind == PaymentKind::Keysend);
        if is_keysend && !self.receives.contains_key(hash) {
            self.invoices.remove(hash);
        }
    }
}

/// The payer holds the invoice, it is not expired, and the sum is right: at least what was asked
/// and at most twice as much (BOLT4).
fn fits(invoice: &InvoiceRow, received: &Received, wall_ms: u64) -> bool {
    let is_keysend = invoice.kind == PaymentKind::Keysend;
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
