//! `make sim`: runs many seeds, or one with everything that happens in it.
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use clap::Parser;
use steward_sim::{Size, Summary, Trace, simulate};

/// Simulates networks of hosted channels under faults and checks that no rule is broken.
#[derive(Debug, Parser)]
#[command(name = "steward-sim")]
struct Args {
    /// Replays this seed alone and prints what happens.
    #[arg(long, conflicts_with_all = ["seeds", "first"])]
    seed: Option<u64>,
    /// The number of seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// The number of seeds at a time; by default as many as there are cores.
    #[arg(long)]
    jobs: Option<usize>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match args.seed {
        Some(seed) => replay(seed),
        None => run_many(&args),
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn replay(seed: u64) -> ExitCode {
    let outcome = simulate(seed, Size::default(), None, Trace::printing());
    match outcome.violation {
        Some(violation) => {
            println!("FAILED seed {seed}: {violation}");
            ExitCode::FAILURE
        }
        None => {
            println!("seed {seed}: no rule was broken in {} steps", outcome.steps);
            ExitCode::SUCCESS
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is what the program is for")]
fn run_many(args: &Args) -> ExitCode {
    let jobs = args.jobs.or_else(|| thread::available_parallelism().ok().map(usize::from));
    let (next, end) = (AtomicU64::new(args.first), args.first.saturating_add(args.seeds));
    let began = Instant::now();
    let mut summary = Summary::default();
    thread::scope(|scope| {
        let workers: Vec<_> =
            (0..jobs.unwrap_or(1)).map(|_| scope.spawn(|| work(&next, end))).collect();
        for worker in workers {
            match worker.join() {
                Ok(part) => summary.merge(part),
                // An engine that panics is a failure like any other.
                Err(_) => summary.failures.push((u64::MAX, "a simulation panicked".to_owned())),
            }
        }
    });
    println!("{summary} in {} s", began.elapsed().as_secs());
    if let Some((seed, _)) = summary.failures.first() {
        println!("replay with: make sim SEED={seed}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Takes seeds until there are none left.
fn work(next: &AtomicU64, end: u64) -> Summary {
    let mut summary = Summary::default();
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return summary;
        }
        let outcome = simulate(seed, Size::default(), None, Trace::silent());
        summary.add(seed, &outcome);
    }
}
