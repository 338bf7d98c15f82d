//! Deterministic simulation: networks of real engines, with simulated disks, links, clocks, chain
//! and operators, faults between any two effects, and oracles that watch every step
//! (docs/simulation.md).
//!
//! Nothing of the engine is copied or replaced: the simulator replaces what surrounds it. Chance
//! comes from one seed, so that a failure is a number.
//!
//! Layout
//! - `simulation`: one run from its seed to its outcome
//! - `world`: the single steps in which everything moves
//! - `schedule`: the choice of the next step
//! - `act`: carries out what engines ask for
//! - `node`, `disk`, `link`, `chain`: what surrounds an engine
//! - `topology`: the nodes and channels of a network, and what each asks for forwarding
//! - `route`, `traffic`, `blinded`: routes, payments, and payments over blinded paths
//! - `operators`: what operators do about suspended channels
//! - `fault`, `inject`: the kinds of faults, and how each is injected
//! - `byzantine`: nodes that attack their peers
//! - `deployed`: nodes that behave as eclair and immortan do
//! - `oracle`: the rules, and what must never be seen
//! - [`mutation`]: rules broken on purpose, to prove that the oracles see it
//! - [`mutant`]: the code under test broken on purpose, as text
//! - `serving`: the last payments, among honest nodes
//! - `summary`, `trace`: what is printed of many runs, and of one
//! - `rng`: chance that follows from a seed
#![forbid(unsafe_code)]
// Indices are the simulator's own: a wrong one is a bug to stop at.
#![warn(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

mod act;
mod blinded;
mod byzantine;
mod chain;
mod deployed;
mod disk;
mod fault;
mod inject;
mod link;
pub mod mutant;
pub mod mutation;
mod node;
mod operators;
mod oracle;
mod rng;
mod route;
mod schedule;
mod serving;
mod simulation;
mod summary;
mod topology;
mod trace;
mod traffic;
mod world;

pub use byzantine::{Attack, AttackCounts};
pub use fault::{FaultCounts, FaultKind};
pub use mutation::Mutation;
pub use oracle::{Rule, Violation};
pub use simulation::{Outcome, Size, simulate, simulate_attacks};
pub use summary::Summary;
pub use trace::Trace;
