//! What blocks and time bring about: expired HTLCs, preimages at risk, unanswered messages
//! (protocol.md sections 3.7 and 9.1).

use steward_wire::{ErrorCode, Preimage, UpdateAddHtlc};

use crate::channel::{Channel, Outcome};
use crate::errors::Fault;
use crate::io::{AddRefusal, DropCause, Env, Output, Role};
use crate::limits::{PREIMAGE_AT_RISK_BLOCKS, PUBLISHED_GRACE_BLOCKS};
use crate::next_state::Update;

impl Channel {
    pub(crate) fn on_block(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        self.expire_htlcs(env, out);
        self.suspend_over_published(env, out);
        self.report_preimages_at_risk(env, out);
        self.renew_day(env);
    }

    pub(crate) fn on_tick(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        self.renew_day(env);
        self.give_up_waiting(env, out);
        self.repeat_invoke(env, out);
        if self.answer_due_ms.is_none_or(|due_ms| env.now_ms < due_ms) {
            return;
        }
        self.answer_due_ms = None;
        if self.signed.is_none() && self.role == Role::Host {
            return self.fail_opening("the client did not finish the opening".to_owned(), out);
        }
        let why = match self.times_forgotten {
            0 => "the peer did not answer in time",
            _ => "the host does not know the channel: it is asked again",
        };
        self.reconnect(why, out);
    }

    /// The earliest `Env::now_ms` at which [`Input::Tick`](crate::Input::Tick) has
    /// an effect.
    pub fn deadline_ms(&self) -> Option<u64> {
        let give_up_ms = self.waiting_adds.iter().map(|htlc| htlc.give_up_ms);
        give_up_ms.chain(self.answer_due_ms).chain(self.repeat_invoke_ms).min()
    }

    /// An own HTLC past its expiry, whose preimage is in no block up to there either, is lost to
    /// the peer's silence: it is failed for good, and a peer that lets this happen is not to be
    /// trusted with more.
    fn expire_htlcs(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        let expired: Vec<u64> = self
            .own_htlcs()
            .filter(|htlc| env.height.min(env.searched_height) > htlc.cltv_expiry)
            .map(|htlc| htlc.id)
            .filter(|id| !self.outcomes.contains_key(id))
            .collect();
        if expired.is_empty() {
            return;
        }
        self.changed = true;
        self.suspend(Fault::coded(ErrorCode::TimedOutOutgoingHtlc, "outgoing HTLC timed out"), out);
        for id in expired {
            self.outcomes.insert(id, Outcome::Expired);
            out.push(Output::HtlcDropped { id, cause: DropCause::Expired });
        }
    }

    /// A preimage was published, and the peer, who should have learned it from whoever it offered
    /// the HTLC to, or from the chain, lets the expiry come near without fulfilling: it is not to
    /// be trusted with more.
    fn suspend_over_published(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        let is_late = |htlc: &UpdateAddHtlc| {
            env.height >= htlc.cltv_expiry.saturating_sub(PUBLISHED_GRACE_BLOCKS)
                && matches!(self.outcomes.get(&htlc.id), Some(Outcome::Published(_)))
        };
        if !self.is_suspended() && self.own_htlcs().any(is_late) {
            let text = "HTLC fulfilled externally";
            self.suspend(Fault::coded(ErrorCode::HtlcExternalFulfill, text), out);
        }
    }

    fn report_preimages_at_risk(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        let Some(signed) = &self.signed else { return };
        let at_risk: Vec<(u64, u32, Preimage)> = signed
            .incoming_htlcs
            .iter()
            .filter(|htlc| {
                env.height > htlc.cltv_expiry.saturating_sub(PREIMAGE_AT_RISK_BLOCKS)
                    && !self.at_risk.contains(&htlc.id)
            })
            .filter_map(|htlc| Some((htlc.id, htlc.cltv_expiry, self.given_preimage(htlc.id)?)))
            .collect();
        for (id, cltv_expiry, preimage) in at_risk {
            self.at_risk.insert(id);
            out.push(Output::PreimageAtRisk { id, preimage, cltv_expiry });
        }
    }

    fn give_up_waiting(&mut self, env: &Env<'_>, out: &mut Vec<Output>) {
        self.waiting_adds.retain(|htlc| {
            let is_over = htlc.give_up_ms <= env.now_ms;
            if is_over {
                let (token, reason) = (htlc.token, AddRefusal::TooManyHtlcs);
                out.push(Output::HtlcRefused { token, reason });
            }
            !is_over
        });
    }

    /// Every own HTLC that was sent and is not removed by a signed state.
    pub(crate) fn own_htlcs(&self) -> impl Iterator<Item = &UpdateAddHtlc> {
        let signed = self.signed.iter().flat_map(|signed| &signed.outgoing_htlcs);
        signed.chain(self.own.iter().filter_map(Update::as_add))
    }
}
