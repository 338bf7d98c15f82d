//! The one durable decision that the channel ends. After it nothing is signed and nothing revoked
//! (docs/design.md section 4, rule 12); before it our own commitment is never published.

use bitcoin::Transaction;
use steward_htlc::LinkEvent;
use steward_wire::{ChannelMessage, ChannelReestablish, Preimage, WireError};

use crate::io::{CloseReason, Output, Resolve, Spend};
use crate::limits::MAX_REASON_TEXT_BYTES;
use crate::live::{Closing, OwnCommitment};
use crate::session::Stage;
use crate::spend;
use crate::step::Step;

/// Errors of LND's after which it goes on: the channel does not end over them.
const HARMLESS_ERRORS: [&str; 2] = ["internal error", "link failed to shutdown"];

impl Step<'_> {
    /// The channel has failed: the peer is asked to close it.
    pub(crate) fn fail(&mut self, reason: CloseReason) {
        let own = match reason {
            CloseReason::DataLost | CloseReason::WrongFunding => OwnCommitment::Never,
            _ => OwnCommitment::Held,
        };
        self.decide(reason, own);
        self.repeat_error();
    }

    /// The peer has proved that our record is an old copy: ours is never published.
    pub(crate) fn data_lost(&mut self) {
        self.out.push(Output::DataLost);
        self.fail(CloseReason::DataLost);
    }

    /// Takes the decision, if it is not taken yet.
    fn decide(&mut self, reason: CloseReason, own: OwnCommitment) {
        if self.live.closing.is_some() {
            return; // It is taken once.
        }
        let height = self.env.height;
        self.live.closing = Some(Closing { reason: reason.clone(), own, height });
        self.changed = true;
        self.out.push(Output::Closing(reason));
    }

    /// Our commitment is published, unless that is forbidden or done already.
    pub(crate) fn publish(&mut self, reason: CloseReason) {
        self.decide(reason, OwnCommitment::Held);
        let may_publish = !self.live.is_unproven;
        let Some(closing) = self.live.closing.as_mut() else {
            return steward_wire::impossible!("the decision was taken a moment ago");
        };
        if closing.own == OwnCommitment::Held && may_publish {
            closing.own = OwnCommitment::Published;
            self.changed = true;
            self.out.push(Output::Resolve(Resolve::Publish));
        }
    }

    pub(crate) fn force_close(&mut self, is_current: bool) {
        if is_current && self.live.is_unproven {
            self.live.is_unproven = false;
            self.changed = true;
        }
        self.publish(CloseReason::Operator);
        self.repeat_error();
    }

    /// Tells the peer that the channel ends.
    pub(crate) fn repeat_error(&mut self) {
        if matches!(self.session.stage, Stage::Offline | Stage::Broken) {
            return; // It is told at the next connection.
        }
        let text = match self.live.closing.as_ref().map(|closing| &closing.reason) {
            Some(CloseReason::PeerFault(text)) => text.clone(),
            Some(CloseReason::PeerError(_)) => "the channel was failed by your error".to_owned(),
            Some(CloseReason::DataLost) => "we have lost data: please close the channel".to_owned(),
            _ => "the channel is closing: please close it".to_owned(),
        };
        self.out.push(Output::Send(ChannelMessage::Error(self.wire_error(&text))));
    }

    /// On a new connection: an error, and numbers of a `channel_reestablish` at which the peer must
    /// close (BOLT 2). LND does not close at an error.
    pub(crate) fn ask_peer_to_close(&mut self) {
        let mut secret = [0; 32];
        secret[31] = 1;
        let message = ChannelReestablish {
            channel_id: self.channel_id(),
            next_commitment_number: 0,
            next_revocation_number: 0,
            your_last_per_commitment_secret: secret,
            my_current_per_commitment_point: self.live.parameters.local.basepoints.payment.into(),
            tlvs: Vec::new(),
        };
        self.out.push(Output::Send(ChannelMessage::ChannelReestablish(message)));
        self.repeat_error();
    }

    pub(crate) fn on_peer_error(&mut self, error: &WireError) {
        let mut text: String = String::from_utf8_lossy(&error.data).into_owned();
        text.truncate(floor_boundary(&text, MAX_REASON_TEXT_BYTES));
        self.link(LinkEvent::PeerError(text.clone()));
        if HARMLESS_ERRORS.contains(&text.as_str()) {
            self.reconnect(text);
        } else {
            self.decide(CloseReason::PeerError(text), OwnCommitment::Held);
        }
    }

    pub(crate) fn on_funding_spent(&mut self, transaction: Transaction) {
        let Some(spend) = spend::classify(self.live, self.env.signer, &transaction) else {
            return; // It spends another output.
        };
        if spend == Spend::Close {
            self.out.push(Output::ClosedByAgreement(transaction.compute_txid()));
        }
        self.decide(CloseReason::Spent, OwnCommitment::Never);
        let is_newer = matches!(spend, Spend::Newer(_));
        if let Some(closing) = &mut self.live.closing {
            if closing.own == OwnCommitment::Held {
                closing.own = OwnCommitment::Never;
                self.changed = true;
            }
            if is_newer && closing.reason != CloseReason::DataLost {
                closing.reason = CloseReason::DataLost;
                self.changed = true;
                self.out.push(Output::DataLost);
            }
        }
        if spend != Spend::Close {
            self.out.push(Output::Resolve(Resolve::Seen { transaction, spend }));
        }
    }

    pub(crate) fn on_resolved(&mut self, id: u64, preimage: Option<Preimage>) {
        let Some(htlc) = self.live.ledger.ours.get(&id) else {
            return; // It had ended before the channel did.
        };
        match preimage {
            Some(preimage) => self.learn_preimage(id, preimage, Vec::new()),
            // Its preimage was known and reported: it is fulfilled, never failed.
            None if htlc.preimage.is_some() => {}
            None => self.out.push(Output::FailedOnChain { id }),
        }
    }
}

fn floor_boundary(text: &str, most: usize) -> usize {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}
