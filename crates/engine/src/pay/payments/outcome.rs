//! The end of a payment's parts: they are paid, refused, failed or lost. The payment is tried again
//! or ends, and its end is told once.

use std::collections::BTreeMap;

use steward_htlc::{AddRefusal, Failure as ChannelFailure};
use steward_wire::{PaymentId, Preimage, impossible};

use crate::context::Context;
use crate::face::event::EventKind;
use crate::face::hold_report::HoldReport;
use crate::face::io::{Action, PathResult};
use crate::face::limits::{MAX_PAYMENT_ATTEMPTS, PAYMENT_RETRY_MS};
use crate::face::row::{Origin, PartRow, PaymentStatus, Row};
use crate::htlc::outgoing::Outgoing;
use crate::link::links::Links;
use crate::pay::failure::meaning_of;
use crate::pay::payments::Payments;
use crate::step::Ending;

impl Payments {
    /// A part has ended.
    pub(crate) fn part_ended(
        &mut self,
        cx: &mut Context,
        links: &Links,
        outgoing: &Outgoing,
        id: PaymentId,
        part: u32,
        ending: Ending,
    ) {
        // A preimage that proved the payment may have ended its parts before.
        let Some(row) = self.end_part(id, part) else { return };
        match ending {
            Ending::Fulfilled(preimage, tlvs) => {
                if let Some(report) = HoldReport::of_fulfill(&row, &tlvs) {
                    cx.act(Action::HoldTimes(Box::new(report)));
                }
                self.part_paid(cx, outgoing, row, preimage);
            }
            Ending::Failed(failure) => self.part_failed(cx, row, Some(&failure)),
            Ending::Dropped(_) => self.part_failed(cx, row, None),
        }
        self.retry_or_end(cx, links, id);
    }

    fn end_part(&mut self, id: PaymentId, part: u32) -> Option<PartRow> {
        self.pending.get_mut(&id)?.parts.remove(&part)
    }

    /// The first preimage proves the payment; the other parts can only follow.
    fn part_paid(
        &mut self,
        cx: &mut Context,
        outgoing: &Outgoing,
        mut row: PartRow,
        preimage: Preimage,
    ) {
        let id = row.payment;
        let Some(payment) = self.pending.get(&id) else {
            return impossible!("a part belongs to a payment");
        };
        let fee_msat = payment.fee_msat().saturating_add(row.fee_msat);
        row.status = PaymentStatus::Complete;
        let path = row.path.clone();
        let amount_msat = row.amount_msat;
        cx.put(Row::Part(row));
        cx.act(Action::PathResult(PathResult { path, amount_msat, failed: None }));
        self.complete(cx, outgoing, id, preimage, fee_msat);
    }

    /// A preimage proves a payment whose end we missed, whichever way it came.
    pub(crate) fn proved(
        &mut self,
        cx: &mut Context,
        links: &Links,
        outgoing: &Outgoing,
        preimage: Preimage,
    ) {
        let id = preimage.hash().into();
        // It is the preimage of a forward, or of a payment that ended before.
        let Some(payment) = self.pending.get(&id) else { return };
        if payment.row.status == PaymentStatus::Unknown {
            let fee_msat = payment.fee_msat();
            self.complete(cx, outgoing, id, preimage, fee_msat);
            self.retry_or_end(cx, links, id);
        }
    }

    fn complete(
        &mut self,
        cx: &mut Context,
        outgoing: &Outgoing,
        id: PaymentId,
        preimage: Preimage,
        fee_msat: u64,
    ) {
        let Some(payment) = self.pending.get_mut(&id) else {
            return impossible!("a payment that is complete has not ended");
        };
        let was_unknown = payment.row.status == PaymentStatus::Unknown;
        // Other parts of it may be paid after the first.
        if payment.row.status != PaymentStatus::Pending && !was_unknown {
            return;
        }
        payment.row.status = PaymentStatus::Complete;
        payment.row.preimage = Some(preimage);
        payment.row.failure = None;
        payment.row.fee_msat = fee_msat;
        payment.row.ended_ms = Some(cx.wall_ms());
        let row = payment.row.clone();
        if was_unknown {
            self.complete_lost_parts(cx, outgoing, id);
        }
        cx.put(Row::Payment(row.clone()));
        self.tell_waiters(cx, &row);
        cx.notice(EventKind::PaymentSent {
            payment_hash: row.payment_hash,
            preimage,
            amount_msat: row.amount_msat,
            fee_msat,
        });
    }

    /// Marks parts that ended unseen as paid: nothing more will be heard of them.
    fn complete_lost_parts(&mut self, cx: &mut Context, outgoing: &Outgoing, id: PaymentId) {
        let out = outgoing.out();
        let Some(payment) = self.pending.get_mut(&id) else {
            return impossible!("a payment that is complete has not ended");
        };
        let is_out = |part: u32| out.contains(&Origin::Payment { payment: id, part });
        let (out, lost) =
            std::mem::take(&mut payment.parts).into_iter().partition(|(part, _)| is_out(*part));
        payment.parts = out;
        let lost: BTreeMap<u32, PartRow> = lost;
        for (_, row) in lost {
            let row = PartRow { status: PaymentStatus::Complete, ..row };
            cx.put(Row::Part(row));
        }
    }

    /// A part never left us.
    pub(crate) fn part_refused(
        &mut self,
        cx: &mut Context,
        links: &Links,
        id: PaymentId,
        part: u32,
        reason: AddRefusal,
    ) {
        // As in `part_ended`.
        let Some(row) = self.end_part(id, part) else { return };
        let Some(payment) = self.pending.get_mut(&id) else {
            return impossible!("a part belongs to a payment");
        };
        payment.last_failure = Some(("channel_refused".to_owned(), reason.to_string()));
        // Balances change. Only a refusal by the terms will be repeated the next time.
        let by_terms = matches!(
            reason,
            AddRefusal::BelowMinimum { .. }
                | AddRefusal::ExpiryTooSoon
                | AddRefusal::ExpiryTooFar
                | AddRefusal::CountersExhausted
        );
        if by_terms && let Some((_, scid)) = row.path.first() {
            payment.avoid.push(*scid);
        }
        put_failed(cx, row);
        self.retry_or_end(cx, links, id);
    }

    /// A part failed: by the peer, with its failure, or because its channel dropped it.
    fn part_failed(&mut self, cx: &mut Context, row: PartRow, failure: Option<&ChannelFailure>) {
        let Some(payment) = self.pending.get_mut(&row.payment) else {
            return impossible!("a part belongs to a payment");
        };
        let meaning = meaning_of(&row, failure);
        if let Some(report) = meaning.report {
            cx.act(Action::HoldTimes(Box::new(report)));
        }
        payment.avoid.extend(meaning.failed_scid);
        payment.is_hopeless |= meaning.is_final;
        payment.last_failure = Some((meaning.code.to_owned(), meaning.message));
        if let Some(scid) = meaning.failed_scid {
            let (path, amount_msat) = (row.path.clone(), row.amount_msat);
            let failed = Some(Some(scid));
            cx.act(Action::PathResult(PathResult { path, amount_msat, failed }));
        }
        put_failed(cx, row);
    }

    /// Fails parts found at start that never left us.
    pub(crate) fn parts_lost(
        &mut self,
        cx: &mut Context,
        links: &Links,
        id: PaymentId,
        parts: &[u32],
    ) {
        for part in parts {
            match self.end_part(id, *part) {
                Some(row) => put_failed(cx, row),
                None => impossible!("a part that is lost is there"),
            }
        }
        self.retry_or_end(cx, links, id);
    }

    /// The end is unknown until a preimage proves that the payment was paid: it must not be called
    /// failed.
    pub(crate) fn mark_outcome_unknown(&mut self, cx: &mut Context, id: PaymentId) {
        // Its other parts may have ended it before.
        let Some(payment) = self.pending.get_mut(&id) else { return };
        if payment.row.status != PaymentStatus::Pending {
            return;
        }
        let text = "our data was restored from an old copy: whether this was paid is not known";
        payment.row.status = PaymentStatus::Unknown;
        payment.row.failure = Some(("outcome_unknown".to_owned(), text.to_owned()));
        payment.is_hopeless = true;
        let row = payment.row.clone();
        cx.put(Row::Payment(row.clone()));
        self.tell_waiters(cx, &row);
    }

    pub(super) fn retry_or_end(&mut self, cx: &mut Context, links: &Links, id: PaymentId) {
        let now_ms = cx.now_ms();
        if self.is_outcome_unknown(&id) {
            return;
        }
        let Some(payment) = self.pending.get_mut(&id) else {
            return impossible!("a payment stays until its last part has ended");
        };
        if payment.row.status == PaymentStatus::Pending {
            let in_time = now_ms < payment.begun_ms.saturating_add(PAYMENT_RETRY_MS);
            let may_retry = !payment.is_hopeless
                && payment.plan.is_some()
                && payment.attempt < MAX_PAYMENT_ATTEMPTS
                && in_time;
            if may_retry {
                // This also holds if a route is under way: it was asked for before this part came
                // back.
                self.ask_for_route(cx, links, id);
                return;
            }
        }
        if payment.parts.is_empty() {
            self.end_payment(cx, id);
        }
    }

    fn end_payment(&mut self, cx: &mut Context, id: PaymentId) {
        let Some(payment) = self.pending.remove(&id) else {
            return impossible!("a payment ends once");
        };
        let mut row = payment.row;
        if row.status == PaymentStatus::Pending {
            let (code, message) = payment.last_failure.unwrap_or_else(|| {
                let text = "the node stopped before the payment had left it";
                ("interrupted".to_owned(), text.to_owned())
            });
            row.status = PaymentStatus::Failed;
            row.failure = Some((code.clone(), message.clone()));
            row.ended_ms = Some(cx.wall_ms());
            cx.put(Row::Payment(row.clone()));
            self.tell_waiters(cx, &row);
            cx.notice(EventKind::PaymentFailed { payment_hash: row.payment_hash, code, message });
        }
        self.remember_ended(cx.now_ms(), row);
        self.forget_ended(cx.now_ms());
    }
}

fn put_failed(cx: &mut Context, row: PartRow) {
    cx.put(Row::Part(PartRow { status: PaymentStatus::Failed, ..row }));
}
