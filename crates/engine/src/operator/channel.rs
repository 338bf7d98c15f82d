//! An operator's acts on one channel: suspend, override, resize (docs/protocol.md sections 3.6, 3.8
//! and 3.10).

use steward_hosted::{Command, CommandRefusal};
use steward_wire::{LinkId, Preimage};

use crate::context::Context;
use crate::face::code::Code;
use crate::face::command::ChannelRef;
use crate::face::error::{Error, sat};
use crate::htlc::chain_search::claim;
use crate::htlc::outgoing::Outgoing;
use crate::link::links::Links;
use crate::operator::views::find_channel;
use crate::pay::payments::Payments;

/// An operator's act on one channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Suspend,
    ProposeOverride { local_balance_msat: u64 },
    AcceptOverride { our_balance_msat: u64 },
    Resize { new_capacity_sat: u64 },
}

/// Carries it out, or returns the reason why not.
pub(crate) fn operate(
    cx: &mut Context,
    links: &mut Links,
    outgoing: &Outgoing,
    named: ChannelRef,
    act: Act,
) -> Result<LinkId, Error> {
    let (link, _) = find_channel(links, named)?;
    let is_override = matches!(act, Act::ProposeOverride { .. } | Act::AcceptOverride { .. });
    if is_override && outgoing.forwards_from(links, &link) {
        let text = "HTLCs of this channel are on their way to others: what they are worth is not \
                    known yet";
        return Err(Error::new(Code::HtlcsInFlight, text)
            .hint("wait until they are settled or have expired, then override"));
    }
    if let Act::AcceptOverride { our_balance_msat } = act {
        check_proposed_balance(links, &link, our_balance_msat)?;
    }
    let command = match act {
        Act::Suspend => Command::Suspend,
        Act::ProposeOverride { local_balance_msat } => {
            Command::ProposeOverride { local_balance_msat }
        }
        Act::AcceptOverride { .. } => Command::AcceptOverride,
        Act::Resize { new_capacity_sat } => Command::Resize { new_capacity_sat },
    };
    match links.operate(cx, link, command) {
        Some(Err(refusal)) => Err(refused(refusal)),
        Some(Ok(())) | None => Ok(link),
    }
}

/// The host may replace its proposal at any time: only the one that was looked at is accepted.
fn check_proposed_balance(links: &Links, link: &LinkId, expected_msat: u64) -> Result<(), Error> {
    let proposed_msat = links.get(link).and_then(|entry| entry.channel().override_balance_msat());
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

/// Hands in a preimage that was learned elsewhere.
pub(crate) fn submit_preimage(
    cx: &mut Context,
    links: &Links,
    outgoing: &Outgoing,
    payments: &Payments,
    preimage: Preimage,
) -> Result<(), Error> {
    if claim(cx, links, outgoing, payments, preimage, None) {
        return Ok(());
    }
    Err(Error::new(Code::NoSuchHtlc, "no HTLC of ours waits for this preimage"))
}

/// The error that stands for a channel's refusal.
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
