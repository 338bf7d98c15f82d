//! A larger capacity, asked for by the client (protocol.md section 3.8). The signed state is
//! never edited: the resize takes effect with the first state both sign at the new capacity.

use steward_wire::{ErrorCode, LastCrossSignedState, Message, ResizeChannel};

use crate::channel::Channel;
use crate::command::CommandRefusal;
use crate::errors::Fault;
use crate::io::{Env, Output, Phase, Role};
use crate::next_state::resized;

impl Channel {
    /// The client's request that is not signed yet, if any.
    pub fn pending_resize(&self) -> Option<&ResizeChannel> {
        self.resize_proposal.as_ref()
    }

    pub(crate) fn propose_resize(
        &mut self,
        new_capacity_sat: u64,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), CommandRefusal> {
        self.check_resize_command(new_capacity_sat)?;
        let resize = ResizeChannel::signed(new_capacity_sat, env.key);
        self.resize_proposal = Some(resize);
        self.changed = true;
        if self.phase() == Phase::Active {
            out.push(Output::Send(Message::ResizeChannel(resize)));
            self.sign_owed = true;
        }
        Ok(())
    }

    /// As client: the host says no, and has signed nothing. Our signature on the larger state may
    /// be on its way to it, so the next one covers the present capacity again; should it use the
    /// larger one after all, comparing states shows it.
    pub(crate) fn withdraw_resize(&mut self, reason: String, out: &mut Vec<Output>) {
        if self.role != Role::Client || self.resize_proposal.take().is_none() {
            return;
        }
        self.changed = true;
        self.sign_owed |= self.phase() == Phase::Active;
        out.push(Output::ResizeRefused { reason });
    }

    fn check_resize_command(&self, new_capacity_sat: u64) -> Result<(), CommandRefusal> {
        let signed = self.signed.as_ref().ok_or(CommandRefusal::NotOpen)?;
        let terms = &signed.init_hosted_channel;
        if self.role != Role::Client {
            return Err(CommandRefusal::WrongRole);
        }
        if self.is_suspended() {
            return Err(CommandRefusal::Suspended);
        }
        if !terms.is_resizable() {
            return Err(CommandRefusal::NotResizable);
        }
        if self.resize_proposal.is_some() {
            return Err(CommandRefusal::ResizePending);
        }
        let new_capacity_msat = new_capacity_sat.checked_mul(1000);
        new_capacity_msat
            .filter(|msat| *msat > terms.channel_capacity_msat)
            .filter(|msat| *msat < steward_wire::limits::MAX_MSAT)
            .map(|_| ())
            .ok_or(CommandRefusal::BadCapacity)
    }

    pub(crate) fn on_resize(
        &mut self,
        resize: ResizeChannel,
        env: &Env<'_>,
        out: &mut Vec<Output>,
    ) {
        let Some(signed) = &self.signed else { return };
        let is_pending = self
            .resize_proposal
            .is_some_and(|pending| pending.new_capacity_sat >= resize.new_capacity_sat);
        // The signature covers only a number: what is not larger is an old request, replayed.
        let is_larger = resize
            .new_capacity_msat()
            .is_none_or(|msat| msat > signed.init_hosted_channel.channel_capacity_msat);
        if self.is_suspended() || is_pending || !is_larger {
            return;
        }
        match self.role {
            Role::Host => self.on_client_resize(resize, env, out),
            // The host repeats a request of ours that we forgot.
            Role::Client => {
                let is_ours = self.local.public_key().is_some_and(|key| resize.is_signed_by(&key));
                if is_ours && resize.new_capacity_msat().is_some() && self.resize_proposal.is_none()
                {
                    self.resize_proposal = Some(resize);
                    self.changed = true;
                }
            }
        }
    }

    fn on_client_resize(&mut self, resize: ResizeChannel, env: &Env<'_>, out: &mut Vec<Output>) {
        let is_resizable =
            self.signed.as_ref().is_some_and(|signed| signed.init_hosted_channel.is_resizable());
        let is_allowed = is_resizable
            && resize.new_capacity_msat().is_some()
            && resize.new_capacity_sat <= env.max_capacity_sat
            && self.remote_key.is_some_and(|key| resize.is_signed_by(&key));
        if !is_allowed {
            self.keep("an invalid resize", &Message::ResizeChannel(resize), out);
            return self.suspend(Fault::coded(ErrorCode::InvalidResize, "invalid resize"), out);
        }
        self.resize_proposal = Some(resize);
        self.changed = true;
    }

    /// The last signed state with a pending resize applied.
    pub(crate) fn resized_base(&self) -> Option<LastCrossSignedState> {
        let new_capacity_msat = self.resize_proposal.as_ref()?.new_capacity_msat()?;
        resized(self.signed.clone()?, new_capacity_msat)
    }

    /// Both signed a larger capacity. A still larger one may be asked for already.
    pub(crate) fn on_resized(&mut self, new_capacity_msat: u64, out: &mut Vec<Output>) {
        self.resize_proposal = self.resize_proposal.filter(|pending| {
            pending.new_capacity_msat().is_some_and(|msat| msat > new_capacity_msat)
        });
        out.push(Output::Resized { new_capacity_msat });
    }

    /// What a pending resize adds to the capacity, in millisatoshi. The host may sign it, and
    /// spend it, before the client has that signature.
    pub(crate) fn pending_growth_msat(&self) -> u64 {
        let capacity_msat =
            self.signed.as_ref().map(|signed| signed.init_hosted_channel.channel_capacity_msat);
        let new_capacity_msat = self.resize_proposal.and_then(|r| r.new_capacity_msat());
        match (new_capacity_msat, capacity_msat) {
            (Some(new), Some(old)) => new.saturating_sub(old),
            _ => 0,
        }
    }
}
