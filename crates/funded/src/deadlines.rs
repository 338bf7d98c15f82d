//! What a block brings: HTLCs that have to be taken to the chain, and a peer that does not close.

use crate::io::{CloseReason, Output};
use crate::ledger::TheirStage;
use crate::limits::{
    ANSWER_BLOCKS, ASK_PEER_BLOCKS, CLAIM_BLOCKS, FUNDING_TIMEOUT_BLOCKS, OUTGOING_GRACE_BLOCKS,
};
use crate::live::{Live, OwnCommitment};
use crate::step::Step;
use steward_htlc::Settlement;

impl Step<'_> {
    pub(crate) fn check_deadlines(&mut self) {
        let height = self.env.height;
        let funding = &self.live.funding;
        if !funding.is_ready && funding.scid.is_none() {
            // There is nothing on chain to publish a commitment of, whatever the peer has said.
            let last = self.live.opened_height.saturating_add(FUNDING_TIMEOUT_BLOCKS);
            if height > last {
                let why = "the funding transaction has not confirmed".to_owned();
                self.out.push(Output::OpeningFailed(why));
            }
            return;
        }
        if let Some(reason) = due(self.live, height) {
            self.publish(reason);
        } else if let Some(closing) = &self.live.closing
            && closing.own == OwnCommitment::Held
            && height >= closing.height.saturating_add(ASK_PEER_BLOCKS)
        {
            self.publish(closing.reason.clone());
        }
        if self.live.closing.is_none() {
            self.report_unanswered();
        }
    }

    fn report_unanswered(&mut self) {
        let height = self.env.height;
        for (id, htlc) in &self.live.ledger.theirs {
            let is_late = height.saturating_add(ANSWER_BLOCKS) >= htlc.add.cltv_expiry;
            let is_open = htlc.stage <= TheirStage::Committed && htlc.answer.is_none();
            if is_late && is_open && self.session.unanswered.insert(*id) {
                let cltv_expiry = htlc.add.cltv_expiry;
                self.out.push(Output::Unanswered { id: *id, cltv_expiry });
            }
        }
        let theirs = &self.live.ledger.theirs;
        self.session.unanswered.retain(|id| theirs.contains_key(id));
    }
}

/// The reason why our commitment has to be published now, if there is one.
fn due(live: &Live, height: u32) -> Option<CloseReason> {
    // An HTLC that was fulfilled is waited for as well: until it is removed, its output is there.
    let outgoing = live
        .ledger
        .ours
        .iter()
        .find(|(_, htlc)| height >= htlc.add.cltv_expiry.saturating_add(OUTGOING_GRACE_BLOCKS));
    if let Some((id, _)) = outgoing {
        return Some(CloseReason::OutgoingExpired { id: *id });
    }
    let incoming = live.ledger.theirs.iter().find(|(_, htlc)| {
        let is_claimed = matches!(htlc.answer, Some(Settlement::Fulfill { .. }));
        is_claimed && height.saturating_add(CLAIM_BLOCKS) >= htlc.add.cltv_expiry
    });
    incoming.map(|(id, _)| CloseReason::IncomingAtRisk { id: *id })
}
