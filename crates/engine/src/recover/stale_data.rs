//! The engine guesses nothing when our data may be an old copy: a restored backup looks like a
//! restart, until a peer shows a state that we signed and do not know (docs/recovery.md).

use std::collections::BTreeSet;

use steward_wire::{ErrorCode, LinkId, PaymentId};

use crate::context::Context;
use crate::face::row::Origin;
use crate::htlc::incoming::Incoming;
use crate::htlc::outgoing::Outgoing;
use crate::link::links::Links;
use crate::pay::payments::Payments;
use crate::step::Step;

/// The channels and payments that wait for the peers to confirm that our data is the newest.
#[derive(Debug, Default)]
pub(crate) struct Confirmation {
    /// Channels with our hosts whose state was not compared since the start.
    awaited: BTreeSet<LinkId>,
    /// The payments found at start that have, or may have, never left us.
    unsent: BTreeSet<PaymentId>,
}

impl Confirmation {
    /// At start: payments without an HTLC never left us, unless they left after this copy of the
    /// data was made. They end when every host of ours has confirmed its state.
    pub(crate) fn resume(
        cx: &mut Context,
        links: &Links,
        payments: &Payments,
        outgoing: &Outgoing,
    ) -> Self {
        let unsent = unsent_payments(payments, outgoing).into_iter().map(|(payment, _)| payment);
        let unsent: BTreeSet<PaymentId> =
            unsent.filter(|payment| !payments.is_outcome_unknown(payment)).collect();
        if unsent.is_empty() {
            return Self::default();
        }
        // Only our own hosts: no client may keep our payments open by staying away.
        let hosts = links.iter().filter(|(link, entry)| {
            entry.is_open() && !links.is_suspended(link) && !entry.is_host()
        });
        let awaited = hosts.map(|(link, _)| *link).collect();
        let mut confirmation = Self { awaited, unsent };
        confirmation.end_unsent_if_confirmed(cx, payments, outgoing);
        confirmation
    }

    /// True if payments found at start wait until the states of this channel were compared.
    pub(crate) fn awaits(&self, link: &LinkId) -> bool {
        self.awaited.contains(link)
    }

    /// Both sides hold the same state.
    pub(crate) fn confirmed(
        &mut self,
        cx: &mut Context,
        payments: &Payments,
        outgoing: &Outgoing,
        link: &LinkId,
    ) {
        if self.awaited.remove(link) {
            self.end_unsent_if_confirmed(cx, payments, outgoing);
        }
    }

    /// The channel was suspended before the states were compared, or because they differ.
    pub(crate) fn suspended(
        &mut self,
        cx: &mut Context,
        payments: &Payments,
        outgoing: &Outgoing,
        link: &LinkId,
        code: Option<u16>,
    ) {
        if !self.awaited.remove(link) {
            return;
        }
        if code == Some(ErrorCode::MissingChannel.number()) {
            self.give_up_knowing(cx);
        }
        self.end_unsent_if_confirmed(cx, payments, outgoing);
    }

    /// The payments that seemed never to have left may have left, and arrived, after all.
    pub(crate) fn give_up_knowing(&mut self, cx: &mut Context) {
        for payment in std::mem::take(&mut self.unsent) {
            cx.push(Step::OutcomeUnknown(payment));
        }
        self.awaited.clear();
    }

    fn end_unsent_if_confirmed(
        &mut self,
        cx: &mut Context,
        payments: &Payments,
        outgoing: &Outgoing,
    ) {
        if !self.awaited.is_empty() || self.unsent.is_empty() {
            return;
        }
        let unsent = std::mem::take(&mut self.unsent);
        for (payment, parts) in unsent_payments(payments, outgoing) {
            if unsent.contains(&payment) {
                cx.push(Step::PartsLost(payment, parts));
            }
        }
    }
}

/// Holds HTLCs found at start that seem never to have been forwarded in a channel, if we found that
/// its states differ. A peer's word alone stops no HTLC of others.
pub(crate) fn hold_if_states_differ(
    cx: &mut Context,
    links: &Links,
    incoming: &mut Incoming,
    link: LinkId,
) {
    let suspension = links.get(&link).and_then(|entry| entry.channel().suspension());
    let states_differ = Some(ErrorCode::MissingChannel.number());
    if suspension.is_some_and(|own| own.by_us && own.code == states_differ) {
        incoming.hold_forwards_to(cx, links, link);
    }
}

/// Pending payments of which no part, or not every part, has an HTLC; with those parts.
fn unsent_payments(payments: &Payments, outgoing: &Outgoing) -> Vec<(PaymentId, Vec<u32>)> {
    let sent = outgoing.sent();
    let unsent = payments.pending_parts().into_iter().filter_map(|(payment, mut parts)| {
        let has_parts = !parts.is_empty();
        parts.retain(|part| !sent.contains(&Origin::Payment { payment, part: *part }));
        (!has_parts || !parts.is_empty()).then_some((payment, parts))
    });
    unsent.collect()
}
