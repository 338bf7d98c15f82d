//! What becomes of a payment's parts: paid, refused, failed, lost; tried again or ended, and the
//! end told once.

use std::collections::{BTreeMap, BTreeSet};

use steward_hosted::{AddRefusal, Failure as ChannelFailure};
use steward_wire::{PaymentId, Preimage, impossible};

use crate::attribution::HoldReport;
use crate::engine::Engine;
use crate::io::{Action, EventKind, PathResult};
use crate::limits::{MAX_PAYMENT_ATTEMPTS, PAYMENT_RETRY_MS};
use crate::row::{Origin, PartRow, PaymentStatus, Row};
use crate::verdict::judge;

impl Engine {
    /// The first preimage proves the payment; the other parts can only follow.
    pub(crate) fn part_paid(&mut self, id: PaymentId, part: u32, preimage: Preimage, tlvs: &[u8]) {
        let Some(payment) = self.payments.pending.get_mut(&id) else { return };
        let fee_msat = payment.fee_msat();
        let Some(mut row) = payment.parts.remove(&part) else { return };
        row.status = PaymentStatus::Complete;
        if let Some(report) = HoldReport::of_fulfill(&row, tlvs) {
            self.batch.act(Action::HoldTimes(Box::new(report)));
        }
        let path = row.path.clone();
        let amount_msat = row.amount_msat;
        self.batch.writes.put(Row::Part(row));
        self.batch.act(Action::PathResult(PathResult { path, amount_msat, failed: None }));
        self.complete_payment(id, preimage, fee_msat);
        self.retry_or_end(id);
    }

    /// The preimage of a payment whose end we missed, whatever way it came.
    pub(crate) fn payment_proved(&mut self, preimage: Preimage) {
        let id = preimage.hash().into();
        let Some(payment) = self.payments.pending.get(&id) else { return };
        if payment.row.status == PaymentStatus::Unknown {
            let fee_msat = payment.fee_msat();
            self.complete_payment(id, preimage, fee_msat);
            self.retry_or_end(id);
        }
    }

    fn complete_payment(&mut self, id: PaymentId, preimage: Preimage, fee_msat: u64) {
        let Some(payment) = self.payments.pending.get_mut(&id) else { return };
        let was_unknown = payment.row.status == PaymentStatus::Unknown;
        // Other parts of it may be paid after the first.
        if payment.row.status != PaymentStatus::Pending && !was_unknown {
            return;
        }
        payment.row.status = PaymentStatus::Complete;
        payment.row.preimage = Some(preimage);
        payment.row.failure = None;
        payment.row.fee_msat = fee_msat;
        payment.row.ended_ms = Some(self.wall_ms);
        let row = payment.row.clone();
        if was_unknown {
            self.complete_lost_parts(id);
        }
        self.batch.writes.put(Row::Payment(row.clone()));
        self.tell_waiters(&row);
        self.notice(EventKind::PaymentSent {
            payment_hash: row.payment_hash,
            preimage,
            amount_msat: row.amount_msat,
            fee_msat,
        });
    }

    /// Of parts that ended unseen nothing more will be heard.
    fn complete_lost_parts(&mut self, id: PaymentId) {
        let out: BTreeSet<Origin> =
            self.origins.values().chain(self.unsent.values()).copied().collect();
        let Some(payment) = self.payments.pending.get_mut(&id) else { return };
        let is_out = |part: u32| out.contains(&Origin::Payment { payment: id, part });
        let (out, lost) =
            std::mem::take(&mut payment.parts).into_iter().partition(|(part, _)| is_out(*part));
        payment.parts = out;
        let lost: BTreeMap<u32, PartRow> = lost;
        for (_, row) in lost {
            let row = PartRow { status: PaymentStatus::Complete, ..row };
            self.batch.writes.put(Row::Part(row));
        }
    }

    /// A part that never left us.
    pub(crate) fn part_refused(&mut self, id: PaymentId, part: u32, reason: AddRefusal) {
        let Some(row) = self.remove_failed_part(id, part) else { return };
        let Some(payment) = self.payments.pending.get_mut(&id) else {
            return impossible!("a part belongs to a payment");
        };
        payment.last_failure = Some(("channel_refused".to_owned(), reason.to_string()));
        // Balances move; only what the terms forbid will be forbidden the next time too.
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
        self.retry_or_end(id);
    }

    /// A part that came back, with the peer's failure or, if its channel dropped it, without.
    pub(crate) fn part_failed(
        &mut self,
        id: PaymentId,
        part: u32,
        failure: Option<&ChannelFailure>,
    ) {
        let Some(row) = self.remove_failed_part(id, part) else { return };
        let verdict = judge(&row, failure);
        if let Some(report) = verdict.report {
            self.batch.act(Action::HoldTimes(Box::new(report)));
        }
        if let Some(scid) = verdict.failed_scid {
            let (path, amount_msat) = (row.path, row.amount_msat);
            let failed = Some(Some(scid));
            self.batch.act(Action::PathResult(PathResult { path, amount_msat, failed }));
        }
        let Some(payment) = self.payments.pending.get_mut(&id) else { return };
        payment.avoid.extend(verdict.failed_scid);
        payment.is_hopeless |= verdict.is_final;
        payment.last_failure = Some((verdict.code.to_owned(), verdict.message));
        self.retry_or_end(id);
    }

    /// As found at start: a part that never left.
    pub(crate) fn part_lost(&mut self, id: PaymentId, part: u32) {
        self.remove_failed_part(id, part);
    }

    fn remove_failed_part(&mut self, id: PaymentId, part: u32) -> Option<PartRow> {
        let payment = self.payments.pending.get_mut(&id)?;
        let mut row = payment.parts.remove(&part)?;
        row.status = PaymentStatus::Failed;
        self.batch.writes.put(Row::Part(row.clone()));
        Some(row)
    }

    /// Nobody knows how it ended, until a preimage proves that it was paid: it must not be called failed.
    pub(crate) fn mark_outcome_unknown(&mut self, id: PaymentId) {
        let Some(payment) = self.payments.pending.get_mut(&id) else { return };
        if payment.row.status != PaymentStatus::Pending {
            return;
        }
        let text = "our data was restored from an old copy: whether this was paid is not known";
        payment.row.status = PaymentStatus::Unknown;
        payment.row.failure = Some(("outcome_unknown".to_owned(), text.to_owned()));
        payment.is_hopeless = true;
        let row = payment.row.clone();
        self.batch.writes.put(Row::Payment(row.clone()));
        self.tell_waiters(&row);
    }

    pub(crate) fn retry_or_end(&mut self, id: PaymentId) {
        let now_ms = self.now_ms;
        if self.payments.is_outcome_unknown(&id) {
            return;
        }
        let Some(payment) = self.payments.pending.get_mut(&id) else { return };
        if payment.row.status == PaymentStatus::Pending {
            let in_time = now_ms < payment.begun_ms.saturating_add(PAYMENT_RETRY_MS);
            let may_retry = !payment.is_hopeless
                && payment.plan.is_some()
                && payment.attempt < MAX_PAYMENT_ATTEMPTS
                && in_time;
            if may_retry {
                // Also if a route is under way: it was asked for before this part came back.
                self.ask_for_route(id);
                return;
            }
        }
        if payment.parts.is_empty() {
            self.end_payment(id);
        }
    }

    fn end_payment(&mut self, id: PaymentId) {
        let Some(payment) = self.payments.pending.remove(&id) else { return };
        let mut row = payment.row;
        if row.status == PaymentStatus::Pending {
            let (code, message) = payment.last_failure.unwrap_or_else(|| {
                let text = "the node stopped before the payment had left it";
                ("interrupted".to_owned(), text.to_owned())
            });
            row.status = PaymentStatus::Failed;
            row.failure = Some((code.clone(), message.clone()));
            row.ended_ms = Some(self.wall_ms);
            self.batch.writes.put(Row::Payment(row.clone()));
            self.tell_waiters(&row);
            self.notice(EventKind::PaymentFailed { payment_hash: row.payment_hash, code, message });
        }
        self.payments.remember_ended(self.now_ms, row);
        self.payments.forget_ended(self.now_ms);
    }
}
