//! Two programs measured in turn: what a change did to speed, on a machine that is not quite quiet.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::payments::Network;
use crate::process::{Result, progress};
use crate::ratio::median;

/// One figure of both programs, round by round.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Compared {
    pub(crate) what: &'static str,
    /// True if more is better.
    pub(crate) more_is_better: bool,
    pub(crate) ours: Vec<f64>,
    pub(crate) theirs: Vec<f64>,
    /// How many times as good ours is in each round: above 1 is better.
    pub(crate) rounds: Vec<f64>,
    /// The median of these.
    pub(crate) times_as_good: f64,
}

/// The size of a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    pub(crate) alone: usize,
    pub(crate) parallel: usize,
    pub(crate) at_a_time: usize,
}

/// The figures of a round, with whether more is better.
const FIGURES: [(&str, bool); 7] = [
    ("one at a time, p50 (ms)", false),
    ("one at a time, host CPU (ms)", false),
    ("100 at a time (payments/s)", true),
    ("100 at a time, p50 (ms)", false),
    ("100 at a time, host fsyncs", false),
    ("100 at a time, host CPU (ms)", false),
    ("100 at a time, CPU of all three (ms)", false),
];

/// Measures both programs `rounds` times, each round begun by the other one.
pub(crate) fn measure(
    ours: &Path,
    theirs: &Path,
    rounds: usize,
    size: Round,
) -> Result<Vec<Compared>> {
    let (mut of_ours, mut of_theirs) = (Vec::new(), Vec::new());
    for number in 1..=rounds {
        progress(&format!("round {number} of {rounds}"));
        if number % 2 == 1 {
            of_ours.push(round(ours, size)?);
            of_theirs.push(round(theirs, size)?);
        } else {
            of_theirs.push(round(theirs, size)?);
            of_ours.push(round(ours, size)?);
        }
    }
    let compared = FIGURES.iter().enumerate().map(|(index, (what, more_is_better))| {
        let figure = |all: &[[f64; FIGURES.len()]]| -> Vec<f64> {
            all.iter().filter_map(|round| round.get(index).copied()).collect()
        };
        let (ours, theirs) = (figure(&of_ours), figure(&of_theirs));
        let times = ours.iter().zip(&theirs).map(|(ours, theirs)| match more_is_better {
            true => ours / theirs,
            false => theirs / ours,
        });
        let rounds: Vec<f64> = times.collect();
        let (more_is_better, times_as_good) = (*more_is_better, median(&rounds));
        Compared { what, more_is_better, ours, theirs, rounds, times_as_good }
    });
    Ok(compared.collect())
}

fn round(steward: &Path, size: Round) -> Result<[f64; FIGURES.len()]> {
    let network = Network::start(steward)?;
    let alone = network.alone(size.alone)?;
    let parallel = network.parallel(size.parallel, size.at_a_time)?;
    network.stop()?;
    let all_three = parallel.host_cpu_ms_per_payment
        + parallel.payer_cpu_ms_per_payment
        + parallel.payee_cpu_ms_per_payment;
    Ok([
        alone.p50_ms,
        alone.host_cpu_ms_per_payment,
        parallel.payments_per_s,
        parallel.p50_ms,
        parallel.fsyncs_per_payment,
        parallel.host_cpu_ms_per_payment,
        all_three,
    ])
}

/// Prints a line for each figure: the medians of both, how many times as good ours is, and that of
/// each round.
pub(crate) fn print(compared: &[Compared]) {
    let mut stdout = std::io::stdout().lock();
    for figure in compared {
        let (ours, theirs) = (median(&figure.ours), median(&figure.theirs));
        // The reader may be gone.
        let _ = writeln!(
            stdout,
            "{:<38} {ours:>10.3} against {theirs:>10.3}: {:.3} times as good {:.2?}",
            figure.what, figure.times_as_good, figure.rounds
        );
    }
}
