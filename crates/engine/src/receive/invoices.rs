//! Invoices: the channels of their hints, the key that signs them, the time when they are
//! forgotten.

use std::sync::Arc;

use steward_invoice::{Description, HintHop, NewInvoice, build};
use steward_wire::{Identity, PaymentHash};

use crate::context::Context;
use crate::face::code::Code;
use crate::face::command::InvoiceRequest;
use crate::face::error::{Error, sat};
use crate::face::limits::{
    KEEP_EXPIRED_INVOICES_MS, MAX_DESCRIPTION_BYTES, MAX_INVOICE_EXPIRY_S, MAX_INVOICE_HINTS,
    MAX_OPEN_INVOICES, MIN_FINAL_CLTV_EXPIRY_DELTA_BLOCKS,
};
use crate::face::row::{InvoiceRow, InvoiceStatus, OpenInvoice, PaymentKind, Row};
use crate::link::links::Links;
use crate::receive::open_invoices::{Entry, OpenInvoices};

/// Invoices that are not paid and not long expired.
pub(crate) struct Invoices {
    open: OpenInvoices,
}

impl Invoices {
    /// As found at start.
    pub(crate) fn resume(stored: &[OpenInvoice]) -> Self {
        let mut open = OpenInvoices::default();
        stored.iter().for_each(|invoice| open.insert(invoice));
        Self { open }
    }

    pub(crate) fn get(&self, hash: &PaymentHash) -> Option<Entry> {
        self.open.get(hash)
    }

    pub(crate) fn remove(&mut self, hash: &PaymentHash) -> Option<Entry> {
        self.open.remove(hash)
    }

    /// Makes an invoice, and stores it.
    pub(crate) fn create(
        &mut self,
        cx: &mut Context,
        links: &Links,
        request: InvoiceRequest,
    ) -> Result<InvoiceRow, Error> {
        self.check(&request)?;
        let payment_hash = request.preimage.hash();
        let ways = ways_in(links);
        check_payable(&ways, request.amount_msat)?;
        let hints: Vec<_> =
            ways.into_iter().filter_map(|way| way.hint).map(|hint| vec![hint]).collect();
        let payee = payee(cx, &payment_hash, &hints);
        let new = NewInvoice {
            network: cx.config().network,
            payment_hash,
            payment_secret: request.payment_secret,
            amount_msat: request.amount_msat,
            description: Description::Text(request.description.clone()),
            created_at_unix: cx.wall_ms() / 1000,
            expiry_s: u64::from(request.expiry_s),
            min_final_cltv_expiry_delta: MIN_FINAL_CLTV_EXPIRY_DELTA_BLOCKS,
            hints,
            basic_mpp: true,
        };
        let bolt11 = build(&new, &*payee)
            .map_err(|error| Error::new(Code::InvoiceNotPossible, error.to_string()))?;
        let row = InvoiceRow {
            payment_hash,
            preimage: request.preimage,
            payment_secret: request.payment_secret,
            amount_msat: request.amount_msat,
            description: request.description,
            kind: PaymentKind::Bolt11(bolt11),
            created_ms: cx.wall_ms(),
            expires_ms: cx.wall_ms().saturating_add(u64::from(request.expiry_s) * 1000),
            status: InvoiceStatus::Open,
            received_msat: 0,
            paid_ms: None,
            failure: None,
        };
        cx.put(Row::Invoice(row.clone()));
        if let Some(invoice) = OpenInvoice::of(&row) {
            self.open.insert(&invoice);
        }
        Ok(row)
    }

    /// Drops from memory the invoices that can no longer be paid, unless parts of them are held.
    /// One dropped because the wall clock was ahead for a moment could not be paid before the next
    /// start.
    pub(crate) fn drop_expired(&mut self, cx: &Context, is_held: impl Fn(&PaymentHash) -> bool) {
        let wall_ms = cx.believed_wall_ms();
        self.open.retain(|invoice| {
            invoice.expires_ms().saturating_add(KEEP_EXPIRED_INVOICES_MS) > wall_ms
                || is_held(&invoice.preimage().hash())
        });
    }

    fn check(&self, request: &InvoiceRequest) -> Result<(), Error> {
        if request.amount_msat == Some(0) {
            return Err(Error::new(Code::ZeroAmount, "an invoice over nothing cannot be paid")
                .hint("leave the amount out to let the payer choose"));
        }
        if request.description.len() > MAX_DESCRIPTION_BYTES {
            let text = format!("the description is longer than {MAX_DESCRIPTION_BYTES} bytes");
            return Err(Error::new(Code::DescriptionTooLong, text).hint("shorten it"));
        }
        if request.expiry_s == 0 || request.expiry_s > MAX_INVOICE_EXPIRY_S {
            let text = format!("the expiry must be within 1 and {MAX_INVOICE_EXPIRY_S} seconds");
            return Err(Error::new(Code::BadExpiry, text));
        }
        if self.open.len() >= MAX_OPEN_INVOICES {
            return Err(Error::new(Code::TooManyInvoices, "too many invoices are open"));
        }
        Ok(())
    }
}

/// The ways by which payments can reach us: over each host, active channels first, those that can
/// take the most first; without any, from our own clients, all as one way.
fn ways_in(links: &Links) -> Vec<WayIn> {
    let mut hosts: Vec<(bool, WayIn)> = links
        .with_hosts()
        .filter_map(|entry| {
            let channel = entry.channel();
            let update = channel.peer_policy()?;
            let summary = channel.summary();
            let hint = HintHop {
                node_id: channel.remote(),
                scid: channel.scid(),
                fee_base_msat: update.fee_base_msat,
                fee_ppm: update.fee_proportional_millionths,
                cltv_expiry_delta: update.cltv_expiry_delta,
            };
            let is_active = entry.is_active();
            let usable = !entry.is_suspended() && summary.receivable_msat > 0;
            usable.then_some((
                is_active,
                WayIn {
                    hint: Some(hint),
                    most_msat: summary.receivable_msat,
                    least_msat: summary.terms.htlc_minimum_msat,
                },
            ))
        })
        .collect();
    hosts.sort_by_key(|(is_active, way)| std::cmp::Reverse((*is_active, way.most_msat)));
    hosts.truncate(MAX_INVOICE_HINTS);
    if !hosts.is_empty() {
        return hosts.into_iter().map(|(_, way)| way).collect();
    }
    // A client's balance may grow until it pays, up to the whole capacity.
    let over_clients = links.totals().payable_by_clients_msat();
    let way =
        over_clients.map(|(most_msat, least_msat)| WayIn { hint: None, most_msat, least_msat });
    way.into_iter().collect()
}

/// With hints, a key of its own: the invoice names none of our identities. Its hints still tie
/// it to our other invoices: hosts forward by the one short channel id that follows from host
/// and client, and deployed hosts know no other. Without hints, the node's key: only our own
/// clients can pay it, and they know us by that.
fn payee(cx: &Context, payment_hash: &PaymentHash, hints: &[Vec<HintHop>]) -> Arc<dyn Identity> {
    if hints.is_empty() { Arc::clone(cx.node()) } else { cx.signer().invoice(payment_hash) }
}

/// One way by which a payment can reach us.
struct WayIn {
    /// The hint for the payer, if the way leads over a host of ours.
    hint: Option<HintHop>,
    /// The most that can come this way, in millisatoshi.
    most_msat: u64,
    /// The least that one HTLC carries on it, in millisatoshi.
    least_msat: u64,
}

/// Refuses an invoice that could not be paid.
fn check_payable(ways: &[WayIn], amount_msat: Option<u64>) -> Result<(), Error> {
    let Some(least_msat) = ways.iter().map(|way| way.least_msat).min() else {
        return Err(Error::new(Code::CannotReceive, "no channel can receive anything")
            .hint("open a channel with a host; one that is full cannot receive"));
    };
    let Some(amount_msat) = amount_msat else { return Ok(()) };
    if amount_msat < least_msat {
        let text = format!(
            "nobody could pay {}: no channel of ours carries less than {}",
            sat(amount_msat),
            sat(least_msat)
        );
        return Err(Error::new(Code::AmountBelowMinimum, text));
    }
    // Parts may come over several hosts, and from one client alone.
    let over_hosts = ways.iter().filter(|way| way.hint.is_some());
    let over_hosts_msat = over_hosts.fold(0u64, |sum, way| sum.saturating_add(way.most_msat));
    let most_msat = match over_hosts_msat {
        0 => ways.iter().map(|way| way.most_msat).max().unwrap_or(0),
        most_msat => most_msat,
    };
    if amount_msat > most_msat {
        let text = format!(
            "nobody could pay {}: at most {} can be received",
            sat(amount_msat),
            sat(most_msat)
        );
        return Err(Error::new(Code::CannotReceive, text)
            .hint("ask for less, or open a channel with another host"));
    }
    Ok(())
}
