//! What blocks and time bring about: expired HTLCs, preimages at risk, unanswered messages
//! (docs/protocol.md sections 3.7 and 9.1).

use steward_htlc::{DropCause, LinkEvent};
use steward_wire::{ErrorCode, Preimage, UpdateAddHtlc};

use crate::commitment::Outcome;
use crate::errors::Fault;
use crate::io::Output;
use crate::limits::{PREIMAGE_AT_RISK_BLOCKS, PUBLISHED_GRACE_BLOCKS};
use crate::open::{Open, OpenChannel};

impl OpenChannel<'_> {
    pub(crate) fn on_block(&mut self) {
        self.expire_htlcs();
        self.suspend_over_published();
        self.report_preimages_at_risk();
        self.renew_day();
    }

    pub(crate) fn on_tick(&mut self) {
        self.renew_day();
        self.give_up_waiting();
        let env = self.env;
        if self.session.as_ref().is_some_and(|session| session.must_repeat_invoke(env)) {
            self.invoke();
        }
        if self.session.as_mut().is_some_and(|session| session.answer_is_overdue(env)) {
            self.reconnect(match self.open.since_start.times_forgotten {
                0 => "the peer did not answer in time",
                _ => "the host does not know the channel: it is asked again",
            });
        }
    }

    /// An HTLC of ours past its expiry, whose preimage is in no block up to there either, is lost
    /// to the peer's silence: it is failed for good, and a peer that lets this happen is not to be
    /// trusted with more.
    fn expire_htlcs(&mut self) {
        let env = self.env;
        let commitment = &self.open.commitment;
        let expired: Vec<u64> = commitment
            .local_htlcs()
            .filter(|htlc| env.height.min(env.searched_height) > htlc.cltv_expiry)
            .map(|htlc| htlc.id)
            .filter(|id| !commitment.outcomes().contains_key(id))
            .collect();
        if expired.is_empty() {
            return; // As with almost every block.
        }
        let text = "outgoing HTLC timed out";
        self.suspend(Fault::coded(ErrorCode::TimedOutOutgoingHtlc, text));
        for id in expired {
            self.note_outcome(id, Outcome::Expired);
            self.out.push(Output::Link(LinkEvent::HtlcDropped { id, cause: DropCause::Expired }));
        }
    }

    /// A preimage was published, and the peer, who should have learned it from whoever it offered
    /// the HTLC to, or from the chain, lets the expiry come near without fulfilling: it is not to
    /// be trusted with more.
    fn suspend_over_published(&mut self) {
        let commitment = &self.open.commitment;
        let is_late = |htlc: &UpdateAddHtlc| {
            self.env.height >= htlc.cltv_expiry.saturating_sub(PUBLISHED_GRACE_BLOCKS)
                && matches!(commitment.outcomes().get(&htlc.id), Some(Outcome::Published(_)))
        };
        if self.open.suspended.is_none() && commitment.local_htlcs().any(is_late) {
            let text = "HTLC fulfilled externally";
            self.suspend(Fault::coded(ErrorCode::HtlcExternalFulfill, text));
        }
    }

    fn report_preimages_at_risk(&mut self) {
        for (id, cltv_expiry, preimage) in self.open.new_preimages_at_risk(self.env.height) {
            self.open.since_start.at_risk.insert(id);
            self.out.push(Output::PreimageAtRisk { id, preimage, cltv_expiry });
        }
    }
}

impl Open {
    fn new_preimages_at_risk(&self, height: u32) -> Vec<(u64, u32, Preimage)> {
        let is_close = |htlc: &&UpdateAddHtlc| {
            height > htlc.cltv_expiry.saturating_sub(PREIMAGE_AT_RISK_BLOCKS)
                && !self.since_start.at_risk.contains(&htlc.id)
        };
        let close = self.commitment.signed().incoming_htlcs.iter().filter(is_close);
        close
            .filter_map(|htlc| Some((htlc.id, htlc.cltv_expiry, self.given_preimage(htlc.id)?)))
            .collect()
    }

    /// Forgets what was reported of HTLCs that are in no state any more.
    pub(crate) fn forget_settled(&mut self) {
        let commitment = &self.commitment;
        self.since_start.at_risk.retain(|id| commitment.incoming_htlc(*id).is_some());
    }
}
