//! What an operator does to one channel: suspend, override, resize, hand in a preimage
//! (protocol.md sections 3.6, 3.8, 3.10).

use steward_hosted::{Command, CommandRefusal};
use steward_wire::{NodeId, Preimage};

use crate::command::Reply;
use crate::engine::Engine;
use crate::error::{Error, sat};
use crate::row::Origin;

/// An operator's act on one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Suspend,
    ProposeOverride { local_balance_msat: u64 },
    AcceptOverride { our_balance_msat: u64 },
    Resize { new_capacity_sat: u64 },
}

impl Engine {
    pub(crate) fn operate(&mut self, peer: NodeId, act: Act) -> Result<Reply, Error> {
        // Tells who has no channel with us at all.
        self.show_channel(peer)?;
        let is_override = matches!(act, Act::ProposeOverride { .. } | Act::AcceptOverride { .. });
        if is_override && self.carries_on_htlcs_of(&peer) {
            let text = "HTLCs of this channel are on their way to others: what they are worth \
                        is not known yet";
            return Err(Error::unavailable("htlcs_in_flight", text)
                .hint("wait until they are settled or have expired, then override"));
        }
        if let Act::AcceptOverride { our_balance_msat } = act {
            self.check_proposed_balance(&peer, our_balance_msat)?;
        }
        let command = match act {
            Act::Suspend => Command::Suspend,
            Act::ProposeOverride { local_balance_msat } => {
                Command::ProposeOverride { local_balance_msat }
            }
            Act::AcceptOverride { .. } => Command::AcceptOverride,
            Act::Resize { new_capacity_sat } => Command::Resize { new_capacity_sat },
        };
        match self.drive_command(peer, command) {
            Some(Err(refusal)) => Err(refused(refusal)),
            Some(Ok(())) | None => self.show_channel(peer),
        }
    }

    pub(crate) fn submit_preimage(&mut self, preimage: Preimage) -> Result<Reply, Error> {
        if self.external_preimage(preimage) {
            return Ok(Reply::Done);
        }
        Err(Error::refused("no_such_htlc", "no HTLC of ours waits for this preimage")
            .hint("it may have been settled, or given up as expired, before"))
    }

    /// The host may replace its proposal at any time: only the one that was looked at is accepted.
    fn check_proposed_balance(&self, host: &NodeId, expected_msat: u64) -> Result<(), Error> {
        let proposed_msat =
            self.channels.get(host).and_then(|entry| entry.channel.override_balance_msat());
        match proposed_msat {
            Some(proposed_msat) if proposed_msat != expected_msat => {
                let text = format!(
                    "the host proposes a balance of {} for us, not of {}",
                    sat(proposed_msat),
                    sat(expected_msat)
                );
                Err(Error::refused("override_differs", text)
                    .hint("accept what it proposes, or ask it for another proposal"))
            }
            // Without a proposal the channel says what is missing.
            _ => Ok(()),
        }
    }

    /// True if an incoming HTLC of this channel was offered on and is still out there.
    pub(crate) fn carries_on_htlcs_of(&self, peer: &NodeId) -> bool {
        let is_of_peer =
            |origin: &Origin| matches!(origin, Origin::Forward(key) if key.peer == *peer);
        // Of HTLCs lost with our data nothing more will be heard: people decide.
        let mut sent = self.origins.iter().filter(|(key, _)| self.is_out(key));
        sent.any(|(_, origin)| is_of_peer(origin)) || self.unsent.values().any(is_of_peer)
    }
}

/// What is in the way, and how to get around it.
fn refused(refusal: CommandRefusal) -> Error {
    let (code, hint) = match refusal {
        CommandRefusal::NotOpen => {
            ("channel_not_open", "open it first: both sides must have signed a first state")
        }
        CommandRefusal::WrongRole => {
            ("wrong_role", "the host proposes an override; the client accepts it, and resizes")
        }
        CommandRefusal::NotSuspended => {
            ("channel_not_suspended", "suspend it first, if it shall go on with another balance")
        }
        CommandRefusal::Suspended => ("channel_suspended", "an override makes it active again"),
        CommandRefusal::NotConnected => {
            ("peer_not_connected", "try again when the peer is connected")
        }
        CommandRefusal::NoOverride => ("no_override", "ask the host to propose a balance"),
        CommandRefusal::BalanceTooHigh => {
            ("balance_too_high", "it is our part of the capacity; the client gets the rest")
        }
        CommandRefusal::NotResizable => {
            ("channel_not_resizable", "the host did not offer this when the channel was opened")
        }
        CommandRefusal::ResizePending => {
            ("resize_pending", "wait until the host has signed the last request")
        }
        CommandRefusal::BadCapacity => {
            ("bad_capacity", "a channel can only grow; the balances stay as they are")
        }
        CommandRefusal::CountersExhausted => ("counters_exhausted", "open another channel"),
    };
    let text = refusal.to_string();
    let error = match refusal {
        CommandRefusal::NotConnected => Error::unavailable(code, text),
        CommandRefusal::WrongRole
        | CommandRefusal::BadCapacity
        | CommandRefusal::BalanceTooHigh => Error::bad_request(code, text),
        _ => Error::refused(code, text),
    };
    error.hint(hint)
}
