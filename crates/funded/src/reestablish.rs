//! What each side has, on a new connection, and what is sent again (BOLT 2, "Message
//! Retransmission").

use std::cmp::Ordering;

use steward_wire::{ChannelMessage, ChannelReestablish};

use crate::io::{CloseReason, Output};
use crate::live::Pending;
use crate::session::Stage;
use crate::step::{Fault, Step};

/// What the peer lacks.
struct Lost {
    commitment: bool,
    revocation: bool,
}

impl Step<'_> {
    pub(crate) fn on_connected(&mut self) -> Result<(), Fault> {
        self.session.stage = Stage::Syncing;
        self.session.waits_since_ms = Some(self.env.now_ms);
        if self.live.closing.is_some() {
            self.ask_peer_to_close();
            return Ok(());
        }
        let (local, remote) = (&self.live.local, &self.live.remote);
        let last_secret = remote.number.checked_sub(1).and_then(|last| remote.secrets.secret(last));
        let message = ChannelReestablish {
            channel_id: self.channel_id(),
            next_commitment_number: local.number.saturating_add(1),
            next_revocation_number: remote.number,
            your_last_per_commitment_secret: last_secret.unwrap_or_default(),
            my_current_per_commitment_point: self.env.signer.point(local.number)?.into(),
            tlvs: Vec::new(),
        };
        self.out.push(reestablish(message));
        Ok(())
    }

    pub(crate) fn on_reestablish(&mut self, message: &ChannelReestablish) -> Result<(), Fault> {
        if self.session.stage != Stage::Syncing {
            return Err(Fault::Warn("channel_reestablish came twice"));
        }
        let Some(lost) = self.compare(message)? else {
            return Ok(()); // One side has lost data, and the channel ends.
        };
        self.session.stage = Stage::Synced;
        let owes_answer = self.live.remote.pending.is_some();
        self.session.waits_since_ms = owes_answer.then_some(self.env.now_ms);
        if std::mem::take(&mut self.live.is_unproven) {
            self.changed = true;
        }
        let is_fresh = message.next_commitment_number == 1 && self.live.local.number == 0;
        if is_fresh && self.live.funding.is_ready {
            self.send_channel_ready()?;
        }
        self.send_again(&lost)?;
        self.send_shutdown();
        Ok(())
    }

    /// Compares the peer's numbers with ours. `None` means that one side has lost data.
    fn compare(&mut self, message: &ChannelReestablish) -> Result<Option<Lost>, Fault> {
        let revoked = self.live.local.number;
        self.check_secret(message)?;
        let revocation = match message.next_revocation_number.cmp(&revoked) {
            Ordering::Equal => false,
            Ordering::Less if message.next_revocation_number.checked_add(1) == Some(revoked) => {
                true
            }
            Ordering::Less => {
                self.fail(CloseReason::PeerBehind);
                return Ok(None);
            }
            Ordering::Greater => {
                // Its secret was ours (checked above), so that it has seen a newer record than this.
                self.data_lost();
                return Ok(None);
            }
        };
        let remote = &self.live.remote;
        let pending = remote.number.saturating_add(1);
        let commitment = match (message.next_commitment_number.cmp(&pending), &remote.pending) {
            (Ordering::Equal, pending) => pending.is_some(),
            // It has our commitment_signed, and will send its revoke_and_ack again.
            (Ordering::Greater, Some(_))
                if message.next_commitment_number == pending.saturating_add(1) =>
            {
                false
            }
            // It claims signatures that we do not know of. The revocations agree, so that our own
            // commitment is not revoked: the channel fails, and nothing proves that data was lost.
            (Ordering::Greater, _) => {
                return Err(Fault::Fail("channel_reestablish has a number too high".to_owned()));
            }
            (Ordering::Less, _) => {
                self.fail(CloseReason::PeerBehind);
                return Ok(None);
            }
        };
        Ok(Some(Lost { commitment, revocation }))
    }

    /// Checks the last secret that the peer says it had from us.
    fn check_secret(&self, message: &ChannelReestablish) -> Result<(), Fault> {
        let Some(last) = message.next_revocation_number.checked_sub(1) else {
            return Ok(()); // It had none, and some nodes send other bytes than zeros.
        };
        if last > crate::limits::MAX_COMMITMENT_NUMBER {
            return Err(Fault::Fail("channel_reestablish has an impossible number".to_owned()));
        }
        // A secret we have given away, or, if we have lost data, one we shall see as given away:
        // computing it gives nothing to anybody.
        let ours = self.env.signer.revoke(last)?;
        if ours != message.your_last_per_commitment_secret {
            return Err(Fault::Fail("channel_reestablish has a wrong secret".to_owned()));
        }
        Ok(())
    }

    /// Sends again what the peer lacks, in the order in which it was sent.
    fn send_again(&mut self, lost: &Lost) -> Result<(), Fault> {
        let pending = self.live.remote.pending.clone().filter(|_| lost.commitment);
        let commitment_first = pending.as_ref().is_some_and(|pending| pending.is_before_revocation);
        if commitment_first {
            self.send_commitment_again(pending.as_ref());
        }
        if lost.revocation {
            let revocation = self.revocation(self.live.local.number)?;
            self.out.push(Output::Send(revocation));
        }
        if !commitment_first {
            self.send_commitment_again(pending.as_ref());
        }
        Ok(())
    }

    fn send_commitment_again(&mut self, pending: Option<&Pending>) {
        let Some(pending) = pending else { return }; // The peer has it.
        for key in &pending.updates {
            match self.update_again(*key) {
                Some(message) => self.out.push(Output::Send(message)),
                None => steward_wire::impossible!("an update is gone before its commitment"),
            }
        }
        let message = self.commitment_message(pending);
        self.out.push(Output::Send(message));
    }
}

fn reestablish(message: ChannelReestablish) -> Output {
    Output::Send(ChannelMessage::ChannelReestablish(message))
}
