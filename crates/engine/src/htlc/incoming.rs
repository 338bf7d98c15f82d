//! An incoming HTLC, from its cross-signed add to its settlement: it is forwarded or received, and
//! answered. The answer is durable before it leaves (the outbox, docs/design.md section 3).

use std::collections::BTreeMap;

use steward_htlc::{IncomingHtlcId, LinkInput, Settlement};
use steward_wire::{LinkId, features};

use crate::context::Context;
use crate::face::io::Level;
use crate::face::row::{Row, RowKey};
use crate::htlc::attribution::settlement;
use crate::htlc::onion::{Opened, open, refuse};
use crate::link::connections::Connections;
use crate::link::links::{Link, Links};
use crate::receive::sets::Receives;
use crate::step::{Answer, Forward, Next, Offered, Receive, Step};

/// Incoming HTLCs that wait: for the engine to act upon them, or for their channel to record how
/// they are settled.
pub(crate) struct Incoming {
    /// Settlements the incoming channel has not recorded yet.
    outbox: BTreeMap<IncomingHtlcId, Waiting>,
    /// Incoming HTLCs of the first moments after a start, to be acted upon once the height is
    /// known and their next channel or node, if there is one, is back.
    deferred: BTreeMap<IncomingHtlcId, Option<Next>>,
}

/// A settlement that the incoming channel has not recorded yet.
#[derive(Clone, Debug)]
struct Waiting {
    settlement: Settlement,
    /// The batch that first writes its row; 0 once an earlier one has.
    batch: u64,
}

impl Incoming {
    /// As found at start.
    pub(crate) fn resume(outbox: Vec<(IncomingHtlcId, Settlement)>) -> Self {
        let waiting = |(htlc, settlement)| (htlc, Waiting { settlement, batch: 0 });
        Self { outbox: outbox.into_iter().map(waiting).collect(), deferred: BTreeMap::new() }
    }

    /// Delivers a settlement found at start once more. Returns false if there is none.
    pub(crate) fn deliver_again(&self, cx: &mut Context, htlc: IncomingHtlcId) -> bool {
        let waiting = self.outbox.get(&htlc);
        if let Some(waiting) = waiting {
            deliver(cx, htlc, waiting.settlement.clone());
        }
        waiting.is_some()
    }

    /// Drops the records found at start of HTLCs that are settled, or gone.
    pub(crate) fn drop_stale(
        &mut self,
        cx: &mut Context,
        is_stale: impl Fn(&IncomingHtlcId) -> bool,
    ) {
        self.outbox.retain(|htlc, _| {
            let goes = is_stale(htlc);
            if goes {
                cx.delete(RowKey::Outbox(*htlc));
            }
            !goes
        });
    }

    /// Acts on an HTLC that both sides have signed. Once per HTLC.
    pub(crate) fn offered(
        &self,
        cx: &mut Context,
        links: &Links,
        receives: &Receives,
        offered: Offered,
    ) {
        let Offered { htlc, add, taken_over } = offered;
        // Invoices with hints name a payee key of their own, also when they are paid already.
        let hash = &add.payment_hash;
        let may_be_ours = cx.preimage(hash).is_some() || receives.is_expected(hash);
        match open(cx, links.local_of(cx, &htlc.link), &add, may_be_ours) {
            Ok(Opened::Ours(received)) => {
                cx.push(Step::Receive(Box::new(Receive { htlc, add, received })));
            }
            // It may have been forwarded before the restart.
            Ok(Opened::Forward { .. }) if taken_over => cx.push(Step::Hold(htlc)),
            Ok(Opened::Forward { layer, shared_secret }) => {
                cx.push(Step::Forward(Box::new(Forward { htlc, add, layer, shared_secret })));
            }
            Err(refusal) => refuse(cx, htlc, refusal, cx.now_ms()),
        }
    }

    /// Decides an incoming HTLC. A fulfill is for good: it stays, whatever is said later.
    pub(crate) fn settle(
        &mut self,
        cx: &mut Context,
        links: &Links,
        connections: &Connections,
        htlc: IncomingHtlcId,
        answer: Answer,
    ) {
        // An override, or a newer state of the peer's, may have taken the HTLC away.
        let Some(found) = links.incoming(&htlc) else { return };
        let decided = self.outbox.get(&htlc);
        let settlement = match decided.map(|waiting| &waiting.settlement) {
            Some(fulfill @ Settlement::Fulfill { .. }) => fulfill.clone(),
            _ => {
                let in_blinded_path = found.htlc.path_key().is_some();
                let attributed = !in_blinded_path && reads_attribution(links, connections, &htlc);
                settlement(answer, attributed, cx.now_ms())
            }
        };
        cx.put(Row::Outbox(htlc, settlement.clone()));
        let is_stored = decided.is_some_and(|waiting| waiting.batch != cx.batch_number());
        let batch = if is_stored { 0 } else { cx.batch_number() };
        self.outbox.insert(htlc, Waiting { settlement: settlement.clone(), batch });
        deliver(cx, htlc, settlement);
    }

    /// The channel's own record repeats it from now on.
    pub(crate) fn recorded(&mut self, cx: &mut Context, htlc: IncomingHtlcId) {
        match self.outbox.remove(&htlc) {
            // Decided and recorded in one batch: the row need never be written.
            Some(waiting) if waiting.batch == cx.batch_number() => {
                cx.take_back(&RowKey::Outbox(htlc));
            }
            Some(_) => cx.delete(RowKey::Outbox(htlc)),
            // Delivered twice, and recorded the first time.
            None => {}
        }
    }

    /// True if a settlement waits for this channel.
    pub(crate) fn settles_in(&self, link: &LinkId) -> bool {
        self.settlements_in(link).next().is_some()
    }

    /// The HTLCs whose settlements wait for this channel.
    pub(crate) fn settlements_in(&self, link: &LinkId) -> impl Iterator<Item = IncomingHtlcId> {
        let all =
            IncomingHtlcId { link: *link, id: 0 }..=IncomingHtlcId { link: *link, id: u64::MAX };
        self.outbox.range(all).map(|(htlc, _)| *htlc)
    }

    /// True if the settlement of this HTLC waits for its channel.
    pub(crate) fn has_settlement(&self, htlc: &IncomingHtlcId) -> bool {
        self.outbox.contains_key(htlc)
    }

    /// True if this HTLC waits since the start to be acted upon.
    pub(crate) fn is_deferred(&self, htlc: &IncomingHtlcId) -> bool {
        self.deferred.contains_key(htlc)
    }

    /// Waits until the chain is known, and the next channel or node, if there is one, is back.
    pub(crate) fn defer(&mut self, htlc: IncomingHtlcId, next: Option<Next>) {
        self.deferred.insert(htlc, next);
    }

    /// True if HTLCs wait since the start.
    pub(crate) fn has_deferred(&self) -> bool {
        !self.deferred.is_empty()
    }

    /// Incoming HTLCs on which the engine had not acted when the node stopped, or that came just
    /// after its start. Peers need a moment to come back: a forward waits for its next peer, rather
    /// than fail. None is acted upon before the peer that offered it has confirmed its state: if
    /// our data is an old copy, the HTLC may have ended long ago.
    pub(crate) fn act_on_deferred(&mut self, cx: &mut Context, links: &Links) {
        let is_over = !cx.is_starting();
        if self.deferred.is_empty() || (cx.tip().is_stale() && !is_over) {
            return;
        }
        let ready: Vec<IncomingHtlcId> = self
            .deferred
            .iter()
            .filter(|(htlc, _)| links.is_active(&htlc.link))
            .filter(|(_, next)| is_over || next.is_none_or(|next| is_back(links, next)))
            .map(|(htlc, _)| *htlc)
            .collect();
        for htlc in ready {
            self.deferred.remove(&htlc);
            let found = links.incoming(&htlc).filter(|found| found.settlement.is_none());
            // Settled, or taken away, while it waited.
            let Some(add) = found.map(|found| found.htlc.clone()) else { continue };
            let text = format!("acting on HTLC {} that waited since the start", htlc.id);
            cx.log(Level::Info, "htlc_resumed", links.peer_of(&htlc.link), text);
            cx.push(Step::Offered(Box::new(Offered { htlc, add, taken_over: false })));
        }
    }

    /// Holds HTLCs found at start that seem never to have been offered in this channel, and may have
    /// been.
    pub(crate) fn hold_forwards_to(&mut self, cx: &mut Context, links: &Links, link: LinkId) {
        let in_link = Some(Next::Link(link));
        let to_peer = links.peer_of(&link).map(Next::Node);
        self.deferred.retain(|htlc, to| {
            let is_held = to.is_some() && (*to == in_link || *to == to_peer);
            if is_held {
                cx.push(Step::Hold(*htlc));
            }
            !is_held
        });
    }
}

/// True if HTLCs can be offered there, and every channel with the node, in which they may have been
/// offered before the restart, is active or suspended.
fn is_back(links: &Links, next: Next) -> bool {
    match next {
        Next::Link(link) => links.is_active(&link),
        Next::Node(node) => {
            let mut all = links.with_peer(&node);
            let is_away = |(link, entry): (LinkId, &Link)| {
                entry.is_open() && !links.is_active(&link) && !links.is_suspended(&link)
            };
            !all.any(is_away) && links.with_peer(&node).any(|(link, _)| links.is_active(&link))
        }
    }
}

/// True unless the peer is connected and does not offer attribution data. One that is away may be
/// back with it: the sender of the settlement looks again.
fn reads_attribution(links: &Links, connections: &Connections, htlc: &IncomingHtlcId) -> bool {
    links.conn_of(&htlc.link).is_none()
        || connections.offers_feature(links, &htlc.link, features::ATTRIBUTION_DATA)
}

fn deliver(cx: &mut Context, htlc: IncomingHtlcId, settlement: Settlement) {
    let id = htlc.id;
    let input = match settlement {
        Settlement::Fulfill { preimage, tlvs } => LinkInput::Fulfill { id, preimage, tlvs },
        Settlement::Fail(failure) => LinkInput::Fail { id, failure },
    };
    cx.push(Step::Drive(htlc.link, Box::new(input)));
}
