//! A larger capacity, asked for by the client (docs/protocol.md section 3.8). The signed state is
//! never edited: the resize takes effect with the first state both sign at the new capacity.

use steward_wire::limits::MAX_MSAT;
use steward_wire::{ErrorCode, Message, ResizeChannel};

use crate::command::CommandRefusal;
use crate::errors::Fault;
use crate::io::{Output, Phase, Role};
use crate::open::OpenChannel;

impl OpenChannel<'_> {
    pub(crate) fn propose_resize(&mut self, new_capacity_sat: u64) -> Result<(), CommandRefusal> {
        self.check_resize_command(new_capacity_sat)?;
        let resize = ResizeChannel::signed(new_capacity_sat, self.env.local);
        self.open.resize = Some(resize);
        self.changed = true;
        if self.phase() == Phase::Active {
            self.send(Message::ResizeChannel(resize));
            self.owe_signature();
        }
        Ok(())
    }

    /// As client: the host says no, and has signed nothing. Our signature on the larger state may
    /// be on its way to it, so the next one covers the present capacity again; should it use the
    /// larger one after all, comparing states shows it.
    pub(crate) fn withdraw_resize(&mut self, reason: String) {
        if self.pair.role != Role::Client || self.open.resize.take().is_none() {
            return; // It was signed in the meantime, or the host answers what nobody asked.
        }
        self.changed = true;
        self.owe_signature();
        self.out.push(Output::ResizeRefused { reason });
    }

    fn check_resize_command(&self, new_capacity_sat: u64) -> Result<(), CommandRefusal> {
        if self.pair.role != Role::Client {
            return Err(CommandRefusal::WrongRole);
        }
        if self.open.suspended.is_some() {
            return Err(CommandRefusal::Suspended);
        }
        if !self.open.commitment.terms().is_resizable() {
            return Err(CommandRefusal::NotResizable);
        }
        if self.open.resize.is_some() {
            return Err(CommandRefusal::ResizePending);
        }
        let new_capacity_msat = new_capacity_sat.checked_mul(1000);
        new_capacity_msat
            .filter(|msat| *msat > self.open.commitment.capacity_msat())
            .filter(|msat| *msat < MAX_MSAT)
            .map(|_| ())
            .ok_or(CommandRefusal::BadCapacity)
    }

    pub(crate) fn on_resize(&mut self, resize: ResizeChannel) {
        let is_pending = self
            .open
            .resize
            .is_some_and(|pending| pending.new_capacity_sat >= resize.new_capacity_sat);
        // The signature covers only a number: what is not larger is an old request, replayed.
        let is_larger = resize
            .new_capacity_msat()
            .is_none_or(|msat| msat > self.open.commitment.capacity_msat());
        if self.open.suspended.is_some() || is_pending || !is_larger {
            return; // Repeated, replayed, or sent before the peer heard of our error.
        }
        match self.pair.role {
            Role::Host => self.on_client_resize(resize),
            // The host repeats a request of ours that we forgot.
            Role::Client => {
                let local_key = self.pair.local.public_key();
                let is_ours = local_key.is_some_and(|key| resize.is_signed_by(&key));
                if is_ours && resize.new_capacity_msat().is_some() && self.open.resize.is_none() {
                    self.open.resize = Some(resize);
                    self.changed = true;
                }
            }
        }
    }

    fn on_client_resize(&mut self, resize: ResizeChannel) {
        let is_allowed = self.open.commitment.terms().is_resizable()
            && resize.new_capacity_msat().is_some()
            && resize.new_capacity_sat <= self.env.max_capacity_sat
            && self.pair.remote_key.is_some_and(|key| resize.is_signed_by(&key));
        if !is_allowed {
            self.keep("an invalid resize", &Message::ResizeChannel(resize));
            return self.suspend(Fault::coded(ErrorCode::InvalidResize, "invalid resize"));
        }
        self.open.resize = Some(resize);
        self.changed = true;
    }

    /// The signed state changed; its capacity was `was_msat`. If both signed a larger one, a still
    /// larger one may be asked for already.
    pub(crate) fn note_capacity(&mut self, was_msat: u64) {
        let new_capacity_msat = self.open.commitment.capacity_msat();
        if new_capacity_msat == was_msat {
            return; // As in most states.
        }
        self.open.resize = self.open.resize.filter(|pending| {
            pending.new_capacity_msat().is_some_and(|msat| msat > new_capacity_msat)
        });
        self.out.push(Output::Resized { new_capacity_msat });
    }
}
