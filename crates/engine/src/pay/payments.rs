//! Our payments: each is begun once, gets routes, and offers its parts. Their end is in `outcome`.

use std::collections::{BTreeMap, VecDeque};

use steward_invoice::{HintHop, Invoice};
use steward_wire::{Onion, PaymentHash, PaymentId, Preimage, ShortChannelId, impossible};

use crate::context::Context;
use crate::face::code::Code;
use crate::face::command::Reply;
use crate::face::error::Error;
use crate::face::io::{Action, NoRoute, Recipient, ReplyId, RouteRequest, RoutedPart};
use crate::face::limits::{
    KEEP_ENDED_PAYMENTS_MS, MAX_ENDED_PAYMENTS, MAX_PENDING_PAYMENTS, MAX_WAITERS_PER_PAYMENT,
    PAYMENT_WAIT_MS,
};
use crate::face::row::{Origin, PartRow, PaymentRow, PaymentStatus, Row};
use crate::link::links::Links;
use crate::pay::first_hops::{check_balance, first_hops};
use crate::step::{Offer, Step};

mod outcome;

/// The data that a new attempt needs. A restart loses them: then nothing is retried.
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
                crate::face::limits::MIN_FINAL_CLTV_EXPIRY_DELTA_BLOCKS,
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

/// A payment with HTLCs in flight, or about to have some.
#[derive(Clone, Debug)]
struct Payment {
    row: PaymentRow,
    /// The moment at which it was begun or found at start, by `now_ms`.
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
    fn resume(begun_ms: u64, row: PaymentRow, parts: Vec<PartRow>) -> Self {
        let next_part = parts.iter().map(|part| part.part + 1).max().unwrap_or(0);
        let pending = parts.into_iter().filter(|part| part.status == PaymentStatus::Pending);
        Self {
            row,
            begun_ms,
            plan: None,
            parts: pending.map(|part| (part.part, part)).collect(),
            next_part,
            attempt: 0,
            is_routing: false,
            avoid: Vec::new(),
            last_failure: None,
            is_hopeless: true,
        }
    }

    fn start(begun_ms: u64, row: PaymentRow, plan: Plan) -> Self {
        let plan = Some(plan);
        Self { plan, is_hopeless: false, ..Self::resume(begun_ms, row, Vec::new()) }
    }

    /// The fees of all parts that are in flight, or may have been, in millisatoshi.
    fn fee_msat(&self) -> u64 {
        self.parts.values().fold(0, |sum, part| sum.saturating_add(part.fee_msat))
    }
}

/// A caller to be told when a payment ends, and whether an earlier request began it.
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
    /// The payments that ended lately, each with its moment in `ended_order`.
    ended: BTreeMap<PaymentId, (u64, PaymentRow)>,
    /// The moments at which they ended, by `now_ms`, oldest first.
    ended_order: VecDeque<(u64, PaymentId)>,
    /// The callers to be told when a payment ends.
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

    /// A payment that has not ended, or ended lately.
    pub(crate) fn find(&self, hash: &PaymentHash) -> Result<PaymentRow, Error> {
        self.row(&(*hash).into()).cloned().ok_or_else(|| {
            Error::new(Code::UnknownPayment, "no payment with this hash is under way")
        })
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

    /// Takes up the payments found at start: their HTLCs may be in flight, but nothing is retried.
    pub(crate) fn resume(cx: &Context, rows: Vec<PaymentRow>, parts: Vec<PartRow>) -> Self {
        let mut by_payment: BTreeMap<PaymentId, Vec<PartRow>> = BTreeMap::new();
        for part in parts {
            by_payment.entry(part.payment).or_default().push(part);
        }
        let mut payments = Self::default();
        for row in rows {
            let parts = by_payment.remove(&row.id()).unwrap_or_default();
            payments.pending.insert(row.id(), Payment::resume(cx.now_ms(), row, parts));
        }
        payments
    }

    /// True if it is unknown how the payment ended, since our data was an old copy.
    pub(crate) fn is_outcome_unknown(&self, payment: &PaymentId) -> bool {
        let row = self.pending.get(payment).map(|payment| &payment.row);
        row.is_some_and(|row| row.status == PaymentStatus::Unknown)
    }

    /// Payments, and their parts that were about to be sent or are in flight.
    pub(crate) fn pending_parts(&self) -> Vec<(PaymentId, Vec<u32>)> {
        let parts = |payment: &Payment| payment.parts.keys().copied().collect();
        self.pending.iter().map(|(id, payment)| (*id, parts(payment))).collect()
    }

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
        let waiters = self.waiters.entry(row.id()).or_default();
        let has_room = waiters.len() < MAX_WAITERS_PER_PAYMENT;
        if has_room {
            waiters.push(Waiter { reply, is_repeat });
        }
        has_room
    }

    fn tell_waiters(&mut self, cx: &mut Context, row: &PaymentRow) {
        let waiters = self.waiters.remove(&row.id()).unwrap_or_default();
        for Waiter { reply, is_repeat } in waiters {
            let result = Ok(match is_repeat {
                true => Reply::EarlierPayment(row.clone()),
                false => Reply::Payment(row.clone()),
            });
            cx.act(Action::Reply { reply, result });
        }
    }

    /// Starts a payment, and returns its row. The end is told by an event, and to the callers that
    /// wait.
    pub(crate) fn start(
        &mut self,
        cx: &mut Context,
        links: &Links,
        row: PaymentRow,
        plan: Plan,
    ) -> Result<PaymentRow, Error> {
        let id = row.id();
        if let Some(earlier) = self.row(&id)
            && earlier.status != PaymentStatus::Failed
        {
            return Ok(earlier.clone());
        }
        if self.pending.len() >= MAX_PENDING_PAYMENTS {
            return Err(Error::new(Code::TooManyPayments, "too many payments are under way"));
        }
        check_balance(links, row.amount_msat)?;
        self.ended.remove(&id);
        cx.put(Row::Payment(row.clone()));
        let payment = Payment::start(cx.now_ms(), row.clone(), plan);
        self.pending.insert(id, payment);
        self.ask_for_route(cx, links, id);
        Ok(row)
    }

    fn ask_for_route(&mut self, cx: &mut Context, links: &Links, id: PaymentId) {
        let Some(payment) = self.pending.get_mut(&id) else {
            return impossible!("a route is asked for a payment that has not ended");
        };
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
            height: cx.height(),
            hints: plan.hints,
            first_hops: first_hops(links),
            avoid: payment.avoid.clone(),
            in_flight: payment.parts.values().map(|p| (p.path.clone(), p.amount_msat)).collect(),
            mpp: plan.mpp,
            recipient: plan.recipient,
        };
        cx.act(Action::FindRoute(Box::new(request)));
    }

    pub(crate) fn route_found(
        &mut self,
        cx: &mut Context,
        links: &Links,
        id: PaymentId,
        attempt: u32,
        result: Result<Vec<RoutedPart>, NoRoute>,
    ) {
        // Another part proved or failed the payment while the route was looked for.
        let Some(payment) = self.pending.get_mut(&id) else { return };
        if !payment.is_routing || payment.attempt != attempt {
            return;
        }
        payment.is_routing = false;
        match result {
            Ok(parts) if !parts.is_empty() => self.send_parts(cx, links, id, parts),
            Ok(_) => self.no_route(cx, links, id, "no route was found".to_owned().into()),
            Err(reason) => self.no_route(cx, links, id, reason),
        }
    }

    fn no_route(&mut self, cx: &mut Context, links: &Links, id: PaymentId, reason: NoRoute) {
        let Some(payment) = self.pending.get_mut(&id) else {
            return impossible!("a payment stays while its route is looked for");
        };
        payment.is_hopeless = true;
        // The failure of a hop tells more than that no route is left.
        payment.last_failure.get_or_insert((reason.code.to_owned(), reason.text));
        self.retry_or_end(cx, links, id);
    }

    /// All parts are in the books before the first is offered: one that is refused asks for
    /// another route, and that must not pay again what the others are about to.
    fn send_parts(
        &mut self,
        cx: &mut Context,
        links: &Links,
        id: PaymentId,
        parts: Vec<RoutedPart>,
    ) {
        // The channel names the first hop, which may be a payee with another node id.
        let first_hop = |part: &RoutedPart| links.by_scid(part.path.first().map(|hop| hop.scid)?);
        let Some(first_hops) = parts.iter().map(first_hop).collect::<Option<Vec<_>>>() else {
            return self.no_route(
                cx,
                links,
                id,
                "the route's first channel is gone".to_owned().into(),
            );
        };
        let Some(payment) = self.pending.get_mut(&id) else {
            return impossible!("a payment stays while its route is used");
        };
        for (routed, link) in parts.into_iter().zip(first_hops) {
            let part = payment.next_part;
            payment.next_part += 1;
            let row = PartRow {
                payment: id,
                part,
                link,
                amount_msat: routed.amount_msat.saturating_sub(routed.fee_msat),
                fee_msat: routed.fee_msat,
                session_key: routed.session_key,
                path: routed.path.iter().map(|hop| (hop.node_id, hop.scid)).collect(),
                status: PaymentStatus::Pending,
            };
            payment.parts.insert(part, row.clone());
            cx.put(Row::Part(row));
            cx.push(Step::Offer(Box::new(Offer {
                origin: Origin::Payment { payment: id, part },
                link,
                amount_msat: routed.amount_msat,
                payment_hash: payment.row.payment_hash,
                cltv_expiry: routed.cltv_expiry,
                onion: Onion(routed.onion.into()),
                tlvs: Vec::new(),
                give_up_ms: cx.now_ms().saturating_add(PAYMENT_WAIT_MS),
            })));
        }
    }
}
