//! The reports that a channel of any kind makes, in the words of the engine: one about HTLCs becomes
//! a step for its owner.

use steward_htlc::{IncomingHtlcId, LinkEvent, OutgoingHtlcId};
use steward_wire::{LinkId, NodeId, impossible};

use crate::context::Context;
use crate::face::io::{ConnId, Level};
use crate::step::{Ending, Offered, Step};

/// The channel that reports.
pub(crate) struct Reporter {
    pub(crate) link: LinkId,
    pub(crate) peer: NodeId,
    /// The peer's present connection.
    pub(crate) conn: Option<ConnId>,
}

/// Passes one report of a channel on.
pub(crate) fn report(cx: &mut Context, from: &Reporter, event: LinkEvent) {
    let Reporter { link, peer, conn } = *from;
    let outgoing = |id| OutgoingHtlcId { link, id };
    let step = match event {
        LinkEvent::Send(message) => {
            // If the peer is not connected, reestablishing repeats what counts.
            let Some(conn) = conn else { return };
            Step::Send(conn, Box::new(message))
        }
        LinkEvent::Changed => return impossible!("a change is noted where the channels are kept"),
        LinkEvent::Active => {
            cx.log(Level::Info, "channel_active", peer, "the channel is active");
            Step::LinkUp(link)
        }
        LinkEvent::Inactive => {
            return cx.log(Level::Info, "channel_inactive", peer, "the channel is inactive");
        }
        LinkEvent::PeerError(text) => return cx.log(Level::Warn, "peer_error", peer, text),
        LinkEvent::Reconnect(reason) => {
            cx.log(Level::Warn, "out_of_step", peer, reason.clone());
            // Gone already, or about to be.
            let Some(conn) = conn else { return };
            Step::HangUp(conn, reason)
        }
        // Kept in the channel's record; invoices read it from there.
        LinkEvent::PeerPolicy(_) => return,
        LinkEvent::HtlcIncoming { add, taken_over } => {
            let htlc = IncomingHtlcId { link, id: add.id };
            Step::Offered(Box::new(Offered { htlc, add, taken_over }))
        }
        LinkEvent::HtlcAdded { token, id } => Step::Added(token, outgoing(id)),
        LinkEvent::HtlcRefused { token, reason } => Step::Refused(token, link, reason),
        LinkEvent::HtlcFulfilled { id, preimage, tlvs } => {
            Step::Ended(outgoing(id), Ending::Fulfilled(preimage, tlvs))
        }
        LinkEvent::HtlcFailed { id, failure } => Step::Ended(outgoing(id), Ending::Failed(failure)),
        LinkEvent::HtlcDropped { id, cause } => Step::Ended(outgoing(id), Ending::Dropped(cause)),
        LinkEvent::SettlementRecorded { id } => {
            Step::SettlementRecorded(IncomingHtlcId { link, id })
        }
    };
    cx.push(step);
}
