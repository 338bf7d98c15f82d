//! The reports of a hosted channel, in the words of the engine: one about HTLCs becomes a step for
//! its owner; one that only this kind of channel has is told here.

use steward_hosted::{Channel, IncomingSettlement, Output, Suspension};
use steward_wire::{IncomingHtlcId, LinkId, OutgoingHtlcId};

use crate::context::Context;
use crate::face::event::EventKind;
use crate::face::io::{ConnId, Level};
use crate::step::{ClaimsInDoubt, Ending, Offered, Step};

/// The channel that reports, as it is after the input.
pub(crate) struct Reporter<'a> {
    pub(crate) link: LinkId,
    pub(crate) channel: &'a Channel,
    /// The peer's present connection.
    pub(crate) conn: Option<ConnId>,
}

/// Passes one output of a channel on.
pub(crate) fn report(cx: &mut Context, from: &Reporter<'_>, output: Output) {
    let link = from.link;
    let outgoing = |id| OutgoingHtlcId { link, id };
    let step = match output {
        Output::Send(message) => {
            // If the peer is not connected, reestablishing repeats what counts.
            let Some(conn) = from.conn else { return };
            Step::Send(conn, Box::new(message))
        }
        Output::HtlcIncoming { add, taken_over } => {
            let htlc = IncomingHtlcId { link, id: add.id };
            Step::Offered(Box::new(Offered { htlc, add, taken_over }))
        }
        Output::HtlcAdded { token, id } => Step::Added(token, outgoing(id)),
        Output::HtlcRefused { token, reason } => Step::Refused(token, link, reason),
        Output::HtlcFulfilled { id, preimage, tlvs } => {
            Step::Ended(outgoing(id), Ending::Fulfilled(preimage, tlvs))
        }
        Output::HtlcFailed { id, failure } => Step::Ended(outgoing(id), Ending::Failed(failure)),
        Output::HtlcDropped { id, cause } => Step::Ended(outgoing(id), Ending::Dropped(cause)),
        Output::SettlementRecorded { id } => Step::SettlementRecorded(IncomingHtlcId { link, id }),
        Output::OpeningFailed(reason) => Step::OpeningFailed(link, reason),
        Output::Evidence(evidence) => {
            Step::Evidence(link, from.channel.remote(), Box::new(evidence))
        }
        Output::Reconnect(reason) => {
            cx.log(Level::Warn, "out_of_step", from.channel.remote(), reason.clone());
            // Gone already, or about to be.
            let Some(conn) = from.conn else { return };
            Step::HangUp(conn, reason)
        }
        other => return tell(cx, from, other),
    };
    cx.push(step);
}

/// Tells of changes of the channel itself.
fn tell(cx: &mut Context, from: &Reporter<'_>, output: Output) {
    let (link, named) = (from.link, Some(from.link));
    let peer = from.channel.remote();
    match output {
        Output::Opened => {
            let role = from.channel.role();
            let capacity_msat = from.channel.summary().capacity_msat;
            cx.push(Step::OpeningEnded { link, is_open: true });
            cx.notice(EventKind::ChannelOpened { peer, link: named, role, capacity_msat });
        }
        Output::Active => {
            cx.log(Level::Info, "channel_active", peer, "the channel is active");
            cx.push(Step::LinkUp(link));
        }
        Output::Inactive => {
            cx.log(Level::Info, "channel_inactive", peer, "the channel is inactive");
        }
        Output::Suspended(suspension) => suspended(cx, from, suspension),
        Output::DataLost => {
            let text =
                "our data is older than the peer's: the peer's state, signed by us, is taken";
            cx.log(Level::Error, "data_lost", peer, text);
            cx.push(Step::DataLost(link));
        }
        Output::PeerError(text) => cx.log(Level::Warn, "peer_error", peer, text),
        Output::ResizeRefused { reason } => {
            cx.log(Level::Warn, "resize_refused", peer, reason.clone());
            cx.notice(EventKind::ResizeRefused { peer, link: named, reason });
        }
        Output::Resized { new_capacity_msat: capacity_msat } => {
            cx.notice(EventKind::ChannelResized { peer, link: named, capacity_msat });
        }
        Output::OverrideProposed { our_balance_msat } => {
            cx.notice(EventKind::OverrideProposed { peer, link: named, our_balance_msat });
        }
        Output::Overridden => {
            cx.push(Step::Overridden(link));
            cx.notice(EventKind::ChannelOverridden { peer, link: named });
        }
        Output::HtlcsHeld { ids } => {
            let text = format!(
                "nothing proves who offered the HTLCs {ids:?} of the state that was taken over: \
                 they are held, and end by an override"
            );
            cx.log(Level::Error, "htlcs_held", peer, text);
        }
        Output::ClaimsDropped { payment_hashes: hashes } => {
            let message = "the channel was overridden before the claim was signed: the agreed \
                           balance says whether it was paid";
            cx.push(Step::ClaimsInDoubt(ClaimsInDoubt {
                hashes,
                failure_code: "claim_overridden",
                message,
            }));
        }
        Output::PreimageAtRisk { preimage, cltv_expiry, .. } => {
            let text = "an HTLC we claimed expires soon and the peer has not signed: publish its \
                        preimage (event preimage_at_risk)";
            cx.log(Level::Error, "preimage_at_risk", peer, text);
            let preimage = Some(preimage);
            cx.notice(EventKind::PreimageAtRisk { peer, link: named, preimage, cltv_expiry });
        }
        // Kept in the channel's record; invoices read it from there.
        Output::PeerPolicy(_) => {}
        other => steward_wire::impossible!("{other:?} is passed on before"),
    }
}

fn suspended(cx: &mut Context, from: &Reporter<'_>, suspension: Suspension) {
    let (link, peer) = (from.link, from.channel.remote());
    let claims = from
        .channel
        .incoming_htlcs()
        .filter(|htlc| matches!(htlc.settlement, Some(IncomingSettlement::Fulfill(_))));
    let hashes = claims.map(|htlc| htlc.htlc.payment_hash).collect();
    let message = "the channel was suspended before the claim was signed: an override settles it";
    cx.push(Step::ClaimsInDoubt(ClaimsInDoubt { hashes, failure_code: "claim_unsigned", message }));
    cx.push(Step::LinkSuspended(link, suspension.code));
    cx.log(Level::Error, "channel_suspended", peer, suspension.text.clone());
    cx.notice(EventKind::ChannelSuspended { peer, link: Some(link), suspension });
}
