//! Deterministic simulation: networks of real engines, with simulated disks, links, clocks, chain
//! and operators, faults between any two effects, and oracles that watch every step (design.md
//! section 10, docs/simulation.md).
//!
//! Nothing of the engine is copied or replaced: what is simulated is what surrounds it. Chance
//! comes from one seed, so that a failure is a number.
//!
//! | Module | Holds |
//! |---|---|
//! | `simulation` | one run from seed to verdict |
//! | `world`, `schedule` | the single steps, and which comes next |
//! | `node`, `disk`, `link`, `chain` | what surrounds an engine |
//! | `topology`, `route`, `traffic`, `operators` | the network, its payments, and what operators do |
//! | `fault`, `inject` | what goes wrong |
//! | `byzantine` | what hostile nodes say |
//! | `deployed`, `blinded` | peers like eclair and immortan, and what they cannot read |
//! | `oracle` | what must never be seen |
//! | `mutation` | rules broken on purpose, to prove the oracles |
//! | `mutant` | the code under test broken on purpose, as text |
//! | `serving` | the last payments among honest nodes |
//! | `summary`, `trace` | what is printed for a reader |
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
