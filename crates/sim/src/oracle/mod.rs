//! The oracles: what must never be seen, whatever happens. One file for each group of rules of
//! docs/architecture.md; the rules for a network at rest are in [`rest`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use steward_engine::ConnId;
use steward_engine::io::Action;
use steward_engine::row::Origin;
use steward_hosted::Channel;
use steward_htlc::{IncomingHtlcId, OutgoingHtlcId};
use steward_wire::bolt1::WARNING_TYPE;
use steward_wire::{Framing, LastCrossSignedState, LinkId, Message, Preimage, framing};

use crate::chain::Chain;
use crate::deployed::has_even_tlv;
use crate::disk::Disk;
use crate::link::Frame;
use crate::node::Batch;
use crate::topology::Topology;

mod accounts;
mod contents;
mod costs;
mod durable;
mod forwards;
mod hostile;
mod htlcs;
mod ledger;
mod payments;
pub(crate) mod rest;
mod states;

/// A rule that the oracles watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// 1: durable before visible.
    DurableBeforeVisible,
    /// 2: a preimage is stored when it is learned, and what it claims is claimed.
    PreimageKept,
    /// 3: upstream is failed only on proof.
    FailedOnProof,
    /// 4: forwarded once, cross-signed, for the fee and the distance of the policy.
    ForwardedByPolicy,
    /// 5: an HTLC's end is told to what it came from and to nothing else.
    OwnOrigin,
    /// 6: local + remote + in-flight = capacity.
    Balanced,
    /// 7: both signatures; no lower state, no other state with equal counters.
    StatesOnlyGrow,
    /// 8: a host believes no state that it cannot reach.
    HostBelievesItself,
    /// 9: suspended channels get no new HTLCs.
    SuspendedIsFrozen,
    /// 10: the height goes back only in a reorganisation; no forwards on a stale tip.
    HeightIsTrue,
    /// 11: one writer.
    OneWriter,
    /// At rest: every payment has ended, and as its HTLCs did.
    PaymentsEnd,
    /// At rest: both sides hold the same state.
    SidesAgree,
    /// At rest: no money is lost or made, no node gave away what it was not given.
    MoneyIsConserved,
    /// It comes to rest, and nothing stops for good.
    Rest,
    /// The core finds no invariant of its own broken.
    InvariantsHold,
}

impl Rule {
    /// All rules.
    pub const ALL: &[Self] = &[
        Self::DurableBeforeVisible,
        Self::PreimageKept,
        Self::FailedOnProof,
        Self::ForwardedByPolicy,
        Self::OwnOrigin,
        Self::Balanced,
        Self::StatesOnlyGrow,
        Self::HostBelievesItself,
        Self::SuspendedIsFrozen,
        Self::HeightIsTrue,
        Self::OneWriter,
        Self::PaymentsEnd,
        Self::SidesAgree,
        Self::MoneyIsConserved,
        Self::Rest,
        Self::InvariantsHold,
    ];
}

/// A rule was broken.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The broken rule.
    pub rule: Rule,
    /// The node that broke it.
    pub node: usize,
    /// The observation, in a sentence.
    pub text: String,
}

impl Violation {
    /// `node` broke `rule`.
    pub fn new(rule: Rule, node: usize, text: impl Into<String>) -> Self {
        Self { rule, node, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} broken by node {}: {}", self.rule, self.node, self.text)
    }
}

/// Checks that the engine reports no broken invariant with a batch. The simulator runs the engine as
/// a release does, so that a finding is a violation with its seed and its node.
pub(crate) fn no_bug(node: usize, actions: &[Action]) -> Result<(), Violation> {
    for action in actions {
        if let Action::Log { code: "bug", text, .. } = action {
            return Err(Violation::new(Rule::InvariantsHold, node, text));
        }
    }
    Ok(())
}

/// The books that the oracles keep of one node.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// Every HTLC it ever offered, and where it came from.
    pub(crate) origins: BTreeMap<OutgoingHtlcId, Origin>,
    /// Incoming HTLCs, and what they were offered on as.
    pub(crate) offered: BTreeMap<IncomingHtlcId, OutgoingHtlcId>,
    /// Incoming HTLCs it decided to fail.
    pub(crate) failed: BTreeSet<IncomingHtlcId>,
    /// Incoming HTLCs whose preimage it gave away.
    pub(crate) given: BTreeSet<IncomingHtlcId>,
    /// The same from an attacker, not on the disk so far.
    pub(crate) heard: BTreeMap<OutgoingHtlcId, Preimage>,
    /// Own HTLCs whose preimage arrived while they were out.
    pub(crate) shown: BTreeMap<OutgoingHtlcId, Preimage>,
    /// Own HTLCs that ended: true if they were paid.
    pub(crate) ended_out: BTreeMap<OutgoingHtlcId, bool>,
    /// Incoming HTLCs that ended: true if they were credited.
    pub(crate) ended_in: BTreeMap<IncomingHtlcId, bool>,
    /// The state from which each channel went on after its last suspension, signatures aside.
    overrides: BTreeMap<LinkId, Option<LastCrossSignedState>>,
    /// Every HTLC, by direction.
    pub(crate) htlcs: htlcs::Htlcs,
    /// The first balances of each channel.
    openings: BTreeMap<LinkId, accounts::Opening>,
    /// Payments and invoices.
    bills: payments::Bills,
    /// The start of the node that may write.
    life: u64,
    /// As it stored it last.
    height: u32,
}

impl Books {
    /// A preimage from an attacker counts once it is learned.
    fn learn_heard(&mut self, disk: &Disk) {
        let shown = &mut self.shown;
        self.heard.retain(|key, preimage| {
            let is_learned = durable::is_preimage_stored(disk, &preimage.hash());
            if is_learned {
                shown.insert(*key, *preimage);
            }
            !is_learned
        });
    }
}

/// One end of a connection.
#[derive(Debug)]
struct Line {
    edge: usize,
    far: ConnId,
    /// The bytes that this end sent and received.
    bytes: costs::Bytes,
    /// The framing of what this end sends.
    framing: Option<Framing>,
}

/// All oracles and their memory.
#[derive(Debug)]
pub(crate) struct Oracles {
    pub(crate) books: Vec<Books>,
    /// Every connection there ever was: what it carried may be handled after its end.
    lines: BTreeMap<ConnId, Line>,
    /// Nodes whose misdeeds are their own: only others are watched.
    pub(crate) hostile: BTreeSet<usize>,
    /// Unix time, milliseconds.
    pub(crate) now_ms: u64,
    /// Nodes that read no even TLV in an add, and do not offer attribution data.
    deployed: BTreeSet<usize>,
    /// HTLCs added, settled, signed and removed.
    pub htlc_steps: u64,
}

impl Oracles {
    pub(crate) fn new(topology: &Topology) -> Self {
        Self {
            books: (0..topology.nodes).map(|_| Books::default()).collect(),
            lines: BTreeMap::new(),
            hostile: BTreeSet::new(),
            now_ms: 0,
            deployed: BTreeSet::new(),
            htlc_steps: 0,
        }
    }

    /// The rules of this node are not checked from now on.
    pub(crate) fn distrust(&mut self, node: usize) {
        self.hostile.insert(node);
    }

    /// This node behaves as a deployed program.
    pub(crate) fn is_deployed(&mut self, node: usize) {
        self.deployed.insert(node);
    }

    pub(crate) fn is_hostile(&self, node: usize) -> bool {
        self.hostile.contains(&node)
    }

    pub(crate) fn is_hostile_peer(&self, node: usize, link: &LinkId, topology: &Topology) -> bool {
        topology.edge_of(link).is_some_and(|edge| self.is_hostile(edge.other(node)))
    }

    pub(crate) fn connected(&mut self, edge: usize, conn: ConnId, far: ConnId) {
        let bytes = costs::Bytes::since(self.now_ms);
        self.lines.insert(conn, Line { edge, far, bytes, framing: None });
        self.lines.insert(far, Line { edge, far: conn, bytes, framing: None });
    }

    pub(crate) fn node_started(&mut self, node: usize, life: u64, disk: &Disk) {
        let books = &mut self.books[node];
        books.life = life;
        // A preimage that was lost with its batch was never shown.
        books.shown.retain(|_, preimage| durable::is_preimage_stored(disk, &preimage.hash()));
    }

    /// An engine gets frames: what the oracles learn from what a peer says.
    pub(crate) fn frames_handled(
        &mut self,
        node: usize,
        conn: ConnId,
        frames: &[Frame],
        disk: &Disk,
        topology: &Topology,
    ) {
        self.bytes_received(conn, frames);
        let Some(line) = self.lines.get(&conn) else { return };
        let link = topology.edges[line.edge].link;
        let mut shown_by_peer = self.lines.get(&line.far).and_then(|far| far.framing);
        for (message_type, payload) in frames {
            let message = framing::decode(&mut shown_by_peer, *message_type, payload);
            let Ok(Some(message)) = message else { continue };
            self.htlc_steps += u64::from(is_htlc_update(&message));
            let fulfill = match message {
                Message::UpdateAddHtlc(add) => {
                    self.books[node].htlcs.hear(link, add);
                    continue;
                }
                Message::UpdateFulfillHtlc(fulfill) => fulfill,
                _ => continue,
            };
            let key = OutgoingHtlcId { link, id: fulfill.id };
            // Of several, the right one counts, and only while the HTLC is out.
            let hash = forwards::outgoing(disk, &key).map(|add| add.payment_hash);
            if hash != Some(fulfill.preimage.hash()) {
                continue;
            }
            // An attacker may show it too late, or where no node reads it.
            let is_hostile = self.is_hostile_peer(node, &link, topology);
            let books = &mut self.books[node];
            let heard = if is_hostile { &mut books.heard } else { &mut books.shown };
            heard.insert(key, fulfill.preimage);
        }
    }

    /// A batch became durable.
    pub(crate) fn committed(
        &mut self,
        node: usize,
        batch: &Batch,
        changed: &[(LinkId, Option<Channel>)],
        disk: &Disk,
        chain: &Chain,
        topology: &Topology,
    ) -> Result<(), Violation> {
        if self.is_hostile(node) {
            return Ok(());
        }
        self.one_writer(node, batch)?;
        self.books[node].learn_heard(disk);
        self.height_is_true(node, batch, chain)?;
        self.offers_written(node, batch, disk, chain.height());
        for (link, before) in changed {
            let Some(now) = disk.channel(link) else {
                hostile::may_forget(node, before.as_ref())?;
                continue;
            };
            let is_hostile = self.is_hostile_peer(node, link, topology);
            self.suspended_for_cause(node, *link, before.as_ref(), now, topology)?;
            self.state_changed(node, *link, before.as_ref(), now, is_hostile)?;
            self.htlcs_ended(node, *link, before.as_ref(), now, is_hostile)?;
            hostile::evidence_is_kept(node, &now.remote(), before.as_ref(), now, batch, disk)?;
            durable::preimages_kept(node, now, disk)?;
        }
        self.origins_written(node, batch, disk, topology)?;
        self.settlements_decided(node, batch, changed, disk, chain)?;
        self.parts_follow_htlcs(node, batch, disk, chain)?;
        self.payers_pay_no_more(node, batch, disk)?;
        self.invoices_are_true(node, batch, disk)
    }

    /// An action may be carried out from now on.
    pub(crate) fn visible(
        &mut self,
        node: usize,
        action: &Action,
        disk: &Disk,
        topology: &Topology,
    ) -> Result<(), Violation> {
        if self.is_hostile(node) {
            return Ok(());
        }
        match action {
            Action::Send { conn, frames } => {
                self.bytes_sent(node, *conn, frames)?;
                let Some(line) = self.lines.get_mut(conn) else { return Ok(()) };
                let plan = &topology.edges[line.edge];
                let (link, other) = (plan.link, plan.other(node));
                for (message_type, payload) in frames {
                    // Words for people, before it hangs up.
                    if *message_type == WARNING_TYPE {
                        continue;
                    }
                    let decoded = framing::decode(&mut line.framing, *message_type, payload);
                    let Ok(Some(message)) = decoded else {
                        let text = "it sends what cannot be read";
                        return Err(Violation::new(Rule::Rest, node, text));
                    };
                    durable::message_is_backed(node, &link, &message, disk)?;
                    if self.deployed.contains(&other) {
                        can_be_read(node, &message)?;
                    }
                }
                Ok(())
            }
            Action::Reply { result: Ok(reply), .. } => durable::reply_is_backed(node, reply, disk),
            Action::Notice(event) => durable::event_is_backed(node, event, disk),
            _ => Ok(()),
        }
    }

    fn one_writer(&self, node: usize, batch: &Batch) -> Result<(), Violation> {
        if batch.life == self.books[node].life {
            return Ok(());
        }
        let text = "a restarted node still writes its old batches";
        Err(Violation::new(Rule::OneWriter, node, text))
    }
}

/// No add holds an even TLV that its reader never asked for: the next signature would not fit. No
/// answer holds attribution data for a reader that did not offer to take it.
fn can_be_read(node: usize, message: &Message) -> Result<(), Violation> {
    let settlement_tlvs = match message {
        Message::UpdateFulfillHtlc(fulfill) => &fulfill.tlvs[..],
        Message::UpdateFailHtlc(fail) => &fail.tlvs,
        _ => &[],
    };
    if !settlement_tlvs.is_empty() {
        let text = "attribution data goes to a peer that does not offer it";
        return Err(Violation::new(Rule::SidesAgree, node, text));
    }
    match message {
        Message::UpdateAddHtlc(add) if has_even_tlv(&add.tlvs) => {
            let text = "an even TLV goes to a peer that does not read it";
            Err(Violation::new(Rule::SidesAgree, node, text))
        }
        _ => Ok(()),
    }
}

fn is_htlc_update(message: &Message) -> bool {
    matches!(
        message,
        Message::UpdateAddHtlc(_)
            | Message::UpdateFulfillHtlc(_)
            | Message::UpdateFailHtlc(_)
            | Message::UpdateFailMalformedHtlc(_)
    )
}
