//! Measures the performance budget (docs/architecture.md, "Budget"): real `steward` processes on
//! loopback with durable storage, client -> host -> client, and a host with many channels.
//!
//! Layout
//! - `process`: one daemon: starts it, calls it, reads its CPU time and memory
//! - `payments`: one payment at a time, and many in parallel
//! - `channels`: memory of idle channels, and the time to start with many
//! - `stored`: databases with a long past; `million`: what that costs
//! - `pairs`: many pairs of clients on one host
//! - `idle`: thousands of connections that do nothing; this program holds them, too
//! - `flood`, `floods`: the effect of floods on honest payments; this program is the flooder, too
//! - `peer`: one connection to a host, by this program itself
//! - `compare`: two programs in turn; `ratio`: medians
//! - `report`: the table and the JSON file
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod channels;
mod compare;
mod flood;
mod floods;
mod idle;
mod million;
mod pairs;
mod payments;
mod peer;
mod process;
mod ratio;
mod report;
mod stored;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// Measures payments and start-up of real steward processes on this machine.
#[derive(Debug, Parser)]
struct Options {
    /// The program to measure
    #[arg(long, value_name = "FILE", required_unless_present_any = ["flood", "hold"])]
    steward: Option<PathBuf>,
    /// The file for the figures
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    out: PathBuf,
    /// The number of payments one at a time
    #[arg(long, default_value_t = 500)]
    alone: usize,
    /// The number of payments in parallel
    #[arg(long, default_value_t = 20_000)]
    parallel: usize,
    /// The number of payments in flight at a time
    #[arg(long, default_value_t = 100)]
    at_a_time: usize,
    /// The number of idle channels whose memory is measured
    #[arg(long, default_value_t = 10_000)]
    idle_channels: usize,
    /// The number of channels to start with
    #[arg(long, default_value_t = 100_000)]
    open_channels: usize,
    /// The number of payments during each flood
    #[arg(long, default_value_t = 200)]
    flooded: usize,
    /// The number of payments that old nodes have behind them
    #[arg(long, default_value_t = 1_000_000)]
    stored: usize,
    /// The number of pairs of clients on one host
    #[arg(long, default_value_t = 20)]
    pairs: usize,
    /// The number of connections that do nothing
    #[arg(long, default_value_t = 4_000)]
    connections: usize,
    /// The number of open invoices whose memory is measured
    #[arg(long, default_value_t = 200_000)]
    open_invoices: usize,
    /// Measure only these
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Measure a second program in turn with the first, and print how they compare
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// The rounds of a comparison
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Be a holder of so many connections, to a host on loopback
    #[arg(long, requires = "target", hide = true)]
    hold: Option<usize>,
    /// Be a flooder, of a host on loopback
    #[arg(long, value_enum, requires = "target", hide = true)]
    flood: Option<flood::Kind>,
    /// The host to flood, `id@host:port`
    #[arg(long, hide = true)]
    target: Option<String>,
    /// The duration of the flood, in seconds
    #[arg(long, default_value_t = 10, hide = true)]
    seconds: u64,
    /// The host's height
    #[arg(long, default_value_t = 0, hide = true)]
    height: u32,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The payments of each of many pairs in flight at a time: a little more than fit its channels.
const PAIR_AT_A_TIME: usize = 25;

/// The parts of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Payments, one at a time and many
    Payments,
    /// Memory of idle channels, and the time to start with many
    Channels,
    /// Nodes with a long past beside new ones
    Stored,
    /// Many pairs of clients on one host
    Pairs,
    /// Thousands of idle connections
    Idle,
    /// Memory of open invoices
    Invoices,
    /// Floods
    Floods,
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    match (options.flood, options.hold, &options.target) {
        (Some(kind), _, Some(target)) => {
            return flood::run(kind, target, options.seconds, options.height);
        }
        (_, Some(connections), Some(target)) => return idle::hold(target, connections),
        _ => {}
    }
    let steward = options.steward.as_deref().ok_or("no program to measure")?;
    if let Some(other) = &options.against {
        let (alone, parallel, at_a_time) = (options.alone, options.parallel, options.at_a_time);
        let size = compare::Round { alone, parallel, at_a_time };
        let compared = compare::measure(steward, other, options.rounds, size)?;
        compare::print(&compared);
        return report::write(&options.out, &compared);
    }
    let report = measure(steward, options)?;
    report.print();
    report::write(&options.out, &report)
}

fn measure(steward: &Path, options: &Options) -> process::Result<report::Report> {
    let is_wanted = |part| options.only.is_empty() || options.only.contains(&part);
    let mut report = report::Report::default();
    if is_wanted(Part::Floods) {
        report.flooded = floods::measure(steward, options.flooded)?;
    }
    if is_wanted(Part::Payments) {
        let network = payments::Network::start(steward)?;
        report.alone = Some(network.alone(options.alone)?);
        report.parallel_100 = Some(network.parallel(options.parallel, options.at_a_time)?);
        network.stop()?;
    }
    if is_wanted(Part::Channels) {
        let bytes = channels::bytes_per_idle_channel(steward, options.idle_channels)?;
        report.idle_channel_bytes = Some(bytes);
        report.open_100k_s = Some(channels::start_up_s(steward, options.open_channels)?);
    }
    if is_wanted(Part::Stored) {
        report.old = Some(million::measure(steward, options.stored, options.at_a_time)?);
    }
    if is_wanted(Part::Invoices) {
        let bytes = million::bytes_per_open_invoice(steward, options.open_invoices)?;
        report.open_invoice_bytes = Some(bytes);
    }
    if is_wanted(Part::Pairs) {
        let each = options.parallel.div_ceil(options.pairs.max(1));
        report.pairs = Some(pairs::measure(steward, options.pairs, each, PAIR_AT_A_TIME)?);
    }
    if is_wanted(Part::Idle) {
        report.idle = Some(idle::measure(steward, options.connections, options.alone)?);
    }
    Ok(report)
}
