//! From what is stored to HTLCs that go on (docs/recovery.md). The tables alone decide: an incoming
//! HTLC without an outgoing one and without a settlement is offered again, an outbox row is
//! delivered again; nothing else needs recovery.

use std::collections::BTreeSet;

use steward_htlc::IncomingHtlcId;

use crate::context::Context;
use crate::htlc::incoming::Incoming;
use crate::htlc::outgoing::Outgoing;
use crate::link::links::Links;
use crate::relay::forward::{Forwards, next_of_htlc};

/// Goes on with the incoming HTLCs found at start.
pub(crate) fn resume_htlcs(
    cx: &mut Context,
    links: &Links,
    outgoing: &Outgoing,
    incoming: &mut Incoming,
    forwards: &mut Forwards,
) {
    let forwarded = outgoing.forwards();
    let mut unsettled = BTreeSet::new();
    for (link, entry) in links.connected_or_in_flight() {
        for found in entry.channel().incoming_htlcs().filter(|htlc| htlc.settlement.is_none()) {
            let htlc = IncomingHtlcId { link: *link, id: found.htlc.id };
            unsettled.insert(htlc);
            if incoming.deliver_again(cx, htlc) {
                continue;
            }
            if let Some(out) = forwarded.get(&htlc) {
                forwards.resume(cx, links, htlc, *out, found.htlc);
            } else {
                incoming.defer(htlc, next_of_htlc(cx, links, &htlc, found.htlc));
            }
        }
    }
    incoming.drop_stale(cx, |htlc| !unsettled.contains(htlc));
}
