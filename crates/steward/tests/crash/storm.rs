//! A host and three clients pay each other in all directions while random nodes are killed: one,
//! several or all, and again while they start.

use std::time::{Duration, Instant};

use crate::support::load::Load;
use crate::support::network::{HOST, Network, Who};
use crate::support::oracle;

const CLIENTS: usize = 3;

/// The time it lasts unless `STEWARD_STORM_S` says otherwise.
const DEFAULT_STORM: Duration = Duration::from_secs(20);
/// The time within which a start is interrupted, if it is.
const INTERRUPTED_START: Duration = Duration::from_millis(150);
/// The longest pause after a restart in which no node is killed, so that payments flow at times.
const LONGEST_CALM: Duration = Duration::from_millis(400);
/// The pause between two kills.
const LONGEST_PAUSE: Duration = Duration::from_millis(120);

/// The counts of what happened: they show that there was a storm at all.
#[derive(Debug, Default)]
struct Log {
    kills: u32,
    kills_of_the_host: u32,
    kills_of_several: u32,
    interrupted_starts: u32,
}

#[test]
fn a_storm_of_kills_loses_nothing() {
    let mut network = Network::start(CLIENTS);
    eprintln!("seed {}, {:?}", network.seed(), duration());
    let load = Load::start(&network.apis, &all_directions(), network.rng.next());
    let log = rage(&mut network);
    let attempts = load.stop();
    let complete = attempts.iter().filter(|attempt| attempt.is_complete()).count();
    eprintln!("{log:?}, {} payments asked for, {complete} complete", attempts.len());
    oracle::assert_consistent(&network, &attempts);
    oracle::assert_no_errors_logged(&network);
    assert!(log.kills_of_the_host > 0 && log.kills_of_several > 0 && log.interrupted_starts > 0);
    assert!(complete > 0);
}

/// Kills and restarts until time is over; then all nodes run.
fn rage(network: &mut Network) -> Log {
    let end = Instant::now() + duration();
    let mut log = Log::default();
    let mut down: Vec<Who> = Vec::new();
    while Instant::now() < end {
        network.let_pass_up_to(LONGEST_PAUSE);
        match network.rng.within(0..5) {
            0..2 => strike(network, &mut down, &mut log),
            2 if !down.is_empty() => {
                let victim = down[network.rng.below(down.len())];
                let lifetime = network.rng.moment(INTERRUPTED_START);
                network.node_mut(victim).start_and_kill(lifetime).unwrap();
                log.interrupted_starts += 1;
            }
            _ => {
                network.restart(&std::mem::take(&mut down));
                network.let_pass_up_to(LONGEST_CALM);
            }
        }
    }
    network.restart(&down);
    log
}

/// Kills some of the nodes that run, at once.
fn strike(network: &mut Network, down: &mut Vec<Who>, log: &mut Log) {
    let mut victims: Vec<Who> = everybody().into_iter().filter(|who| !down.contains(who)).collect();
    let wanted = match network.rng.within(0..6) {
        0..4 => 1,
        4 => 2,
        _ => victims.len(),
    };
    while victims.len() > wanted {
        victims.swap_remove(network.rng.below(victims.len()));
    }
    network.kill(&victims);
    log.kills += victims.len() as u32;
    log.kills_of_the_host += u32::from(victims.contains(&HOST));
    log.kills_of_several += u32::from(victims.len() > 1);
    down.extend(victims);
}

fn duration() -> Duration {
    std::env::var("STEWARD_STORM_S")
        .map_or(DEFAULT_STORM, |text| Duration::from_secs(text.parse().unwrap()))
}

fn everybody() -> Vec<Who> {
    std::iter::once(HOST).chain((0..CLIENTS).map(Who::Client)).collect()
}

fn all_directions() -> Vec<(Who, Who)> {
    let clients = || (0..CLIENTS).map(Who::Client);
    let pairs = clients().flat_map(|payer| clients().map(move |payee| (payer, payee)));
    pairs.filter(|(payer, payee)| payer != payee).collect()
}
