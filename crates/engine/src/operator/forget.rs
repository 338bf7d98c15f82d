//! Channels that are forgotten: those never signed, and empty ones.

use bitcoin::hashes::{Hash, sha256};
use steward_hosted::{Channel, Phase, Role};
use steward_wire::{LastCrossSignedState, LinkId};

use crate::context::Context;
use crate::face::code::Code;
use crate::face::command::ChannelRef;
use crate::face::error::{Error, sat};
use crate::face::event::EventKind;
use crate::face::io::Level;
use crate::face::limits::MAX_FORGOTTEN_CLIENTS;
use crate::face::row::{ForgottenClient, RowKey};
use crate::htlc::incoming::Incoming;
use crate::htlc::outgoing::Outgoing;
use crate::link::links::Links;
use crate::link::opening::Openings;
use crate::operator::views::find_channel;
use crate::recover::stale_data::Confirmation;
use crate::relay::forward::Forwards;
use crate::step::Step;

/// Ends a channel in which no HTLC is in flight and the client has no money, without the peer.
pub(crate) fn forget_channel(
    cx: &mut Context,
    links: &mut Links,
    openings: &mut Openings,
    ends: &Ends<'_>,
    named: ChannelRef,
) -> Result<(), Error> {
    let (link, entry) = find_channel(links, named)?;
    let (channel, conn) = (entry.channel(), entry.conn());
    check(links, openings, ends, &link, channel)?;
    let (role, peer, local) = (channel.role(), channel.remote(), channel.local());
    let is_stored = role == Role::Client || channel.state().is_some();
    let used = used_state(channel).map(|state| ForgottenClient {
        peer,
        refund_script_hash: sha256::Hash::hash(&state.last_refund_scriptpubkey).to_byte_array(),
    });
    links.remove(&link);
    cx.push(Step::OpeningEnded { link, is_open: false });
    if is_stored {
        cx.delete(RowKey::Channel(link));
    }
    if let Some(client) = used.filter(|_| role == Role::Host) {
        openings.forget_client(cx, client);
    }
    cx.push(Step::DropPeer { peer, local });
    if let Some(conn) = conn {
        cx.push(Step::HangUp(conn, "the channel was forgotten".to_owned()));
    }
    cx.log(Level::Info, "channel_forgotten", peer, "the channel was forgotten");
    cx.notice(EventKind::ChannelForgotten { peer, link: Some(link), role });
    Ok(())
}

/// The parts in which something may wait for an HTLC of a channel.
pub(crate) struct Ends<'a> {
    pub(crate) outgoing: &'a Outgoing,
    pub(crate) incoming: &'a Incoming,
    pub(crate) forwards: &'a Forwards,
    pub(crate) confirmation: &'a Confirmation,
}

impl Ends<'_> {
    /// True if the channel has HTLCs or unsigned updates, or something still waits for one of them.
    fn are_loose(&self, links: &Links, link: &LinkId, channel: &Channel) -> bool {
        channel.has_htlcs()
            || channel.unsigned_updates() != (0, 0)
            || self.outgoing.forwards_from(links, link)
            || self.outgoing.offers_in(link)
            || self.incoming.settles_in(link)
            || self.forwards.has_from(link)
            || self.confirmation.awaits(link)
    }
}

/// Refuses to forget a channel, with the reason, if something stands against it.
fn check(
    links: &Links,
    openings: &Openings,
    ends: &Ends<'_>,
    link: &LinkId,
    channel: &Channel,
) -> Result<(), Error> {
    let Some(state) = channel.state() else { return Ok(()) };
    let is_host = channel.role() == Role::Host;
    let client_msat = if is_host { state.remote_balance_msat } else { state.local_balance_msat };
    if client_msat > 0 {
        let (text, hint) = match is_host {
            true => ("we owe the client", "only the client can spend it"),
            false => ("the host owes us", "pay it out first: everything can be sent at once"),
        };
        let text = format!("{text} {} in this channel", sat(client_msat));
        return Err(Error::new(Code::ChannelNotEmpty, text).hint(hint));
    }
    if channel.override_balance_msat().is_some_and(|proposed_msat| proposed_msat > 0) {
        let text = "the host proposes a balance for us in this channel";
        return Err(Error::new(Code::OverrideProposed, text));
    }
    if ends.are_loose(links, link, channel) {
        let text = "payments are under way in this channel";
        return Err(Error::new(Code::HtlcsInFlight, text).hint("wait until they have ended"));
    }
    if is_host && channel.phase() == Phase::Suspended {
        let text = "the channel is suspended: the client may hold a newer state than ours";
        return Err(Error::new(Code::ChannelSuspended, text)
            .hint("agree on a balance of 0 with the client by an override first"));
    }
    if is_host && used_state(channel).is_some() && !openings.can_forget_client() {
        let text = format!("{MAX_FORGOTTEN_CLIENTS} clients were forgotten already");
        return Err(Error::new(Code::TooManyForgotten, text));
    }
    Ok(())
}

/// The state, unless there is none but the first.
fn used_state(channel: &Channel) -> Option<&LastCrossSignedState> {
    channel.state().filter(|state| (state.local_updates, state.remote_updates) != (0, 0))
}
