//! What a payer pays at most, what a payee was really paid, and that a paid invoice stays paid.

use std::collections::BTreeMap;

use steward_engine::row::{InvoiceRow, InvoiceStatus, Origin, Row, RowKey};
use steward_htlc::{IncomingHtlcId, IncomingSettlement, Settlement};
use steward_wire::{PaymentHash, PaymentId};

use super::{Oracles, Rule, Violation};
use crate::disk::Disk;
use crate::node::Batch;

/// The payments that one node was asked to make, and those it received.
#[derive(Debug, Default)]
pub(crate) struct Bills {
    /// Most that each payment may cost: its amount and the most fee.
    most_msat: BTreeMap<PaymentId, u64>,
    /// The amount of each invoice, as it was first stored.
    asked_msat: BTreeMap<PaymentHash, Option<u64>>,
    /// Invoices that were paid once.
    paid: BTreeMap<PaymentHash, InvoiceRow>,
}

impl Oracles {
    /// Somebody wants this node to pay. Of several commands for one hash the most generous counts.
    pub(crate) fn asked_to_pay(
        &mut self,
        node: usize,
        hash: PaymentHash,
        amount_msat: u64,
        max_fee_msat: u64,
    ) {
        let most_msat = self.books[node].bills.most_msat.entry(hash.into()).or_default();
        *most_msat = (*most_msat).max(amount_msat.saturating_add(max_fee_msat));
    }

    /// All that is out for a payment, and all that was paid for it, is what its payer allowed:
    /// over all attempts, at any time.
    pub(super) fn payers_pay_no_more(
        &self,
        node: usize,
        batch: &Batch,
        disk: &Disk,
    ) -> Result<(), Violation> {
        for row in batch.writes.puts() {
            let Row::Origin(_, Origin::Payment { payment, .. }) = row else { continue };
            let books = &self.books[node];
            let Some(most_msat) = books.bills.most_msat.get(payment) else { continue };
            let spent_msat = self.spent_msat(node, payment, disk);
            if spent_msat > u128::from(*most_msat) {
                let text = format!(
                    "{spent_msat} msat are out or paid for {payment}, {most_msat} msat are \
                     allowed"
                );
                return Err(Violation::new(Rule::PaymentsEnd, node, text));
            }
        }
        Ok(())
    }

    fn spent_msat(&self, node: usize, id: &PaymentId, disk: &Disk) -> u128 {
        let books = &self.books[node];
        let own = books.origins.iter().filter(
            |(_, origin)| matches!(origin, Origin::Payment { payment, .. } if payment == id),
        );
        let spent = own.filter(|(out, _)| {
            let is_out = super::forwards::outgoing(disk, out).is_some();
            is_out || books.ended_out.get(out) == Some(&true)
        });
        let amounts = spent.filter_map(|(out, _)| books.htlcs.offered.get(out));
        amounts.map(|add| u128::from(add.amount_msat)).sum()
    }

    /// Invoices as this batch leaves them.
    pub(super) fn invoices_are_true(
        &mut self,
        node: usize,
        batch: &Batch,
        disk: &Disk,
    ) -> Result<(), Violation> {
        for (key, row) in batch.writes.iter() {
            let bills = &mut self.books[node].bills;
            if let RowKey::InvoicePaid(hash) = key {
                invoice_is_paid_once(node, bills, disk, hash)?;
                continue;
            }
            let RowKey::Invoice(hash) = key else { continue };
            if let Some(paid) = bills.paid.get(hash) {
                if row == Some(&Row::Invoice(paid.clone())) {
                    continue;
                }
                let text = format!("the paid invoice {hash} was changed");
                return Err(Violation::new(Rule::PaymentsEnd, node, text));
            }
            let Some(Row::Invoice(row)) = row else { continue };
            // In the same batch it may be paid.
            let row = match disk.row(key) {
                Some(Row::Invoice(stored)) => stored,
                _ => row,
            };
            let asked_msat = *bills.asked_msat.entry(*hash).or_insert(row.amount_msat);
            if row.status == InvoiceStatus::Paid {
                bills.paid.insert(*hash, row.clone());
                claimed_set_is_paid(node, row, asked_msat, claimed_msat(disk, hash))?;
            }
        }
        Ok(())
    }
}

/// Checks a payment of an invoice: there is such an invoice, it was open, and the sum is right.
fn invoice_is_paid_once(
    node: usize,
    bills: &mut Bills,
    disk: &Disk,
    hash: &PaymentHash,
) -> Result<(), Violation> {
    let Some(Row::Invoice(row)) = disk.row(&RowKey::Invoice(*hash)) else {
        let text = format!("the invoice {hash} is paid, and is not there");
        return Err(Violation::new(Rule::PaymentsEnd, node, text));
    };
    match bills.paid.insert(*hash, row.clone()) {
        // It was made and paid in one batch.
        Some(paid) if paid == *row => return Ok(()),
        Some(_) => {
            let text = format!("the paid invoice {hash} was changed");
            return Err(Violation::new(Rule::PaymentsEnd, node, text));
        }
        None => {}
    }
    let asked_msat = bills.asked_msat.get(hash).copied().unwrap_or(row.amount_msat);
    claimed_set_is_paid(node, row, asked_msat, claimed_msat(disk, hash))
}

/// Checks that the amount claimed is that of the books, and no less than the invoice's.
fn claimed_set_is_paid(
    node: usize,
    row: &InvoiceRow,
    asked_msat: Option<u64>,
    claimed_msat: u128,
) -> Result<(), Violation> {
    let received_msat = u128::from(row.received_msat);
    let asked_msat = u128::from(asked_msat.unwrap_or(1));
    if claimed_msat == received_msat && claimed_msat >= asked_msat {
        return Ok(());
    }
    let text = format!(
        "it sold a preimage for {claimed_msat} msat, its invoice says {received_msat} of \
         {asked_msat} msat"
    );
    Err(Violation::new(Rule::MoneyIsConserved, node, text))
}

/// The sum of the peers' HTLCs of this hash that are claimed and still in a signed state.
fn claimed_msat(disk: &Disk, hash: &PaymentHash) -> u128 {
    let mut sum_msat = 0;
    for (link, channel) in disk.channels() {
        for htlc in channel.incoming_htlcs().filter(|htlc| htlc.htlc.payment_hash == *hash) {
            let waiting =
                disk.row(&RowKey::Outbox(IncomingHtlcId { link: *link, id: htlc.htlc.id }));
            let is_claimed = matches!(htlc.settlement, Some(IncomingSettlement::Fulfill(_)))
                || matches!(waiting, Some(Row::Outbox(_, Settlement::Fulfill { .. })));
            sum_msat += if is_claimed { u128::from(htlc.htlc.amount_msat) } else { 0 };
        }
    }
    sum_msat
}
