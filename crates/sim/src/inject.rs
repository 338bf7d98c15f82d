//! Faults, carried out. Each says whether it found what it needs.

use steward_engine::row::{InvoiceStatus, Row, RowKey};
use steward_engine::{Command, ConnId};
use steward_wire::{NodeId, Preimage};

use crate::fault::FaultKind;
use crate::node::CAPACITY_SAT;
use crate::oracle::Violation;
use crate::world::World;

/// A node that is away misses at most this many blocks: a node that must publish a preimage in time
/// gets the chance (the alarm comes 108 blocks before the expiry).
pub(crate) const MAX_BLOCKS_BEHIND: u32 = 40;
/// Longest silence of a peer, in blocks: longer than any HTLC lives.
const MAX_SILENCE_BLOCKS: u64 = 500;
/// The time in which operators act at once on suspended channels, in milliseconds.
const HURRY_MS: u64 = 20_000;
/// Most a clock jumps, in milliseconds.
const MAX_CLOCK_JUMP_MS: u64 = 600_000;

impl World {
    /// One fault of a kind that chance picks.
    pub(crate) fn inject_any(&mut self) -> Result<(), Violation> {
        let injected = FaultKind::ALL.iter().copied().filter(|kind| kind.is_injected());
        let kinds: Vec<FaultKind> = injected.collect();
        let kind = self.rng.pick(&kinds).unwrap_or(FaultKind::Crash);
        self.inject(kind)
    }

    /// One fault of this kind, if the moment allows.
    pub(crate) fn inject(&mut self, kind: FaultKind) -> Result<(), Violation> {
        let happened = match kind {
            FaultKind::Crash
            | FaultKind::CrashBeforeCommit
            | FaultKind::CrashAfterCommit
            | FaultKind::CrashBetweenActions
            | FaultKind::TornCommit => self.inject_crash(kind)?,
            FaultKind::CrashAtStart => self.crash_at_start()?,
            FaultKind::BothCrash => self.crash_both(),
            FaultKind::SlowDisk => self.slow_disk(),
            FaultKind::Disconnect => self.disconnect(),
            FaultKind::DuplicateConnection => self.duplicate_connection(),
            FaultKind::SilentPeer => self.silence_peer(),
            FaultKind::BlockBurst => {
                let blocks = self.rng.between(2, 30) as u32;
                self.mine(blocks)
            }
            FaultKind::Reorg => self.reorganise(),
            FaultKind::StaleTip => self.silence_chain(),
            FaultKind::ClockJump => self.jump_clock(),
            FaultKind::PreimageOnChain => self.publish_early(),
            FaultKind::Suspend => self.suspend(),
            FaultKind::Resize => self.resize(),
            // Counted where it happens.
            FaultKind::Override => {
                self.operators_look();
                return Ok(());
            }
            FaultKind::PaidTwice => self.pay_again(),
            FaultKind::PaidKeysend => self.keysend_paid(),
            FaultKind::HeldPartLost => self.lose_held_part(),
            FaultKind::BlindedPayment => {
                // Counted where it happens.
                self.pay_blinded();
                return Ok(());
            }
            // Peers bring these with them.
            _ => return Ok(()),
        };
        if happened && kind != FaultKind::PreimageOnChain {
            self.trace.world(self.now_ms, || format!("fault: {}", kind.name()));
            self.count(kind);
        }
        Ok(())
    }

    /// Mostly one with work on its hands: there is more to lose.
    fn some_node_up(&mut self) -> Option<usize> {
        let up: Vec<usize> = (0..self.nodes.len()).filter(|n| self.nodes[*n].is_up()).collect();
        let busy: Vec<usize> = up.iter().copied().filter(|n| !self.nodes[*n].is_quiet()).collect();
        if !busy.is_empty() && self.rng.chance(800) {
            return self.rng.pick(&busy);
        }
        self.rng.pick(&up)
    }

    /// A channel that was invoked.
    fn some_edge(&mut self) -> Option<usize> {
        let invoked: Vec<usize> =
            (0..self.edges.len()).filter(|edge| self.edges[*edge].is_invoked).collect();
        self.rng.pick(&invoked)
    }

    fn some_link(&mut self) -> Option<ConnId> {
        let edge = self.some_edge()?;
        self.links.alive(edge).next()
    }

    /// Memory and connections are gone.
    pub(crate) fn crash(&mut self, node: usize) {
        for conn in self.links.of_node(node) {
            self.break_link(conn);
            self.links.drop_end(conn);
        }
        let wait_ms =
            if self.rng.chance(600) { self.rng.below(500) } else { self.rng.below(60_000) };
        self.nodes[node].stop(self.now_ms + wait_ms);
    }

    fn inject_crash(&mut self, kind: FaultKind) -> Result<bool, Violation> {
        let Some(node) = self.some_node_up() else { return Ok(false) };
        self.run(node, usize::MAX)?;
        match kind {
            FaultKind::Crash => {
                self.commit(node, usize::MAX)?;
                while !self.nodes[node].released.is_empty() {
                    self.act(node)?;
                }
            }
            FaultKind::CrashBeforeCommit => {
                let waiting = self.nodes[node].pending.len() as u64;
                let survive = self.rng.below(waiting) as usize;
                self.commit(node, survive)?;
            }
            FaultKind::CrashAfterCommit => self.commit(node, usize::MAX)?,
            FaultKind::CrashBetweenActions => {
                self.commit(node, usize::MAX)?;
                let waiting = self.nodes[node].released.len();
                if waiting < 2 {
                    return Ok(false);
                }
                for _ in 0..=self.rng.index(waiting - 1) {
                    self.act(node)?;
                }
            }
            _ => {
                self.run(node, 1)?;
                if self.nodes[node].pending.len() < 2 {
                    return Ok(false);
                }
            }
        }
        self.crash(node);
        Ok(true)
    }

    fn crash_at_start(&mut self) -> Result<bool, Violation> {
        let Some(node) = self.some_node_up() else { return Ok(false) };
        self.crash(node);
        self.start(node)?;
        self.tell_chain(node);
        self.run(node, usize::MAX)?;
        if self.rng.chance(500) {
            self.commit(node, 1)?;
        }
        self.crash(node);
        Ok(true)
    }

    fn crash_both(&mut self) -> bool {
        let Some(edge) = self.some_edge() else { return false };
        let plan = self.topology.edges[edge];
        if !self.nodes[plan.client].is_up() || !self.nodes[plan.host].is_up() {
            return false;
        }
        self.crash(plan.client);
        self.crash(plan.host);
        true
    }

    fn slow_disk(&mut self) -> bool {
        let Some(node) = self.some_node_up() else { return false };
        self.nodes[node].disk_free_at_ms = self.now_ms + self.rng.between(100, 10_000);
        true
    }

    fn disconnect(&mut self) -> bool {
        let Some(conn) = self.some_link() else { return false };
        self.break_link(conn);
        true
    }

    fn duplicate_connection(&mut self) -> bool {
        let Some(conn) = self.some_link() else { return false };
        let Some(edge) = self.links.get(conn).map(|end| end.edge) else { return false };
        self.connect(edge);
        self.links.break_off(conn, self.now_ms, &mut self.rng);
        true
    }

    fn silence_peer(&mut self) -> bool {
        let Some(edge) = self.some_edge() else { return false };
        if self.is_silent(edge) {
            return false;
        }
        let blocks = self.rng.between(5, MAX_SILENCE_BLOCKS) as u32;
        self.edges[edge].silent_until = Some(self.chain.height() + blocks);
        true
    }

    /// New blocks, unless some node is too far behind.
    pub(crate) fn mine(&mut self, blocks: u32) -> bool {
        let is_bearable = self.blocks_behind() + blocks <= MAX_BLOCKS_BEHIND;
        if is_bearable {
            self.chain.mine(blocks);
        }
        is_bearable
    }

    fn reorganise(&mut self) -> bool {
        let blocks = self.rng.between(1, 3) as u32;
        self.chain.reorganise(blocks);
        // The other branch is longer, sooner or later.
        if self.rng.chance(500) {
            self.chain.mine(blocks + 1);
        }
        true
    }

    fn silence_chain(&mut self) -> bool {
        let Some(node) = self.some_node_up() else { return false };
        self.nodes[node].stale_until_ms = self.now_ms + self.rng.between(1_000, 60_000);
        true
    }

    fn jump_clock(&mut self) -> bool {
        let Some(node) = self.some_node_up() else { return false };
        let jump_ms = self.rng.below(2 * MAX_CLOCK_JUMP_MS) as i64 - MAX_CLOCK_JUMP_MS as i64;
        self.nodes[node].clock_offset_ms = jump_ms;
        true
    }

    /// Somebody publishes the preimage of an HTLC that the peer has not signed away yet.
    fn publish_early(&mut self) -> bool {
        let Some(edge) = self.some_edge() else { return false };
        let plan = self.topology.edges[edge];
        for node in [plan.client, plan.host] {
            if self.nodes[node].is_up() {
                self.publish_preimages(node, &plan.link);
            }
        }
        true
    }

    fn suspend(&mut self) -> bool {
        let Some(edge) = self.some_edge() else { return false };
        let plan = self.topology.edges[edge];
        let node = if self.rng.chance(500) { plan.client } else { plan.host };
        let is_open = self.durable(edge, node).is_some_and(|c| c.suspension().is_none());
        if !self.nodes[node].is_up() || !is_open {
            return false;
        }
        self.issue(node, Command::SuspendChannel { channel: plan.link.into() });
        true
    }

    /// Somebody sends a paid invoice's preimage to its payee, who knows it already.
    fn keysend_paid(&mut self) -> bool {
        let Some((payee, destination, via, preimage)) = self.paid_somebody() else {
            return false;
        };
        let payer = self.rng.index(self.nodes.len());
        let knows = self.nodes[payer].disk.row(&RowKey::Payment(preimage.hash().into())).is_some();
        if payer == payee || knows || !self.nodes[payer].is_up() {
            return false;
        }
        let amount_msat = self.rng.between(1_000, 1_000_000);
        self.keysend_to(payer, destination, via, amount_msat, preimage);
        true
    }

    /// A paid invoice: who its payee is, how it is reached, what it gave for it.
    fn paid_somebody(&mut self) -> Option<(usize, NodeId, Option<NodeId>, Preimage)> {
        let edge = self.some_edge()?;
        let plan = self.topology.edges[edge];
        let is_client = self.rng.chance(700);
        let (payee, destination, via) = match is_client {
            true => (plan.client, plan.client_id, Some(plan.host_id)),
            false => (plan.host, plan.host_id, None),
        };
        let paid: Vec<Preimage> = self.nodes[payee]
            .disk
            .rows()
            .filter_map(|row| match row {
                Row::Invoice(row) if row.status == InvoiceStatus::Paid => Some(row.preimage),
                _ => None,
            })
            .collect();
        Some((payee, destination, via, self.rng.pick(&paid)?))
    }

    /// A payee that waits for the rest of a payment loses what it holds.
    fn lose_held_part(&mut self) -> bool {
        let holding: Vec<usize> = (0..self.edges.len())
            .filter(|edge| {
                let client = self.topology.edges[*edge].client;
                self.nodes[client].is_up() && self.holds_part(*edge, client)
            })
            .collect();
        let Some(edge) = self.rng.pick(&holding) else { return false };
        let plan = self.topology.edges[edge];
        self.issue(plan.client, Command::SuspendChannel { channel: plan.link.into() });
        self.operators_hurry_ms = self.now_ms + HURRY_MS;
        true
    }

    /// An HTLC of an unpaid invoice of this client's is in the channel, neither claimed nor failed.
    fn holds_part(&self, edge: usize, client: usize) -> bool {
        let Some(channel) = self.durable(edge, client).filter(|c| c.suspension().is_none()) else {
            return false;
        };
        channel.incoming_htlcs().any(|htlc| {
            let row = self.nodes[client].disk.row(&RowKey::Invoice(htlc.htlc.payment_hash));
            let is_open =
                matches!(row, Some(Row::Invoice(row)) if row.status == InvoiceStatus::Open);
            is_open && htlc.settlement.is_none()
        })
    }

    fn resize(&mut self) -> bool {
        let Some(edge) = self.some_edge() else { return false };
        let plan = self.topology.edges[edge];
        let is_open = self.durable(edge, plan.client).is_some_and(|c| c.state().is_some());
        if !self.nodes[plan.client].is_up() || !is_open {
            return false;
        }
        let new_capacity_sat = CAPACITY_SAT + self.rng.between(1, 2_000_000);
        let channel = plan.link.into();
        self.issue(plan.client, Command::ResizeChannel { channel, new_capacity_sat });
        true
    }
}
