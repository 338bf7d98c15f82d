//! The reports of a hosted channel that only this kind of channel makes, in the words of the engine.

use steward_hosted::{Channel, Output, Suspension};
use steward_htlc::IncomingSettlement;
use steward_wire::LinkId;

use crate::context::Context;
use crate::face::event::EventKind;
use crate::face::io::{ConnId, Level};
use crate::link::events;
use crate::step::{ClaimsInDoubt, Step};

/// The channel that reports, as it is after the input.
pub(crate) struct Reporter<'a> {
    pub(crate) link: LinkId,
    pub(crate) channel: &'a Channel,
    /// The peer's present connection.
    pub(crate) conn: Option<ConnId>,
}

/// Passes one output of a channel on.
pub(crate) fn report(cx: &mut Context, from: &Reporter<'_>, output: Output) {
    let (link, named, peer) = (from.link, Some(from.link), from.channel.remote());
    match output {
        Output::Link(event) => {
            events::report(cx, &events::Reporter { link, peer, conn: from.conn }, event);
        }
        Output::OpeningFailed(reason) => cx.push(Step::OpeningFailed(link, reason)),
        Output::Evidence(evidence) => cx.push(Step::Evidence(link, peer, Box::new(evidence))),
        Output::Opened => {
            let role = from.channel.role();
            let capacity_msat = from.channel.summary().capacity_msat;
            cx.push(Step::OpeningEnded { link, is_open: true });
            cx.notice(EventKind::ChannelOpened { peer, link: named, role, capacity_msat });
        }
        Output::Suspended(suspension) => suspended(cx, from, suspension),
        Output::DataLost => {
            let text =
                "our data is older than the peer's: the peer's state, signed by us, is taken";
            cx.log(Level::Error, "data_lost", peer, text);
            cx.push(Step::DataLost(link));
        }
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
