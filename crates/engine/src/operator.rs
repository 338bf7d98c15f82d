//! What an operator does to one channel: suspend, override, resize, hand in a preimage
//! (protocol.md sections 3.6, 3.8, 3.10).

use steward_channel::{CommandRefusal, Input};
use steward_wire::{NodeId, Preimage};

use crate::command::Reply;
use crate::engine::Engine;
use crate::error::Error;
use crate::row::Origin;

/// An operator's act on one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Suspend,
    ProposeOverride { local_balance_msat: u64 },
    AcceptOverride,
    Resize { new_capacity_sat: u64 },
}

impl Engine {
    pub(crate) fn operate(&mut self, peer: NodeId, act: Act) -> Result<Reply, Error> {
        // Tells who has no channel with us at all.
        self.show_channel(peer)?;
        let is_override = matches!(act, Act::ProposeOverride { .. } | Act::AcceptOverride);
        if is_override && self.carries_on_htlcs_of(&peer) {
            let text = "HTLCs of this channel are on their way to others: what they are worth \
                        is not known yet";
            return Err(Error::unavailable("htlcs_in_flight", text)
                .hint("wait until they are settled or have expired, then override"));
        }
        self.command_refusal = None;
        self.drive(
            peer,
            match act {
                Act::Suspend => Input::Suspend,
                Act::ProposeOverride { local_balance_msat } => {
                    Input::ProposeOverride { local_balance_msat }
                }
                Act::AcceptOverride => Input::AcceptOverride,
                Act::Resize { new_capacity_sat } => Input::Resize { new_capacity_sat },
            },
        );
        match self.command_refusal.take() {
            Some(refusal) => Err(refused(refusal)),
            None => self.show_channel(peer),
        }
    }

    pub(crate) fn submit_preimage(&mut self, preimage: Preimage) -> Result<Reply, Error> {
        if self.external_preimage(preimage) {
            return Ok(Reply::Done);
        }
        let text = "no HTLC of ours waits for this preimage";
        Err(Error::refused("no_such_htlc", text)
            .hint("it may have been settled, or given up as expired, before"))
    }

    /// True if an incoming HTLC of this channel was offered on and has not ended there.
    fn carries_on_htlcs_of(&self, peer: &NodeId) -> bool {
        let mut origins = self.origins.values().chain(self.unsent.values());
        origins.any(|origin| matches!(origin, Origin::Forward(key) if key.peer == *peer))
    }
}

fn refused(refusal: CommandRefusal) -> Error {
    let code = match refusal {
        CommandRefusal::NotOpen => "channel_not_open",
        CommandRefusal::WrongRole => "wrong_role",
        CommandRefusal::NotSuspended => "channel_not_suspended",
        CommandRefusal::Suspended => "channel_suspended",
        CommandRefusal::NotConnected => "peer_not_connected",
        CommandRefusal::NoOverride => "no_override",
        CommandRefusal::BalanceTooHigh => "balance_too_high",
        CommandRefusal::NotResizable => "channel_not_resizable",
        CommandRefusal::ResizePending => "resize_pending",
        CommandRefusal::BadCapacity => "bad_capacity",
        CommandRefusal::NoSuchHtlc => "no_such_htlc",
        CommandRefusal::CountersExhausted => "counters_exhausted",
    };
    let text = refusal.to_string();
    match refusal {
        CommandRefusal::NotConnected => {
            Error::unavailable(code, text).hint("try again when the peer is connected")
        }
        CommandRefusal::WrongRole
        | CommandRefusal::BadCapacity
        | CommandRefusal::BalanceTooHigh => Error::bad_request(code, text),
        _ => Error::refused(code, text),
    }
}
