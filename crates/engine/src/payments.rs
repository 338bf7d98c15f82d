//! Payments out: begun once, routes asked for, parts offered. What becomes of the parts is in
//! `outcome`.

use std::collections::{BTreeMap, VecDeque};

use steward_hosted::{Input, NewHtlc, Phase};
use steward_invoice::{HintHop, Invoice};
use steward_wire::{Onion, PaymentId, Preimage, ShortChannelId, impossible};

use crate::code::Code;
use crate::command::Reply;
use crate::engine::Engine;
use crate::error::{Error, sat};
use crate::io::{Action, FirstHop, NoRoute, Recipient, ReplyId, RouteRequest, RoutedPart};
use crate::limits::{
    KEEP_ENDED_PAYMENTS_MS, MAX_ENDED_PAYMENTS, MAX_PENDING_PAYMENTS, MAX_WAITERS_PER_PAYMENT,
    PAYMENT_WAIT_MS,
};
use crate::row::{Origin, PartRow, PaymentRow, PaymentStatus, Row};

mod outcome;

/// What a new attempt needs. Gone after a restart: then nothing is retried.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    hints: Vec<Vec<HintHop>>,
    final_cltv_expiry_delta_blocks: u32,
    mpp: bool,
    recipient: Recipient,
}

impl Plan {
    pub(crate) fn for_invoice(invoice: &Invoice, total_msat: u64) -> Self {
        Self {
            hints: invoice.hints.clone(),
            final_cltv_expiry_delta_blocks: invoice.min_final_cltv_expiry_delta,
            mpp: invoice.basic_mpp,
            recipient: Recipient {
                payment_secret: Some(invoice.payment_secret),
                total_msat,
                metadata: invoice.metadata.clone(),
                keysend_preimage: None,
            },
        }
    }

    pub(crate) fn for_keysend(
        hints: Vec<Vec<HintHop>>,
        preimage: Preimage,
        amount_msat: u64,
    ) -> Self {
        Self {
            hints,
            final_cltv_expiry_delta_blocks: u32::from(
                crate::limits::MIN_FINAL_CLTV_EXPIRY_DELTA_BLOCKS,
            ),
            mpp: false,
            recipient: Recipient {
                payment_secret: None,
                total_msat: amount_msat,
                metadata: None,
                keysend_preimage: Some(preimage),
            },
        }
    }
}

/// A payment with HTLCs out, or about to have some.
#[derive(Clone, Debug)]
struct Payment {
    row: PaymentRow,
    /// When it was begun or found at start, by `now_ms`.
    begun_ms: u64,
    plan: Option<Plan>,
    /// HTLCs whose outcome is not known.
    parts: BTreeMap<u32, PartRow>,
    next_part: u32,
    attempt: u32,
    /// A route was asked for and has not come.
    is_routing: bool,
    /// Channels that refused.
    avoid: Vec<ShortChannelId>,
    /// Code and sentence of the last thing that went wrong.
    last_failure: Option<(String, String)>,
    /// No further attempt can help.
    is_hopeless: bool,
}

impl Payment {
    /// Of all parts that are out, or may have been.
    fn fee_msat(&self) -> u64 {
        self.parts.values().fold(0, |sum, part| sum.saturating_add(part.fee_msat))
    }
}

/// Who is to be told when a payment ends, and whether an earlier request began it.
#[derive(Clone, Copy, Debug)]
struct Waiter {
    reply: ReplyId,
    is_repeat: bool,
}

/// Payments that have not ended, and those that ended lately: asking again for one of them must
/// not pay it again.
#[derive(Debug, Default)]
pub(crate) struct Payments {
    pending: BTreeMap<PaymentId, Payment>,
    /// With the moment in `ended_order`.
    ended: BTreeMap<PaymentId, (u64, PaymentRow)>,
    /// When they ended by `now_ms`, oldest first.
    ended_order: VecDeque<(u64, PaymentId)>,
    /// Who is to be told when a payment ends.
    waiters: BTreeMap<PaymentId, Vec<Waiter>>,
}

impl Payments {
    pub(crate) fn pending_count(&self) -> usize {
        self.pending.len()
    }

    pub(crate) fn row(&self, payment: &PaymentId) -> Option<&PaymentRow> {
        self.pending
            .get(payment)
            .map(|payment| &payment.row)
            .or_else(|| self.ended.get(payment).map(|(_, row)| row))
    }

    /// The store knows them too; memory only bridges the moment until its readers see them.
    pub(crate) fn forget_ended(&mut self, now_ms: u64) {
        while let Some((ended_ms, payment)) = self.ended_order.front().copied() {
            let is_old = ended_ms.saturating_add(KEEP_ENDED_PAYMENTS_MS) <= now_ms;
            if !is_old && self.ended_order.len() <= MAX_ENDED_PAYMENTS {
                return;
            }
            self.ended_order.pop_front();
            // Unless it was tried, and ended, again.
            if self.ended.get(&payment).is_some_and(|(at_ms, _)| *at_ms == ended_ms) {
                self.ended.remove(&payment);
            }
        }
    }

    fn remember_ended(&mut self, now_ms: u64, row: PaymentRow) {
        self.ended_order.push_back((now_ms, row.id()));
        self.ended.insert(row.id(), (now_ms, row));
    }

    /// As found at start: its HTLCs may be out, but nothing is retried.
    pub(crate) fn resume(&mut self, begun_ms: u64, row: PaymentRow, parts: Vec<PartRow>) {
        let next_part = parts.iter().map(|part| part.part + 1).max().unwrap_or(0);
        let pending = parts.into_iter().filter(|part| part.status == PaymentStatus::Pending);
        let payment = Payment {
            begun_ms,
            parts: pending.map(|part| (part.part, part)).collect(),
            next_part,
            attempt: 0,
            is_routing: false,
            avoid: Vec::new(),
            last_failure: None,
            is_hopeless: true,
            plan: None,
            row,
        };
        self.pending.insert(payment.row.id(), payment);
    }

    /// True if nobody knows how the payment ended, since our data was an old copy.
    pub(crate) fn is_outcome_unknown(&self, payment: &PaymentId) -> bool {
        let row = self.pending.get(payment).map(|payment| &payment.row);
        row.is_some_and(|row| row.status == PaymentStatus::Unknown)
    }

    /// Payments, and their parts that were about to be sent or are out.
    pub(crate) fn pending_parts(&self) -> Vec<(PaymentId, Vec<u32>)> {
        let parts = |payment: &Payment| payment.parts.keys().copied().collect();
        self.pending.iter().map(|(id, payment)| (*id, parts(payment))).collect()
    }
}

impl Engine {
    /// True if the payment has not ended, but will: then `reply` is answered when it has.
    pub(crate) fn waits_for_end(
        &mut self,
        reply: ReplyId,
        row: &PaymentRow,
        is_repeat: bool,
    ) -> bool {
        if row.status != PaymentStatus::Pending {
            return false;
        }
        let waiters = self.payments.waiters.entry(row.id()).or_default();
        let has_room = waiters.len() < MAX_WAITERS_PER_PAYMENT;
        if has_room {
            waiters.push(Waiter { reply, is_repeat });
        }
        has_room
    }

    fn tell_waiters(&mut self, row: &PaymentRow) {
        let waiters = self.payments.waiters.remove(&row.id()).unwrap_or_default();
        for Waiter { reply, is_repeat } in waiters {
            let result = Ok(match is_repeat {
                true => Reply::EarlierPayment(row.clone()),
                false => Reply::Payment(row.clone()),
            });
            self.batch.act(Action::Reply { reply, result });
        }
    }

    /// Starts a payment. Answered with the row as it stands; the end is told by an event.
    pub(crate) fn start_payment(
        &mut self,
        row: PaymentRow,
        plan: Plan,
    ) -> Result<PaymentRow, Error> {
        let id = row.id();
        if let Some(earlier) = self.payments.row(&id)
            && earlier.status != PaymentStatus::Failed
        {
            return Ok(earlier.clone());
        }
        if self.payments.pending.len() >= MAX_PENDING_PAYMENTS {
            return Err(Error::new(Code::TooManyPayments, "too many payments are under way"));
        }
        self.check_balance(row.amount_msat)?;
        self.payments.ended.remove(&id);
        self.batch.writes.put(Row::Payment(row.clone()));
        let payment = Payment {
            row: row.clone(),
            begun_ms: self.now_ms,
            plan: Some(plan),
            parts: BTreeMap::new(),
            next_part: 0,
            attempt: 0,
            is_routing: false,
            avoid: Vec::new(),
            last_failure: None,
            is_hopeless: false,
        };
        self.payments.pending.insert(id, payment);
        self.ask_for_route(id);
        Ok(row)
    }

    fn check_balance(&self, amount_msat: u64) -> Result<(), Error> {
        let first_hops = self.usable_first_hops()?;
        let spendable_msat: u64 =
            first_hops.iter().fold(0, |sum, hop| sum.saturating_add(hop.spendable_msat));
        if spendable_msat < amount_msat {
            let text =
                format!("{} can be sent now, {} are needed", sat(spendable_msat), sat(amount_msat));
            return Err(Error::new(Code::InsufficientBalance, text));
        }
        Ok(())
    }

    pub(crate) fn usable_first_hops(&self) -> Result<Vec<FirstHop>, Error> {
        let first_hops = self.first_hops();
        if first_hops.is_empty() {
            return Err(self.no_channel());
        }
        Ok(first_hops)
    }

    /// Why no channel can carry anything: waiting helps, or only a person does.
    fn no_channel(&self) -> Error {
        let comes_back = |phase| matches!(phase, Phase::Offline | Phase::Syncing);
        if self.channels.iter().any(|(_, entry)| comes_back(entry.channel.phase())) {
            return Error::new(Code::NoActiveChannel, "no channel is active at the moment")
                .hint("wait until a peer is connected again; the list of channels tells more");
        }
        Error::new(Code::NoUsableChannel, "there is no channel, or all of them wait for a person")
    }

    fn ask_for_route(&mut self, id: PaymentId) {
        let first_hops = self.first_hops();
        let height = self.height;
        let Some(payment) = self.payments.pending.get_mut(&id) else { return };
        let Some(plan) = payment.plan.clone() else {
            return impossible!("a route is asked for by a plan");
        };
        payment.attempt += 1;
        payment.is_routing = true;
        let out = payment.parts.values();
        let (sent_msat, fees_msat) = out.fold((0u64, 0u64), |(sent, fees), part| {
            (sent.saturating_add(part.amount_msat), fees.saturating_add(part.fee_msat))
        });
        let request = RouteRequest {
            payment: id,
            payment_hash: payment.row.payment_hash,
            attempt: payment.attempt,
            destination: payment.row.destination,
            amount_msat: payment.row.amount_msat.saturating_sub(sent_msat),
            max_fee_msat: payment.row.max_fee_msat.saturating_sub(fees_msat),
            final_cltv_expiry_delta_blocks: plan.final_cltv_expiry_delta_blocks,
            height,
            hints: plan.hints,
            first_hops,
            avoid: payment.avoid.clone(),
            in_flight: payment.parts.values().map(|p| (p.path.clone(), p.amount_msat)).collect(),
            mpp: plan.mpp,
            recipient: plan.recipient,
        };
        self.batch.act(Action::FindRoute(Box::new(request)));
    }

    /// Channels that can carry something now.
    pub(crate) fn first_hops(&self) -> Vec<FirstHop> {
        self.channels
            .lively()
            .filter(|(_, entry)| entry.channel.phase() == Phase::Active)
            .map(|(link, entry)| {
                let summary = entry.channel.summary();
                FirstHop {
                    link: *link,
                    peer: entry.channel.remote(),
                    short_channel_id: entry.channel.scid(),
                    spendable_msat: summary.spendable_msat,
                    htlc_minimum_msat: summary.terms.htlc_minimum_msat,
                    capacity_msat: summary.capacity_msat,
                }
            })
            .collect()
    }

    pub(crate) fn route_found(
        &mut self,
        id: PaymentId,
        attempt: u32,
        result: Result<Vec<RoutedPart>, NoRoute>,
    ) {
        let Some(payment) = self.payments.pending.get_mut(&id) else { return };
        if !payment.is_routing || payment.attempt != attempt {
            return;
        }
        payment.is_routing = false;
        match result {
            Ok(parts) if !parts.is_empty() => self.send_parts(id, parts),
            Ok(_) => self.no_route(id, "no route was found".to_owned().into()),
            Err(reason) => self.no_route(id, reason),
        }
    }

    fn no_route(&mut self, id: PaymentId, reason: NoRoute) {
        let Some(payment) = self.payments.pending.get_mut(&id) else { return };
        payment.is_hopeless = true;
        // What a hop said is more telling than that nothing else is left.
        payment.last_failure.get_or_insert((reason.code.to_owned(), reason.text));
        self.retry_or_end(id);
    }

    /// All parts are in the books before the first is offered: one that is refused at once asks
    /// for another route, and that must not pay again what the others are about to.
    fn send_parts(&mut self, id: PaymentId, parts: Vec<RoutedPart>) {
        // By its channel: the first hop may be a payee who goes by another name.
        let first_hop =
            |part: &RoutedPart| self.channels.by_scid(part.path.first().map(|hop| hop.scid)?);
        let Some(first_hops) = parts.iter().map(first_hop).collect::<Option<Vec<_>>>() else {
            return self.no_route(id, "the route's first channel is gone".to_owned().into());
        };
        let mut htlcs = Vec::new();
        for (routed, first_hop) in parts.into_iter().zip(first_hops) {
            let Some(payment) = self.payments.pending.get_mut(&id) else {
                return impossible!("a payment stays while its parts are made");
            };
            let part = payment.next_part;
            payment.next_part += 1;
            let payment_hash = payment.row.payment_hash;
            let row = PartRow {
                payment: id,
                part,
                link: first_hop,
                amount_msat: routed.amount_msat.saturating_sub(routed.fee_msat),
                fee_msat: routed.fee_msat,
                session_key: routed.session_key,
                path: routed.path.iter().map(|hop| (hop.node_id, hop.scid)).collect(),
                status: PaymentStatus::Pending,
            };
            payment.parts.insert(part, row.clone());
            self.batch.writes.put(Row::Part(row));
            let token = self.new_token(Origin::Payment { payment: id, part });
            let htlc = NewHtlc {
                token,
                amount_msat: routed.amount_msat,
                payment_hash,
                cltv_expiry: routed.cltv_expiry,
                onion: Onion(routed.onion.into()),
                tlvs: Vec::new(),
                give_up_ms: self.now_ms.saturating_add(PAYMENT_WAIT_MS),
            };
            htlcs.push((first_hop, htlc));
        }
        for (first_hop, htlc) in htlcs {
            self.drive(first_hop, Input::Add(htlc));
        }
    }
}
