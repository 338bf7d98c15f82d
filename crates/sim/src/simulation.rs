//! One simulation from its seed to its end: the network opens, lives through faults, is healed
//! and must come to rest with every rule kept.

use steward_engine::Command;

use crate::byzantine::{Attack, AttackCounts};
use crate::fault::FaultCounts;
use crate::inject::MAX_BLOCKS_BEHIND;
use crate::mutation::Mutation;
use crate::oracle::{Rule, Violation, rest};
use crate::trace::Trace;
use crate::world::World;

/// Steps after which a network that does not come to rest is given up.
const MAX_STEPS: u64 = 400_000;
/// Time a network gets to come to rest between two blocks, in milliseconds: more than any timer
/// and any clock jump.
pub(crate) const REST_MS: u64 = 1_300_000;
/// Blocks mined while it heals: more than any HTLC's expiry is away.
const MAX_HEALING_BLOCKS: u32 = 2_400;
/// Rounds of overrides: an old error that crosses an override may need a second one.
const MAX_OVERRIDE_ROUNDS: u32 = 20;

/// The amount of traffic in one simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Payments started, about.
    pub payments: u64,
}

impl Default for Size {
    fn default() -> Self {
        Self { payments: 120 }
    }
}

/// The outcome of one simulation.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Steps made.
    pub steps: u64,
    /// HTLCs added, settled, signed and removed.
    pub htlc_steps: u64,
    /// Payments started.
    pub payments: u64,
    /// Payments that arrived.
    pub paid: u64,
    /// Little was to go wrong.
    pub is_calm: bool,
    /// Commits of all disks.
    pub commits: u64,
    /// The injected faults, counted.
    pub faults: FaultCounts,
    /// The attacks of byzantine nodes, counted.
    pub attacks: AttackCounts,
    /// Equal for equal runs; zero without a trace.
    pub digest: u64,
    /// The rule that was broken, if one was.
    pub violation: Option<Violation>,
    /// The last things that happened, if they were kept.
    pub last_lines: Vec<String>,
}

/// Runs one seed.
pub fn simulate(seed: u64, size: Size, mutation: Option<Mutation>, trace: Trace) -> Outcome {
    let mut world = World::new(seed, mutation, trace);
    if mutation.is_none() {
        world.make_byzantine(None);
        world.imitate();
    }
    world.outcome(size)
}

/// Runs one seed with byzantine nodes that make these attacks and no others.
pub fn simulate_attacks(
    seed: u64,
    size: Size,
    attacks: &[Attack],
    mutation: Option<Mutation>,
    trace: Trace,
) -> Outcome {
    let mut world = World::new(seed, mutation, trace);
    world.make_byzantine(Some(attacks));
    world.outcome(size)
}

impl World {
    fn outcome(mut self, size: Size) -> Outcome {
        let violation = self.live(size).err();
        Outcome {
            steps: self.steps,
            htlc_steps: self.oracles.htlc_steps,
            payments: self.traffic.started,
            paid: self.paid_payments(),
            is_calm: self.is_calm,
            commits: self.nodes.iter().map(|node| node.disk.commits).sum(),
            faults: self.faults.clone(),
            attacks: self.attacks.clone(),
            digest: self.trace.digest(),
            violation,
            last_lines: self.trace.last_lines().map(str::to_owned).collect(),
        }
    }

    fn live(&mut self, size: Size) -> Result<(), Violation> {
        self.open_channels()?;
        self.run_with_faults(size)?;
        self.heal()?;
        if let Some(injector) = &mut self.injector {
            injector.corrupt_end(&mut self.nodes, &self.topology);
        }
        rest::check(self)?;
        self.serves_others()?;
        rest::check(self)
    }

    /// Most channels open in peace, a few in the storm.
    fn open_channels(&mut self) -> Result<(), Violation> {
        // Everybody starts and hears of the chain.
        self.come_to_rest(0)?;
        for edge in 0..self.edges.len() {
            if self.rng.chance(900) {
                self.invoke(edge);
            }
        }
        self.come_to_rest(0)
    }

    /// The client asks its host for the channel.
    fn invoke(&mut self, edge: usize) {
        let plan = self.topology.edges[edge];
        let (host, addresses, secret) = (plan.host_id, Vec::new(), Vec::new());
        self.edges[edge].is_invoked = true;
        self.issue(
            plan.client,
            Command::InvokeChannel {
                host,
                addresses,
                identity: steward_engine::row::LocalIdentity::PerHost,
                secret,
            },
        );
    }

    /// Payments and faults, all at once.
    fn run_with_faults(&mut self, size: Size) -> Result<(), Violation> {
        // Some storms are wild, some mild, so that much gets done and much goes wrong.
        let rates: &[u64] = if self.is_calm { &[0, 1] } else { &[1, 3, 10, 30] };
        let faults_per_mille = self.rng.pick(rates).unwrap_or(3);
        let payments_per_mille = self.rng.pick(&[5, 20, 60]).unwrap_or(20);
        while self.traffic.started < size.payments {
            if self.steps > MAX_STEPS {
                break;
            }
            if self.rng.chance(payments_per_mille) {
                self.start_payment();
            }
            if self.rng.chance(faults_per_mille) {
                self.inject_any()?;
            }
            if self.rng.chance(2) {
                self.mine(1);
            }
            let is_hurry = self.now_ms < self.operators_hurry_ms;
            if self.rng.chance(if is_hurry { 100 } else { 4 }) {
                self.operators_look();
            }
            if self.rng.chance(5) {
                self.disturb();
            }
            if self.rng.chance(1) {
                self.open_late();
            }
            if !self.step()? && !self.skip_time(u64::MAX) {
                self.start_payment();
            }
        }
        Ok(())
    }

    fn open_late(&mut self) {
        let late: Vec<usize> = (0..self.edges.len())
            .filter(|edge| {
                let client = self.topology.edges[*edge].client;
                !self.edges[*edge].is_invoked && self.nodes[client].is_up()
            })
            .collect();
        if let Some(edge) = self.rng.pick(&late) {
            self.invoke(edge);
        }
    }

    /// No more faults; HTLCs expire, operators put right what is suspended.
    fn heal(&mut self) -> Result<(), Violation> {
        self.trace.world(self.now_ms, || "faults are over".to_owned());
        self.is_healing = true;
        for edge in &mut self.edges {
            edge.silent_until = None;
        }
        for node in &mut self.nodes {
            node.stale_until_ms = 0;
            node.disk_free_at_ms = 0;
        }
        // Commands that a crash swallowed are given again.
        for edge in 0..self.edges.len() {
            let client = self.topology.edges[edge].client;
            if self.edges[edge].is_invoked && self.durable(edge, client).is_none() {
                self.invoke(edge);
            }
        }
        self.come_to_rest(REST_MS)?;
        let mut blocks = 0;
        while self.has_htlcs_to_expire() && blocks < MAX_HEALING_BLOCKS {
            self.mine(MAX_BLOCKS_BEHIND / 2);
            blocks += MAX_BLOCKS_BEHIND / 2;
            self.come_to_rest(REST_MS / 10)?;
        }
        for _ in 0..MAX_OVERRIDE_ROUNDS {
            if !self.operators_look() {
                break;
            }
            self.come_to_rest(REST_MS)?;
        }
        Ok(())
    }

    /// HTLCs in flight that only their expiry will settle.
    fn has_htlcs_to_expire(&self) -> bool {
        let trusted = (0..self.nodes.len()).filter(|node| !self.oracles.is_hostile(*node));
        trusted
            .flat_map(|node| self.nodes[node].disk.channels())
            .any(|(_, channel)| channel.outgoing_htlcs().any(|htlc| htlc.preimage.is_none()))
    }

    /// Runs until nothing moves, for at least `ms` of simulated time.
    pub(crate) fn come_to_rest(&mut self, ms: u64) -> Result<(), Violation> {
        let until_ms = self.now_ms + ms;
        let first = self.steps;
        loop {
            while self.step()? {
                if self.steps - first > MAX_STEPS {
                    let text = "the network does not come to rest";
                    return Err(Violation::new(Rule::Rest, 0, text));
                }
            }
            if !self.skip_time(until_ms) {
                return Ok(());
            }
        }
    }

    fn paid_payments(&self) -> u64 {
        use steward_engine::row::{PaymentStatus, Row};
        let rows = self.nodes.iter().flat_map(|node| node.disk.rows());
        let paid = rows.filter(|row| match row {
            Row::Payment(row) => row.status == PaymentStatus::Complete,
            _ => false,
        });
        paid.count() as u64
    }
}
