//! Invoices: which channels they hint at, whose key signs them, when they are forgotten.

use std::sync::Arc;

use steward_hosted::{Phase, Role};
use steward_invoice::{Description, HintHop, NewInvoice, build};
use steward_wire::{Identity, PaymentHash, Preimage};

use crate::code::Code;
use crate::engine::Engine;
use crate::error::{Error, sat};
use crate::limits::{
    KEEP_EXPIRED_INVOICES_MS, MAX_DESCRIPTION_BYTES, MAX_INVOICE_EXPIRY_S, MAX_INVOICE_HINTS,
    MAX_OPEN_INVOICES, MIN_FINAL_CLTV_EXPIRY_DELTA_BLOCKS,
};
use crate::row::{InvoiceRow, InvoiceStatus, PaymentKind, Row};

/// What the operator wants of an invoice.
pub(crate) struct InvoiceRequest {
    pub(crate) amount_msat: Option<u64>,
    pub(crate) description: String,
    pub(crate) expiry_s: u32,
    pub(crate) preimage: Preimage,
    pub(crate) payment_secret: [u8; 32],
}

impl Engine {
    pub(crate) fn create_invoice(&mut self, request: InvoiceRequest) -> Result<InvoiceRow, Error> {
        self.check_invoice_request(&request)?;
        let payment_hash = request.preimage.hash();
        let ways = self.ways_in();
        check_payable(&ways, request.amount_msat)?;
        let hints: Vec<_> =
            ways.into_iter().filter_map(|way| way.hint).map(|hint| vec![hint]).collect();
        let payee = self.payee(&payment_hash, &hints);
        let new = NewInvoice {
            network: self.config.network,
            payment_hash,
            payment_secret: request.payment_secret,
            amount_msat: request.amount_msat,
            description: Description::Text(request.description.clone()),
            created_at_unix: self.wall_ms / 1000,
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
            created_ms: self.wall_ms,
            expires_ms: self.wall_ms.saturating_add(u64::from(request.expiry_s) * 1000),
            status: InvoiceStatus::Open,
            received_msat: 0,
            paid_ms: None,
            failure: None,
        };
        self.batch.writes.put(Row::Invoice(row.clone()));
        self.invoices.insert(payment_hash, row.clone());
        Ok(row)
    }

    /// An invoice that nobody can pay any more need not be in memory. One dropped because the
    /// wall clock was ahead for a moment could not be paid before the next start.
    pub(crate) fn drop_expired_invoices(&mut self) {
        let wall_ms = self.believed_wall_ms();
        let receives = &self.receives;
        self.invoices.retain(|hash, row| {
            row.expires_ms.saturating_add(KEEP_EXPIRED_INVOICES_MS) > wall_ms
                || receives.contains_key(hash)
        });
    }

    fn check_invoice_request(&self, request: &InvoiceRequest) -> Result<(), Error> {
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
        if self.invoices.len() >= MAX_OPEN_INVOICES {
            return Err(Error::new(Code::TooManyInvoices, "too many invoices are open"));
        }
        Ok(())
    }

    /// How payments can reach us: over each host, active channels first, those that can take the
    /// most first; without any, from each of our own clients.
    fn ways_in(&self) -> Vec<WayIn> {
        let mut hosts: Vec<(bool, WayIn)> = self
            .channels
            .iter()
            .filter(|(_, entry)| entry.channel.role() == Role::Client)
            .filter_map(|(_, entry)| {
                let update = entry.channel.peer_policy()?;
                let summary = entry.channel.summary();
                let hint = HintHop {
                    node_id: entry.channel.remote(),
                    scid: entry.channel.scid(),
                    fee_base_msat: update.fee_base_msat,
                    fee_ppm: update.fee_proportional_millionths,
                    cltv_expiry_delta: update.cltv_expiry_delta,
                };
                let is_active = summary.phase == Phase::Active;
                let usable = summary.phase != Phase::Suspended && summary.receivable_msat > 0;
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
        // What a client has may grow until it pays, up to all its channel holds.
        let clients = self.channels.iter().filter(|(_, entry)| entry.channel.role() == Role::Host);
        let clients = clients.map(|(_, entry)| entry.channel.summary());
        clients
            .map(|summary| WayIn {
                hint: None,
                most_msat: summary.capacity_msat,
                least_msat: summary.terms.htlc_minimum_msat,
            })
            .collect()
    }

    /// With hints, a key of its own: the invoice names none of our identities. Its hints still tie
    /// it to our other invoices: hosts forward by the one short channel id that follows from host
    /// and client, and deployed hosts know no other. Without hints, the node's key: only our own
    /// clients can pay it, and they know us by that.
    fn payee(&self, payment_hash: &PaymentHash, hints: &[Vec<HintHop>]) -> Arc<dyn Identity> {
        match hints.is_empty() {
            true => Arc::clone(&self.node),
            false => self.signer.invoice(payment_hash),
        }
    }
}

/// One way by which a payment can reach us.
struct WayIn {
    /// For the payer, if it leads over a host of ours.
    hint: Option<HintHop>,
    /// Most that can come this way.
    most_msat: u64,
    /// Least that one HTLC carries on it.
    least_msat: u64,
}

/// An invoice that nobody can pay is not made.
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
