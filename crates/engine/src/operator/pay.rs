//! Commands to pay.

use steward_invoice::{HintHop, Invoice};
use steward_wire::{NodeId, PaymentHash, Preimage, ShortChannelId};

use crate::context::Context;
use crate::face::code::Code;
use crate::face::command::Reply;
use crate::face::error::{Error, sat};
use crate::face::row::{PaymentKind, PaymentRow, PaymentStatus};
use crate::link::links::Links;
use crate::operator::bounds::capped_fee;
use crate::operator::peers::check_other_node;
use crate::pay::payments::{Payments, Plan};
use crate::receive::sets::Receives;

/// Pays an invoice, or tells the state of an earlier request to pay it.
pub(crate) fn pay(
    cx: &mut Context,
    links: &Links,
    receives: &Receives,
    payments: &mut Payments,
    invoice: &Invoice,
    amount_msat: Option<u64>,
    max_fee_msat: Option<u64>,
) -> Result<Reply, Error> {
    invoice.check_network(cx.config().network).map_err(|error| {
        Error::new(Code::WrongNetwork, error.to_string())
            .hint("the invoice was made for another chain")
    })?;
    // Asking how an earlier attempt went must work whatever the clock says.
    let earlier = payments.row(&invoice.payment_hash.into());
    if let Some(earlier) = earlier.filter(|row| row.status != PaymentStatus::Failed) {
        earlier.check_repeated(invoice, amount_msat)?;
        return Ok(Reply::EarlierPayment(earlier.clone()));
    }
    let amount_msat = amount_to_pay(invoice, amount_msat)?;
    if invoice.is_expired(cx.wall_ms() / 1000) {
        return Err(Error::new(Code::InvoiceExpired, "the invoice has expired"));
    }
    if receives.is_expected(&invoice.payment_hash) {
        return Err(Error::new(Code::SelfPayment, "the invoice is our own"));
    }
    let row = payment_row(cx, invoice.payment_hash, invoice.payee, amount_msat, max_fee_msat);
    let row = PaymentRow { kind: PaymentKind::Bolt11(invoice.text.clone()), ..row };
    payments.start(cx, links, row, Plan::for_invoice(invoice, amount_msat)).map(Reply::Payment)
}

/// A payment without an invoice.
pub(crate) struct Keysend {
    pub(crate) destination: NodeId,
    /// The host through which it is reached, if it is not a direct peer.
    pub(crate) via: Option<NodeId>,
    pub(crate) amount_msat: u64,
    pub(crate) max_fee_msat: Option<u64>,
    pub(crate) preimage: Preimage,
}

/// Pays a node without an invoice.
pub(crate) fn keysend(
    cx: &mut Context,
    links: &Links,
    payments: &mut Payments,
    asked: Keysend,
) -> Result<PaymentRow, Error> {
    let Keysend { destination, via, amount_msat, max_fee_msat, preimage } = asked;
    if amount_msat == 0 {
        return Err(zero_amount());
    }
    check_other_node(cx, &destination)?;
    // The channel between a host and its client follows from their ids. Its fee is the
    // host's, which is the same for us as for its other clients.
    let hints = via.map(|host| keysend_hint(links, host, destination)).transpose()?;
    let row = payment_row(cx, preimage.hash(), destination, amount_msat, max_fee_msat);
    let plan = Plan::for_keysend(hints.into_iter().collect(), preimage, amount_msat);
    payments.start(cx, links, row, plan)
}

fn keysend_hint(links: &Links, host: NodeId, destination: NodeId) -> Result<Vec<HintHop>, Error> {
    let mut channels = links.with_peer(&host);
    let policy = channels.find_map(|(_, entry)| entry.channel().peer_policy());
    let policy = policy.ok_or_else(|| {
        Error::new(Code::UnknownHost, "we have no channel with this host, or not its terms")
    })?;
    Ok(vec![HintHop {
        node_id: host,
        scid: ShortChannelId::of_pair(&host, &destination),
        fee_base_msat: policy.fee_base_msat,
        fee_ppm: policy.fee_proportional_millionths,
        cltv_expiry_delta: policy.cltv_expiry_delta,
    }])
}

fn payment_row(
    cx: &Context,
    payment_hash: PaymentHash,
    destination: NodeId,
    amount_msat: u64,
    max_fee_msat: Option<u64>,
) -> PaymentRow {
    PaymentRow {
        payment_hash,
        destination,
        amount_msat,
        fee_msat: 0,
        max_fee_msat: capped_fee(amount_msat, max_fee_msat),
        status: PaymentStatus::Pending,
        preimage: None,
        failure: None,
        kind: PaymentKind::Keysend,
        created_ms: cx.wall_ms(),
        ended_ms: None,
    }
}

impl PaymentRow {
    /// Checks that a repeated request names the first one's amount, or none: a caller that names
    /// another amount would take this payment for another one.
    ///
    /// # Errors
    /// `wrong_amount`.
    pub fn check_repeated(&self, invoice: &Invoice, amount_msat: Option<u64>) -> Result<(), Error> {
        if invoice.amount_msat.is_some() {
            return amount_to_pay(invoice, amount_msat).map(drop);
        }
        let Some(given_msat) = amount_msat.filter(|given_msat| *given_msat != self.amount_msat)
        else {
            return Ok(());
        };
        let paid = match self.status {
            PaymentStatus::Complete => "was paid",
            _ => "is being paid",
        };
        let text = format!(
            "the invoice {paid} already, with {} and not with {}",
            sat(self.amount_msat),
            sat(given_msat)
        );
        Err(Error::new(Code::WrongAmount, text)
            .hint("an invoice is paid once; ask the payee for another one"))
    }
}

fn amount_to_pay(invoice: &Invoice, given_msat: Option<u64>) -> Result<u64, Error> {
    let amount_msat = match (invoice.amount_msat, given_msat) {
        (Some(asked), Some(given)) if given != asked => {
            let text = format!("the invoice asks for {}, not for {}", sat(asked), sat(given));
            return Err(Error::new(Code::WrongAmount, text));
        }
        (Some(asked), _) => asked,
        (None, Some(given)) => given,
        (None, None) => {
            let text = "the invoice leaves the amount open";
            return Err(Error::new(Code::AmountNeeded, text));
        }
    };
    if amount_msat == 0 {
        return Err(zero_amount());
    }
    Ok(amount_msat)
}

fn zero_amount() -> Error {
    Error::new(Code::ZeroAmount, "nothing cannot be sent").hint("name an amount above 0")
}
