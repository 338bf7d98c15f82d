//! The last test of a healed network: honest nodes can still pay each other, whatever was done to
//! them.

use std::collections::VecDeque;

use steward_engine::row::{PaymentStatus, Row, RowKey};
use steward_engine::{AnswerAt, Command};
use steward_hosted::Channel;
use steward_wire::Preimage;

use crate::oracle::{Rule, Violation};
use crate::simulation::REST_MS;
use crate::traffic::GENEROUS_FEE_MSAT;
use crate::world::World;

/// The amount paid: little, but more than any channel's minimum in each of three parts.
const AMOUNT_MSAT: u64 = 10_000;
/// The balance that each channel on the way must have, in millisatoshi: fees of five hops on top.
const NEEDED_MSAT: u64 = AMOUNT_MSAT + 40_000;
/// A payer may know old terms, and does better the next time.
const MAX_TRIES: u32 = 4;
/// Longest way tried, in channels.
const MAX_HOPS: u32 = 4;
/// Payments made.
const MAX_PAIRS: usize = 2;

impl World {
    /// After healing, honest nodes pay each other over honest ways.
    pub(crate) fn serves_others(&mut self) -> Result<(), Violation> {
        let mut pairs = self.pairs_in_reach();
        for _ in 0..MAX_PAIRS.min(pairs.len()) {
            let (payer, payee) = pairs.swap_remove(self.rng.index(pairs.len()));
            self.trace.world(self.now_ms, || format!("last payment: {payer} to {payee}"));
            let mut why = None;
            for _ in 0..MAX_TRIES {
                why = self.pay_last(payer, payee)?;
                if why.is_none() {
                    break;
                }
            }
            if let Some(why) = why {
                let text = format!("a last payment to node {payee} did not arrive: {why}");
                return Err(Violation::new(Rule::Rest, payer, text));
            }
        }
        Ok(())
    }

    /// Returns the reason for which the payment failed, if it did.
    fn pay_last(&mut self, payer: usize, payee: usize) -> Result<Option<String>, Violation> {
        let preimage = Preimage(self.rng.bytes32());
        let command = Command::CreateInvoice {
            amount_msat: Some(AMOUNT_MSAT),
            description: String::new(),
            expiry_s: 3600,
            preimage,
            payment_secret: self.rng.bytes32(),
        };
        self.issue(payee, command);
        self.come_to_rest(0)?;
        let row = self.nodes[payee].disk.row(&RowKey::Invoice(preimage.hash()));
        let Some(Row::Invoice(row)) = row else {
            let text = "it has a channel and makes no invoice";
            return Err(Violation::new(Rule::Rest, payee, text));
        };
        let Ok(invoice) = steward_invoice::parse(row.kind.bolt11().unwrap_or_default()) else {
            return Err(Violation::new(Rule::Rest, payee, "its invoice is unreadable"));
        };
        let command = Command::Pay {
            invoice: Box::new(invoice),
            amount_msat: None,
            max_fee_msat: Some(GENEROUS_FEE_MSAT),
            answer: AnswerAt::Start,
        };
        self.issue(payer, command);
        self.come_to_rest(REST_MS)?;
        Ok(match self.nodes[payer].disk.row(&RowKey::Payment(preimage.hash().into())) {
            Some(Row::Payment(row)) if row.status == PaymentStatus::Complete => None,
            Some(Row::Payment(row)) => Some(format!("{:?} {:?}", row.status, row.failure)),
            _ => Some("it was refused".to_owned()),
        })
    }

    /// Honest payers and payees with an honest way between them that has enough.
    fn pairs_in_reach(&self) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        for payer in (0..self.nodes.len()).filter(|node| !self.oracles.is_hostile(*node)) {
            let (mut reached, mut open) = (vec![payer], VecDeque::from([(payer, 0)]));
            while let Some((node, hops)) = open.pop_front() {
                for (edge, plan) in self.topology.edges_of(node) {
                    let next = plan.other(node);
                    let is_near = hops < MAX_HOPS && !reached.contains(&next);
                    if !is_near || !self.carries(edge, node) {
                        continue;
                    }
                    reached.push(next);
                    open.push_back((next, hops + 1));
                    if self.is_named(edge, next) {
                        pairs.push((payer, next));
                    }
                }
            }
        }
        pairs
    }

    /// True if invoices of this payee lead over this channel: they name those with its hosts, or,
    /// if it has none, just the payee.
    fn is_named(&self, edge: usize, payee: usize) -> bool {
        let mut edges = self.topology.edges_of(payee);
        self.topology.edges[edge].client == payee || edges.all(|(_, plan)| plan.host == payee)
    }

    /// True if the channel is one of honest nodes and has enough on this side.
    fn carries(&self, edge: usize, from: usize) -> bool {
        let state = self.durable(edge, from).and_then(Channel::state);
        !self.is_hostile_edge(edge)
            && state.is_some_and(|state| state.local_balance_msat >= NEEDED_MSAT)
    }
}
