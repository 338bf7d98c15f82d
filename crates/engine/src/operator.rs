//! What an operator does to one channel: suspend, override, resize, hand in a preimage
//! (protocol.md sections 3.6, 3.8, 3.10).

use steward_hosted::{Command, CommandRefusal};
use steward_wire::{LinkId, Preimage};

use crate::code::Code;
use crate::command::{ChannelRef, Reply};
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
    pub(crate) fn operate(&mut self, named: ChannelRef, act: Act) -> Result<Reply, Error> {
        let (link, _) = self.find_channel(named)?;
        let is_override = matches!(act, Act::ProposeOverride { .. } | Act::AcceptOverride { .. });
        if is_override && self.carries_on_htlcs_of(&link) {
            let text = "HTLCs of this channel are on their way to others: what they are worth \
                        is not known yet";
            return Err(Error::new(Code::HtlcsInFlight, text)
                .hint("wait until they are settled or have expired, then override"));
        }
        if let Act::AcceptOverride { our_balance_msat } = act {
            self.check_proposed_balance(&link, our_balance_msat)?;
        }
        let command = match act {
            Act::Suspend => Command::Suspend,
            Act::ProposeOverride { local_balance_msat } => {
                Command::ProposeOverride { local_balance_msat }
            }
            Act::AcceptOverride { .. } => Command::AcceptOverride,
            Act::Resize { new_capacity_sat } => Command::Resize { new_capacity_sat },
        };
        match self.drive_command(link, command) {
            Some(Err(refusal)) => Err(refused(refusal)),
            Some(Ok(())) | None => self.show_channel(link.into()),
        }
    }

    pub(crate) fn submit_preimage(&mut self, preimage: Preimage) -> Result<Reply, Error> {
        if self.external_preimage(preimage) {
            return Ok(Reply::Done);
        }
        Err(Error::new(Code::NoSuchHtlc, "no HTLC of ours waits for this preimage"))
    }

    /// The host may replace its proposal at any time: only the one that was looked at is accepted.
    fn check_proposed_balance(&self, link: &LinkId, expected_msat: u64) -> Result<(), Error> {
        let proposed_msat =
            self.channels.get(link).and_then(|entry| entry.channel.override_balance_msat());
        match proposed_msat {
            Some(proposed_msat) if proposed_msat != expected_msat => {
                let text = format!(
                    "the host proposes a balance of {} for us, not of {}",
                    sat(proposed_msat),
                    sat(expected_msat)
                );
                Err(Error::new(Code::OverrideDiffers, text))
            }
            // Without a proposal the channel says what is missing.
            _ => Ok(()),
        }
    }

    /// True if an incoming HTLC of this channel was offered on and is still out there.
    pub(crate) fn carries_on_htlcs_of(&self, link: &LinkId) -> bool {
        let is_of_link =
            |origin: &Origin| matches!(origin, Origin::Forward(key) if key.link == *link);
        // Of HTLCs lost with our data nothing more will be heard: people decide.
        let mut sent = self.origins.iter().filter(|(key, _)| self.is_out(key));
        sent.any(|(_, origin)| is_of_link(origin)) || self.unsent.values().any(is_of_link)
    }
}

/// What is in the way.
fn refused(refusal: CommandRefusal) -> Error {
    let code = match refusal {
        CommandRefusal::NotOpen => Code::ChannelNotOpen,
        CommandRefusal::WrongRole => Code::WrongRole,
        CommandRefusal::NotSuspended => Code::ChannelNotSuspended,
        CommandRefusal::Suspended => Code::ChannelSuspended,
        CommandRefusal::NotConnected => Code::PeerNotConnected,
        CommandRefusal::NoOverride => Code::NoOverride,
        CommandRefusal::BalanceTooHigh => Code::BalanceTooHigh,
        CommandRefusal::NotResizable => Code::ChannelNotResizable,
        CommandRefusal::ResizePending => Code::ResizePending,
        CommandRefusal::BadCapacity => Code::BadCapacity,
        CommandRefusal::CountersExhausted => Code::CountersExhausted,
    };
    Error::new(code, refusal.to_string())
}
