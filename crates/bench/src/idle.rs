//! Thousands of connections that do nothing, held by a process of this very program, beside a
//! payer that pays one invoice after the other.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::payments::Network;
use crate::peer::{Peer, Target};
use crate::process::{Result, progress};
use crate::ratio::median;

/// The rounds with and without the connections, in turn.
const ROUNDS: usize = 5;
/// Files that a host may open meanwhile for other reasons.
const FEW: usize = 20;
/// The longest time until the host has closed its ends of connections that are gone.
const CLEARED: Duration = Duration::from_secs(60);
/// The time in which every connection is looked at once, so that pings are answered.
const LOOK: Duration = Duration::from_secs(2);

/// The p50 of payments beside idle connections, as a ratio to that without them.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Idle {
    pub(crate) connections: usize,
    pub(crate) p50_ms: f64,
    pub(crate) ratios: Vec<f64>,
    pub(crate) median: f64,
    pub(crate) bytes_per_connection: f64,
}

/// Measures `payments` a round, beside `connections` and without them.
pub(crate) fn measure(steward: &Path, connections: usize, payments: usize) -> Result<Idle> {
    let network = Network::start(steward)?;
    let (mut ratios, mut p50s) = (Vec::new(), Vec::new());
    let mut grew = 0;
    for _ in 0..ROUNDS {
        let (before, files) = (network.host_bytes()?, network.host_files()?);
        let held = Holder::start(&network.host_address()?, connections)?;
        grew = grew.max(network.host_bytes()?.saturating_sub(before));
        let with = network.alone(payments)?;
        held.end()?;
        wait_for_the_end(&network, files + FEW)?;
        let without = network.alone(payments)?;
        ratios.push(with.p50_ms / without.p50_ms);
        p50s.push(with.p50_ms);
    }
    network.stop()?;
    Ok(Idle {
        connections,
        p50_ms: median(&p50s),
        median: median(&ratios),
        ratios,
        bytes_per_connection: grew as f64 / connections.max(1) as f64,
    })
}

/// Waits until the host has closed its ends of the connections.
fn wait_for_the_end(network: &Network, files: usize) -> Result<()> {
    let deadline = Instant::now() + CLEARED;
    while network.host_files()? > files {
        if Instant::now() > deadline {
            return Err("the host keeps connections that are gone".into());
        }
        std::thread::sleep(LOOK / 20);
    }
    Ok(())
}

/// The process that holds the connections, killed when dropped.
struct Holder {
    child: Child,
    connections: usize,
    said: BufReader<std::process::ChildStdout>,
}

impl Holder {
    /// Returns once all connections are there.
    fn start(target: &str, connections: usize) -> Result<Self> {
        progress(&format!("connecting {connections} times"));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--hold", &connections.to_string(), "--target", target]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let said = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut holder = Self { child, connections, said };
        holder.expect_all()?;
        Ok(holder)
    }

    /// Ends the process; fails unless all connections held until now.
    fn end(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        self.expect_all()
    }

    fn expect_all(&mut self) -> Result<()> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        match line.trim().parse::<usize>() {
            Ok(held) if held == self.connections => Ok(()),
            _ => Err(format!("{} connections were to be held: {line:?}", self.connections).into()),
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Is that process: connects, says so, answers pings until its standard input ends, and says how
/// many connections are left.
pub(crate) fn hold(target: &str, connections: usize) -> Result<()> {
    let target = Target::parse(target)?;
    let mut held = (0..connections as u64)
        .map(|number| {
            let mut name = [6; 16];
            name[8..].copy_from_slice(&number.to_be_bytes());
            Peer::connect(&target, &name, number)
        })
        .collect::<Result<Vec<_>>>()?;
    for peer in &held {
        peer.set_nonblocking()?;
    }
    say(held.len())?;
    let (ended, is_ended) = std::sync::mpsc::channel::<()>();
    std::thread::spawn(move || {
        // Until it ends, or cannot be read.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(ended);
    });
    let mut next = Instant::now();
    while is_ended.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
        held.retain_mut(|peer| peer.answer_pings().is_ok());
        next += LOOK;
        let wait = next.saturating_duration_since(Instant::now());
        // It returns early when standard input ends.
        let _ = is_ended.recv_timeout(wait);
    }
    say(held.len())
}

fn say(held: usize) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{held}")?;
    stdout.flush()?;
    Ok(())
}
