//! What people do with the network: invoices, payments, payments without invoices, and the
//! commands of operators with their answers.

use std::collections::BTreeMap;

use steward_engine::io::ReplyId;
use steward_engine::row::{PaymentStatus, Row, RowKey};
use steward_engine::{AnswerAt, Command, Error, Reply};
use steward_invoice::{Invoice, parse};
use steward_wire::{NodeId, PaymentHash, Preimage};

use crate::blinded::BlindedWay;
use crate::fault::FaultKind;
use crate::oracle::Violation;
use crate::world::World;

/// Invoices remembered, to be paid again.
const MAX_REMEMBERED: usize = 30;

/// More than any way costs.
pub(crate) const GENEROUS_FEE_MSAT: u64 = u64::MAX / 4;

/// The purpose of a command.
#[derive(Clone, Copy, Debug)]
enum Asked {
    Invoice { payer: usize },
}

/// Payments asked for so far.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    asked: BTreeMap<ReplyId, Asked>,
    invoices: Vec<(usize, Invoice)>,
    /// Payments over blinded paths.
    pub blinded: BTreeMap<PaymentHash, BlindedWay>,
    /// Invoices made and payments without one.
    pub started: u64,
}

impl World {
    /// Somebody wants to be paid by somebody.
    pub(crate) fn start_payment(&mut self) {
        let nodes = self.nodes.len();
        let (mut payer, payee) = (self.rng.index(nodes), self.rng.index(nodes));
        if self.is_calm && payer == payee {
            payer = (payer + 1) % nodes;
        }
        if payer == payee || !self.nodes[payer].is_up() || !self.nodes[payee].is_up() {
            return;
        }
        self.traffic.started += 1;
        if self.rng.chance(60) && self.keysend(payer, payee) {
            return;
        }
        let amount_msat = self.random_amount_msat();
        let command = Command::CreateInvoice {
            amount_msat: Some(amount_msat),
            description: String::new(),
            expiry_s: 3600,
            preimage: Preimage(self.rng.bytes32()),
            payment_secret: self.rng.bytes32(),
        };
        let reply = self.issue(payee, command);
        self.traffic.asked.insert(reply, Asked::Invoice { payer });
    }

    /// Mostly small, so that many fit; now and then too large for anybody.
    fn random_amount_msat(&mut self) -> u64 {
        let first = if self.is_calm { 5 } else { 0 };
        match self.rng.between(first, 19) {
            0 => self.rng.between(1, 999),
            1 => self.rng.between(300_000_000, 1_200_000_000),
            2..=4 => self.rng.between(10_000_000, 100_000_000),
            _ => self.rng.between(1_000, 10_000_000),
        }
    }

    /// A client pays its host without an invoice.
    pub(crate) fn keysend(&mut self, payer: usize, payee: usize) -> bool {
        let edges = self.topology.edges.iter();
        let host = edges.into_iter().find(|e| e.client == payer && e.host == payee);
        let Some(destination) = host.map(|edge| edge.host_id) else { return false };
        let amount_msat = self.rng.between(1_000, 5_000_000);
        let preimage = Preimage(self.rng.bytes32());
        self.keysend_to(payer, destination, None, amount_msat, preimage);
        true
    }

    /// A payment without an invoice to a node, over one of its hosts if it is a client.
    pub(crate) fn keysend_to(
        &mut self,
        payer: usize,
        destination: NodeId,
        via: Option<NodeId>,
        amount_msat: u64,
        preimage: Preimage,
    ) {
        let max_fee_msat = max_fee_msat(&preimage.hash(), amount_msat);
        let command = Command::Keysend {
            destination,
            via,
            amount_msat,
            max_fee_msat: Some(max_fee_msat),
            preimage,
            answer: AnswerAt::Start,
        };
        self.oracles.asked_to_pay(payer, preimage.hash(), amount_msat, max_fee_msat);
        self.issue(payer, command);
    }

    /// An invoice is paid again, perhaps by somebody else.
    pub(crate) fn pay_again(&mut self) -> bool {
        let index = self.rng.index(self.traffic.invoices.len());
        let Some((payer, invoice)) = self.traffic.invoices.get(index).cloned() else {
            return false;
        };
        let other = self.rng.index(self.nodes.len());
        let payer = if self.rng.chance(500) { payer } else { other };
        if !self.nodes[payer].is_up() {
            return false;
        }
        self.pay(payer, &invoice);
        true
    }

    fn pay(&mut self, payer: usize, invoice: &Invoice) {
        // As the runtime does: what the store calls paid is not paid again.
        let row = self.nodes[payer].disk.row(&RowKey::Payment(invoice.payment_hash.into()));
        let is_paid =
            matches!(row, Some(Row::Payment(row)) if row.status == PaymentStatus::Complete);
        if is_paid {
            return;
        }
        let amount_msat = invoice.amount_msat.unwrap_or(0);
        let max_fee_msat = max_fee_msat(&invoice.payment_hash, amount_msat);
        self.oracles.asked_to_pay(payer, invoice.payment_hash, amount_msat, max_fee_msat);
        let command = Command::Pay {
            invoice: Box::new(invoice.clone()),
            amount_msat: None,
            max_fee_msat: Some(max_fee_msat),
            answer: if self.rng.chance(500) { AnswerAt::Start } else { AnswerAt::End },
        };
        self.issue(payer, command);
    }

    /// A node answered a command.
    pub(crate) fn replied(
        &mut self,
        node: usize,
        reply: ReplyId,
        result: Result<Reply, Error>,
    ) -> Result<(), Violation> {
        self.trace.line(self.now_ms, node, || match &result {
            Ok(_) => format!("answers {}", reply.0),
            Err(error) => format!("refuses {}: {error}", reply.0),
        });
        let Some(Asked::Invoice { payer }) = self.traffic.asked.remove(&reply) else {
            return Ok(());
        };
        let Ok(Reply::Invoice(row)) = result else { return Ok(()) };
        let Ok(invoice) = parse(row.kind.bolt11().unwrap_or_default()) else { return Ok(()) };
        if !self.nodes[payer].is_up() {
            return Ok(());
        }
        self.pay(payer, &invoice);
        if self.rng.chance(30) {
            self.pay(payer, &invoice);
            self.count(FaultKind::PaidTwice);
        }
        if self.traffic.invoices.len() < MAX_REMEMBERED {
            self.traffic.invoices.push((payer, invoice));
        } else {
            let index = self.rng.index(MAX_REMEMBERED);
            self.traffic.invoices[index] = (payer, invoice);
        }
        Ok(())
    }
}

/// The fee that a payer allows: always the same for one payment, from any command.
fn max_fee_msat(hash: &PaymentHash, amount_msat: u64) -> u64 {
    match hash.0[0] % 3 {
        0 => GENEROUS_FEE_MSAT,
        1 => amount_msat / 20 + 30_000,
        _ => amount_msat / 50 + 10_000,
    }
}
