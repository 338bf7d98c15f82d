//! Measures the performance budget (docs/architecture.md, "Budget"): real `steward` processes on
//! loopback with durable storage, client -> host -> client, and a host with many channels.
//!
//! Layout
//! - `process`: one daemon: starts it, calls it, reads its CPU time and memory
//! - `payments`: one payment at a time, and many in parallel
//! - `channels`: memory of idle channels, and the time to start with many
//! - `flood`, `floods`: the effect of floods on honest payments; this program is the flooder, too
//! - `report`: the table and the JSON file
#![forbid(unsafe_code)]
#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![warn(clippy::print_stdout)]

mod channels;
mod flood;
mod floods;
mod payments;
mod process;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Measures payments and start-up of real steward processes on this machine.
#[derive(Debug, Parser)]
struct Options {
    /// The program to measure
    #[arg(long, value_name = "FILE", required_unless_present = "flood")]
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
    /// Measure the floods only
    #[arg(long)]
    only_floods: bool,
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

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    if let (Some(kind), Some(target)) = (options.flood, &options.target) {
        return flood::run(kind, target, options.seconds, options.height);
    }
    let steward = options.steward.as_deref().ok_or("no program to measure")?;
    let flooded = floods::measure(steward, options.flooded)?;
    if options.only_floods {
        report::print_floods(&flooded);
        return Ok(());
    }
    let network = payments::Network::start(steward)?;
    let alone = network.alone(options.alone)?;
    let parallel = network.parallel(options.parallel, options.at_a_time)?;
    network.stop()?;
    let idle_channel_bytes = channels::bytes_per_idle_channel(steward, options.idle_channels)?;
    let open_s = channels::start_up_s(steward, options.open_channels)?;
    let report = report::Report {
        alone,
        parallel_100: parallel,
        idle_channel_bytes,
        open_100k_s: open_s,
        flooded,
    };
    report.print();
    report.write(&options.out)?;
    Ok(())
}
