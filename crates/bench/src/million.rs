//! The price of a long past: the throughput of nodes that have made a million payments beside that
//! of new ones, and the memory of open invoices.

use std::path::Path;

use serde::Serialize;
use tempfile::TempDir;

use crate::payments::{Network, Place};
use crate::process::{Daemon, Result, init, progress};
use crate::ratio::median;
use crate::stored::{Past, fill};

/// The rounds of both networks in turn.
const ROUNDS: usize = 5;
/// The payments of one round.
const PAYMENTS: usize = 4_000;

/// The throughput of old nodes, as a ratio to that of new ones.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Old {
    pub(crate) stored: usize,
    pub(crate) ratios: Vec<f64>,
    pub(crate) median: f64,
    pub(crate) fsyncs_per_payment: f64,
}

/// Measures nodes with so many payments behind them.
pub(crate) fn measure(steward: &Path, stored: usize, at_a_time: usize) -> Result<Old> {
    let new = Network::start(steward)?;
    progress(&format!("writing {stored} payments of the past"));
    let prepare = |place: Place, dir: &Path| {
        let past = match place {
            Place::Host => Past::Host,
            Place::Payer => Past::Payer,
            Place::Payee => Past::Payee,
        };
        fill(dir, past, stored)
    };
    let old = Network::start_prepared(steward, prepare)?;
    let (mut ratios, mut fsyncs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Each begins every other round.
        let first_old = (round % 2 == 1).then(|| old.parallel(PAYMENTS, at_a_time)).transpose()?;
        let of_new = new.parallel(PAYMENTS, at_a_time)?;
        let of_old = match first_old {
            Some(done) => done,
            None => old.parallel(PAYMENTS, at_a_time)?,
        };
        ratios.push(of_old.payments_per_s / of_new.payments_per_s);
        fsyncs.push(of_old.fsyncs_per_payment);
    }
    new.stop()?;
    old.stop()?;
    Ok(Old { stored, median: median(&ratios), ratios, fsyncs_per_payment: median(&fsyncs) })
}

/// Returns the memory that an open invoice takes at its payee, in bytes: what the second half of so
/// many adds to the first, which has filled the page cache already.
pub(crate) fn bytes_per_open_invoice(steward: &Path, count: usize) -> Result<f64> {
    progress(&format!("weighing {count} open invoices"));
    let half = count / 2;
    let (of_half, of_all) = (resident(steward, half)?, resident(steward, count)?);
    Ok(of_all.saturating_sub(of_half) as f64 / (count - half).max(1) as f64)
}

fn resident(steward: &Path, invoices: usize) -> Result<u64> {
    let dir = TempDir::new()?;
    init(steward, dir.path())?;
    fill(dir.path(), Past::Asking, invoices)?;
    let daemon = Daemon::start(steward, dir.path(), &[])?;
    let bytes = daemon.resident_bytes()?;
    daemon.stop()?;
    Ok(bytes)
}
