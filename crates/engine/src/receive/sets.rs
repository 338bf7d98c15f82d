//! Payments to us: the parts of one payment held until all are here, then claimed together.

use std::collections::BTreeMap;

use steward_htlc::IncomingHtlcId;
use steward_onion::{Failure, Received};
use steward_wire::{Onion, PaymentHash, Preimage, impossible};

use crate::context::Context;
use crate::face::command::InvoiceRequest;
use crate::face::error::Error;
use crate::face::event::EventKind;
use crate::face::io::Action;
use crate::face::limits::{
    FINAL_EXPIRY_SAFETY_BLOCKS, KEYSEND_EXPIRY_SAFETY_BLOCKS, MAX_AMOUNT_MSAT, MPP_TIMEOUT_MS,
};
use crate::face::row::{InvoiceRow, InvoiceStatus, OpenInvoice, PaymentKind, Row};
use crate::htlc::onion::refuse;
use crate::link::links::Links;
use crate::receive::invoices::Invoices;
use crate::receive::open_invoices::Entry;
use crate::step::{Answer, ClaimsInDoubt, OurHop, Receive, Step};

/// The parts of one payment that are here so far.
#[derive(Clone, Debug)]
struct IncomingSet {
    total_msat: u64,
    parts: BTreeMap<IncomingHtlcId, Part>,
    /// The moment at which the parts are failed if the rest has not come, by `now_ms`.
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
    /// The last height at which its preimage is shown: later the host may take the HTLC back.
    latest_claim: u32,
    received: Received,
    onion: Onion,
    /// The moment at which it came, by `now_ms`.
    since_ms: u64,
}

/// A payment that needs no invoice: from its first part on it is like an invoice of the same amount.
#[derive(Clone, Copy, Debug)]
struct Keysend {
    preimage: Preimage,
    amount_msat: u64,
    /// The wall clock's time of its first part, in milliseconds.
    created_ms: u64,
}

impl Keysend {
    fn expires_ms(&self) -> u64 {
        self.created_ms.saturating_add(MPP_TIMEOUT_MS)
    }
}

/// The payments to us: the invoices, and the parts that are held until the rest of their payment
/// comes.
pub(crate) struct Receives {
    invoices: Invoices,
    /// The keysends of which parts are held. None has the hash of an open invoice.
    keysends: BTreeMap<PaymentHash, Keysend>,
    sets: BTreeMap<PaymentHash, IncomingSet>,
}

impl Receives {
    /// As found at start.
    pub(crate) fn resume(invoices: Vec<OpenInvoice>) -> Self {
        let invoices = Invoices::resume(&invoices);
        Self { invoices, keysends: BTreeMap::new(), sets: BTreeMap::new() }
    }

    /// True if we are to be paid with this hash.
    pub(crate) fn is_expected(&self, hash: &PaymentHash) -> bool {
        self.invoices.get(hash).is_some() || self.keysends.contains_key(hash)
    }

    /// True if parts are held.
    pub(crate) fn is_holding(&self) -> bool {
        !self.sets.is_empty()
    }

    /// True if this HTLC is held as a part of the payment with this hash.
    pub(crate) fn holds(&self, hash: &PaymentHash, htlc: &IncomingHtlcId) -> bool {
        self.sets.get(hash).is_some_and(|set| set.parts.contains_key(htlc))
    }

    /// Makes an invoice.
    pub(crate) fn create_invoice(
        &mut self,
        cx: &mut Context,
        links: &Links,
        request: InvoiceRequest,
    ) -> Result<InvoiceRow, Error> {
        self.invoices.create(cx, links, request)
    }

    /// Forgets invoices that can no longer be paid.
    pub(crate) fn drop_expired_invoices(&mut self, cx: &Context) {
        let sets = &self.sets;
        self.invoices.drop_expired(cx, |hash| sets.contains_key(hash));
    }

    /// Takes one part of a payment to us.
    pub(crate) fn receive(&mut self, cx: &mut Context, links: &Links, part: Receive) {
        let Receive { htlc, add, received } = part;
        let hash = add.payment_hash;
        let brings_preimage = received.keysend_preimage.is_some_and(|own| own.hash() == hash);
        let is_keysend = brings_preimage && self.invoices.get(&hash).is_none();
        // A keysender has no invoice that could ask it for more.
        let safety_blocks =
            if is_keysend { KEYSEND_EXPIRY_SAFETY_BLOCKS } else { FINAL_EXPIRY_SAFETY_BLOCKS };
        // A payer may name an amount that no row can hold.
        let is_countable =
            received.total_msat <= MAX_AMOUNT_MSAT && add.amount_msat <= MAX_AMOUNT_MSAT;
        let is_in_time = add.cltv_expiry >= cx.height().saturating_add(safety_blocks);
        if !is_countable || !is_in_time || !self.is_wanted(cx, &hash, &received) {
            self.forget_keysend(&hash);
            // One answer for unknown, expired, wrong secret and wrong amount: a payer who does
            // not hold the invoice learns nothing.
            let failure =
                Failure::incorrect_or_unknown_payment_details(add.amount_msat, cx.height());
            let refusal = received.blinding.reject(&add.onion.0, received.shared_secret, failure);
            return refuse(cx, htlc, refusal, cx.now_ms());
        }
        let set = self.sets.entry(hash).or_insert_with(|| IncomingSet {
            total_msat: received.total_msat,
            parts: BTreeMap::new(),
            give_up_ms: cx.now_ms().saturating_add(MPP_TIMEOUT_MS),
        });
        let latest_claim = add.cltv_expiry.saturating_sub(safety_blocks);
        let amount_msat = add.amount_msat;
        let (onion, since_ms) = (add.onion, cx.now_ms());
        set.parts.insert(htlc, Part { amount_msat, latest_claim, received, onion, since_ms });
        self.claim_if_complete(cx, links, hash);
    }

    /// True if a part belongs to an invoice, or to a keysend that we accept.
    fn is_wanted(&mut self, cx: &Context, hash: &PaymentHash, received: &Received) -> bool {
        if let Some(preimage) = received.keysend_preimage
            && !self.is_expected(hash)
        {
            // The payer knows that preimage: the row of the payment made with it stays as it is.
            let is_used = cx.preimage(hash).is_some();
            if !cx.config().accept_keysend || is_used || preimage.hash() != *hash {
                return false;
            }
            self.expect_keysend(cx, preimage, received.total_msat);
        }
        let wall_ms = cx.wall_ms();
        let fits = match (self.invoices.get(hash), self.keysends.get(hash)) {
            (Some(invoice), _) => fits_invoice(&invoice, received, wall_ms),
            (None, Some(keysend)) => fits_keysend(keysend, received, wall_ms),
            (None, None) => false,
        };
        fits && self.sets.get(hash).is_none_or(|set| set.total_msat == received.total_msat)
    }

    /// Fails sets whose rest did not come in time (BOLT4 `mpp_timeout`).
    pub(crate) fn time_out(&mut self, cx: &mut Context) {
        let now_ms = cx.now_ms();
        let late: Vec<PaymentHash> = self
            .sets
            .iter()
            .filter(|(_, set)| set.give_up_ms <= now_ms)
            .map(|(hash, _)| *hash)
            .collect();
        for hash in late {
            self.give_back(cx, &hash, |_| Failure::mpp_timeout());
        }
    }

    /// The payee slept, or its chain source stood still, while the HTLCs came close to their
    /// expiry.
    fn refuse_late(&mut self, cx: &mut Context, hash: PaymentHash) {
        let message = "a payment came when its host might already have taken it back: it was \
                       refused, and the payer has its money";
        let (hashes, failure_code) = (vec![hash], "payment_too_late");
        self.note_claims(cx, ClaimsInDoubt { hashes, failure_code, message });
        let height = cx.height();
        self.give_back(cx, &hash, |part| {
            Failure::incorrect_or_unknown_payment_details(part.amount_msat, height)
        });
    }

    /// Fails the parts of a set.
    fn give_back(
        &mut self,
        cx: &mut Context,
        hash: &PaymentHash,
        failure: impl Fn(&Part) -> Failure,
    ) {
        let Some(set) = self.sets.remove(hash) else {
            return impossible!("a set that is given back is there");
        };
        self.forget_keysend(hash);
        for (htlc, part) in set.parts {
            let Received { blinding, shared_secret, .. } = part.received;
            let refusal = blinding.reject(&part.onion.0, shared_secret, failure(&part));
            refuse(cx, htlc, refusal, part.since_ms);
        }
    }

    /// The chain source answered: complete sets are claimed, or are too late.
    pub(crate) fn claim_held(&mut self, cx: &mut Context, links: &Links) {
        if !cx.is_chain_fresh() {
            return;
        }
        let hashes: Vec<PaymentHash> = self.sets.keys().copied().collect();
        hashes.into_iter().for_each(|hash| self.claim_if_complete(cx, links, hash));
    }

    /// Drops parts that an override, or anything else, took away, and those of a suspended channel:
    /// its peer would not sign the claim.
    fn drop_lost_parts(&mut self, links: &Links, hash: &PaymentHash) {
        let Some(set) = self.sets.get_mut(hash) else {
            return impossible!("a set that is looked through is there");
        };
        set.parts.retain(|htlc, part| can_claim(links, htlc, hash, part.amount_msat));
        if set.parts.is_empty() {
            self.sets.remove(hash);
            self.forget_keysend(hash);
        }
    }

    /// All parts are here: the preimage, the paid invoice and every settlement in one commit.
    fn claim_if_complete(&mut self, cx: &mut Context, links: &Links, hash: PaymentHash) {
        self.drop_lost_parts(links, &hash);
        let complete = self.sets.get(&hash).filter(|set| set.received_msat() >= set.total_msat);
        // More parts are to come, or all that had come were lost.
        let Some(set) = complete else { return };
        if !cx.is_chain_fresh() {
            // By the height we know, the HTLCs may be long expired. The answer acts on them.
            return cx.act(Action::AskChain);
        }
        if set.parts.values().any(|part| part.latest_claim < cx.height()) {
            return self.refuse_late(cx, hash);
        }
        let Some(set) = self.sets.remove(&hash) else {
            return impossible!("a set that is complete is there");
        };
        let (received_msat, paid_ms) = (set.received_msat(), cx.wall_ms());
        let (preimage, row) = match (self.invoices.remove(&hash), self.keysends.remove(&hash)) {
            (Some(invoice), _) => {
                let row = Row::InvoicePaid { payment_hash: hash, received_msat, paid_ms };
                (invoice.preimage(), row)
            }
            (None, Some(keysend)) => {
                let row = Row::Invoice(keysend_row(&keysend, received_msat, paid_ms));
                (keysend.preimage, row)
            }
            (None, None) => {
                return impossible!("an invoice stays while parts of it are held");
            }
        };
        cx.learn(preimage);
        cx.put(row);
        for (htlc, part) in set.parts {
            let shared_secret = part.received.shared_secret;
            let hop = Some(OurHop { shared_secret, since_ms: part.since_ms });
            let downstream = Vec::new();
            cx.push(Step::Settle(htlc, Answer::Fulfill { preimage, hop, downstream }));
        }
        cx.notice(EventKind::InvoicePaid { payment_hash: hash, received_msat });
    }

    /// Notes in its invoice, if it has one, that a claim is in no signed state.
    pub(crate) fn note_claims(&self, cx: &mut Context, doubt: ClaimsInDoubt) {
        for payment_hash in doubt.hashes {
            let (code, message) = (doubt.failure_code.to_owned(), doubt.message.to_owned());
            cx.put(Row::InvoiceFailure { payment_hash, code, message });
        }
    }

    /// A keysend brings its own preimage. It is stored only when it is claimed, or a payer that never
    /// sends the rest would make rows for nothing: after a crash the part, which is still there,
    /// brings it again.
    fn expect_keysend(&mut self, cx: &Context, preimage: Preimage, total_msat: u64) {
        let keysend = Keysend { preimage, amount_msat: total_msat, created_ms: cx.wall_ms() };
        self.keysends.insert(preimage.hash(), keysend);
    }

    /// Forgets an unpaid keysend of which no part is held any more.
    fn forget_keysend(&mut self, hash: &PaymentHash) {
        if !self.sets.contains_key(hash) {
            self.keysends.remove(hash);
        }
    }
}

/// The row of a keysend that is claimed.
fn keysend_row(keysend: &Keysend, received_msat: u64, paid_ms: u64) -> InvoiceRow {
    InvoiceRow {
        payment_hash: keysend.preimage.hash(),
        preimage: keysend.preimage,
        payment_secret: [0; 32],
        amount_msat: Some(keysend.amount_msat),
        description: String::new(),
        kind: PaymentKind::Keysend,
        created_ms: keysend.created_ms,
        expires_ms: keysend.expires_ms(),
        status: InvoiceStatus::Paid,
        received_msat,
        paid_ms: Some(paid_ms),
        failure: None,
    }
}

/// True if a part is still there, and its claim would be signed.
fn can_claim(links: &Links, htlc: &IncomingHtlcId, hash: &PaymentHash, amount_msat: u64) -> bool {
    let is_there = links.incoming(htlc).is_some_and(|found| {
        found.htlc.payment_hash == *hash
            && found.htlc.amount_msat == amount_msat
            && found.settlement.is_none()
    });
    is_there && !links.is_suspended(&htlc.link)
}

/// True if the payer holds the invoice, it is not expired, and the sum is right.
fn fits_invoice(invoice: &Entry, received: &Received, wall_ms: u64) -> bool {
    let secret_fits = received.payment_secret.is_some_and(|secret| invoice.is_secret(&secret));
    secret_fits
        && fits_amount(invoice.amount_msat(), received.total_msat)
        && wall_ms < invoice.expires_ms()
}

/// True if a further part, like the first one, brings the preimage, and the sum is right.
fn fits_keysend(keysend: &Keysend, received: &Received, wall_ms: u64) -> bool {
    received.keysend_preimage == Some(keysend.preimage)
        && fits_amount(Some(keysend.amount_msat), received.total_msat)
        && wall_ms < keysend.expires_ms()
}

/// True if a sum is at least the amount asked for and at most twice as much (BOLT 4).
fn fits_amount(asked_msat: Option<u64>, total_msat: u64) -> bool {
    let is_asked =
        asked_msat.is_none_or(|asked| total_msat >= asked && total_msat <= asked.saturating_mul(2));
    is_asked && total_msat > 0
}
