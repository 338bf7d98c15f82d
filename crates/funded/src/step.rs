//! One input of a live channel: its dispatch, and what every part of it needs.

use steward_htlc::{AddRefusal, LinkEvent, LinkInput};
use steward_wire::{ChannelId, ChannelMessage, WireError, impossible};

use crate::bolt3::Side;
use crate::io::{CloseReason, Env, Input, Output};
use crate::limits::ANSWER_TIMEOUT_MS;
use crate::live::Live;
use crate::rows;
use crate::session::{Session, Stage};

/// A live channel while it handles one input.
pub(crate) struct Step<'a> {
    pub(crate) live: &'a mut Live,
    pub(crate) session: &'a mut Session,
    pub(crate) env: &'a Env<'a>,
    pub(crate) out: Vec<Output>,
    pub(crate) changed: bool,
}

/// The right answer to a wrong message.
pub(crate) enum Fault {
    /// Nothing signed is touched: a warning, and the connection is made again, which drops what the
    /// peer has not signed.
    Warn(&'static str),
    /// Both sides differ for good: an error, and the peer is asked to close.
    Fail(String),
    /// Our signer does not answer: the connection is made again, and nothing has happened.
    NoSigner,
}

impl From<crate::bolt3::SignerUnavailable> for Fault {
    fn from(_: crate::bolt3::SignerUnavailable) -> Self {
        Self::NoSigner
    }
}

impl<'a> Step<'a> {
    pub(crate) fn new(live: &'a mut Live, session: &'a mut Session, env: &'a Env<'a>) -> Self {
        Self { live, session, env, out: Vec::new(), changed: false }
    }

    /// Handles one input and returns what comes of it.
    pub(crate) fn run(mut self, input: Input) -> Vec<Output> {
        let result = match input {
            Input::Link(input) => self.on_link(input),
            Input::Message(message) => self.on_message(message),
            Input::FundingDepth { depth, scid, is_ours: true, is_coinbase } => {
                self.on_funding_depth(depth, scid, is_coinbase)
            }
            Input::FundingDepth { is_ours: false, .. } => {
                self.fail(CloseReason::WrongFunding);
                Ok(())
            }
            Input::FundingReorged => {
                self.live.funding.scid = None;
                self.changed = true;
                Ok(())
            }
            Input::FundingSpent { transaction } => {
                self.on_funding_spent(transaction);
                Ok(())
            }
            Input::Restored => {
                self.live.is_unproven = true;
                self.changed = true;
                Ok(())
            }
            Input::Shutdown => {
                self.begin_shutdown();
                Ok(())
            }
            Input::ForceClose { is_current } => {
                self.force_close(is_current);
                Ok(())
            }
            Input::Resolved { id, preimage } => {
                self.on_resolved(id, preimage);
                Ok(())
            }
        };
        if let Err(fault) = result {
            self.answer(fault);
        }
        self.finish()
    }

    fn on_link(&mut self, input: LinkInput) -> Result<(), Fault> {
        match input {
            LinkInput::Connected => self.on_connected(),
            LinkInput::Disconnected => {
                self.on_disconnected();
                Ok(())
            }
            LinkInput::Add(htlc) => {
                self.queue_add(htlc);
                Ok(())
            }
            LinkInput::Fulfill { id, preimage, tlvs } => {
                self.settle(id, steward_htlc::Settlement::Fulfill { preimage, tlvs });
                Ok(())
            }
            LinkInput::Fail { id, failure } => {
                self.settle(id, steward_htlc::Settlement::Fail(failure));
                Ok(())
            }
            LinkInput::ExternalFulfill { id, preimage } => {
                self.learn_preimage(id, preimage, Vec::new());
                Ok(())
            }
            LinkInput::Block => {
                self.check_deadlines();
                Ok(())
            }
            LinkInput::Tick => {
                self.refuse_overdue_adds();
                self.check_patience();
                Ok(())
            }
            LinkInput::OwnPolicy(policy) => {
                if self.session.is_reported_active {
                    self.out.push(Output::Send(ChannelMessage::ChannelUpdate(policy)));
                }
                Ok(())
            }
            LinkInput::Flush => self.flush(),
            LinkInput::Message(_) => {
                impossible!("a funded channel's messages come as Input::Message");
                Ok(())
            }
        }
    }

    fn on_message(&mut self, message: ChannelMessage) -> Result<(), Fault> {
        if matches!(self.session.stage, Stage::Broken | Stage::Offline) {
            return Ok(()); // It was on its way when the connection was given up.
        }
        match &message {
            ChannelMessage::Error(error) => {
                self.on_peer_error(error);
                return Ok(());
            }
            ChannelMessage::Warning(_) => return Ok(()), // It is for people; the engine logs it.
            _ if self.live.closing.is_some() => {
                self.repeat_error();
                return Ok(());
            }
            _ => {}
        }
        match message {
            ChannelMessage::ChannelReestablish(message) => self.on_reestablish(&message),
            // LND sends it before its channel_reestablish.
            ChannelMessage::ChannelReady(message) => self.on_channel_ready(&message),
            ChannelMessage::ChannelUpdate(message) => {
                self.on_peer_policy(message);
                Ok(())
            }
            // We do not announce the channel yet, so the peer's half is not needed.
            ChannelMessage::AnnouncementSignatures(_) => Ok(()),
            _ if self.session.stage != Stage::Synced => {
                Err(Fault::Warn("channel_reestablish has to come first"))
            }
            ChannelMessage::UpdateAddHtlc(message) => self.on_add(message),
            ChannelMessage::UpdateFulfillHtlc(message) => self.on_fulfill(message),
            ChannelMessage::UpdateFailHtlc(message) => self.on_fail(message),
            ChannelMessage::UpdateFailMalformedHtlc(message) => self.on_fail_malformed(message),
            ChannelMessage::UpdateFee(message) => self.on_update_fee(&message),
            ChannelMessage::CommitmentSigned(message) => self.on_commitment_signed(&message),
            ChannelMessage::RevokeAndAck(message) => self.on_revoke_and_ack(&message),
            ChannelMessage::Shutdown(message) => self.on_shutdown(message),
            ChannelMessage::ClosingSigned(message) => self.on_closing_signed(&message),
            _ => Err(Fault::Warn("this message has no place here")),
        }
    }

    fn on_disconnected(&mut self) {
        self.refuse_waiting(AddRefusal::Unavailable);
        self.live.ledger.drop_unsigned();
        self.session.stage = Stage::Offline;
        self.session.waits_since_ms = None;
        self.session.empty_commitments = 0;
        self.session.is_shutdown_sent = false;
    }

    pub(crate) fn answer(&mut self, fault: Fault) {
        match fault {
            Fault::Warn(text) => {
                let warning = ChannelMessage::Warning(self.wire_error(text));
                self.out.push(Output::Send(warning));
                self.reconnect(text.to_owned());
            }
            Fault::Fail(text) => self.fail(CloseReason::PeerFault(text)),
            Fault::NoSigner => self.reconnect("the channel's signer does not answer".to_owned()),
        }
    }

    /// A peer that does not answer is connected again: what it lacks is sent again.
    fn check_patience(&mut self) {
        let patience = |since: u64| since.saturating_add(ANSWER_TIMEOUT_MS) <= self.env.now_ms;
        if self.session.waits_since_ms.is_some_and(patience) {
            self.reconnect("the peer does not answer".to_owned());
        }
    }

    pub(crate) fn reconnect(&mut self, why: String) {
        self.session.stage = Stage::Broken;
        self.session.waits_since_ms = None;
        self.out.push(Output::Link(LinkEvent::Reconnect(why)));
    }

    pub(crate) fn wire_error(&self, text: &str) -> WireError {
        WireError {
            channel_id: self.channel_id(),
            data: text.as_bytes().to_vec(),
            tlvs: Vec::new(),
        }
    }

    pub(crate) fn channel_id(&self) -> ChannelId {
        self.live.parameters.channel_id()
    }

    pub(crate) fn link(&mut self, event: LinkEvent) {
        self.out.push(Output::Link(event));
    }

    fn is_active(&self) -> bool {
        self.session.stage == Stage::Synced && self.live.takes_htlcs()
    }

    fn finish(mut self) -> Vec<Output> {
        let is_active = self.is_active();
        if !is_active {
            self.refuse_waiting(AddRefusal::Unavailable);
        }
        if is_active != self.session.is_reported_active {
            self.session.is_reported_active = is_active;
            self.link(if is_active { LinkEvent::Active } else { LinkEvent::Inactive });
        }
        for key in std::mem::take(&mut self.live.ledger.dirty) {
            let row = match key.offered_by {
                Side::Local => self.live.ledger.ours.get(&key.id).map(rows::our_row),
                Side::Remote => self.live.ledger.theirs.get(&key.id).map(rows::their_row),
            };
            self.out.push(match row {
                Some(row) => Output::PutHtlc { key, row },
                None => Output::DeleteHtlc { key },
            });
            self.changed = true;
        }
        if self.changed {
            self.live.ledger.check(self.live.parameters.capacity_msat());
            self.link(LinkEvent::Changed);
        }
        self.out
    }
}
