//! Many pairs of clients on one host, all of them paying at the same time.

use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;

use crate::payments::{AMOUNT_MSAT, GENEROUS};
use crate::process::{Daemon, Result, init, progress};

/// The result of many pairs.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Pairs {
    pub(crate) pairs: usize,
    pub(crate) payments: usize,
    pub(crate) payments_per_s: f64,
    pub(crate) host_cpu_ms_per_payment: f64,
    pub(crate) host_fsyncs_per_payment: f64,
}

/// A payer and a payee, each with a channel to the host.
struct Pair {
    payer: Daemon,
    payee: Daemon,
    _dirs: [TempDir; 2],
}

/// Measures so many pairs; each has `at_a_time` payments in flight, until it has made `payments`.
pub(crate) fn measure(
    steward: &Path,
    pairs: usize,
    payments: usize,
    at_a_time: usize,
) -> Result<Pairs> {
    progress(&format!("starting a host and {pairs} pairs of clients"));
    let dir = TempDir::new()?;
    init(steward, dir.path())?;
    let host = Daemon::start(steward, dir.path(), &GENEROUS)?;
    let address = host.node_address()?;
    let pairs = (0..pairs).map(|_| Pair::start(steward, &address)).collect::<Result<Vec<_>>>()?;
    progress(&format!("{payments} payments of each pair, {at_a_time} at a time"));
    let asked = pairs.iter().map(|pair| pair.invoices(payments)).collect::<Result<Vec<_>>>()?;
    let before = (host.cpu_ms()?, host.fsyncs()?);
    let begun = Instant::now();
    let paid = std::thread::scope(|scope| {
        let running = pairs.iter().zip(&asked).flat_map(|(pair, invoices)| {
            let share = invoices.len().div_ceil(at_a_time).max(1);
            let threads = invoices.chunks(share).map(|invoices| {
                let payer = pair.payer.caller();
                scope.spawn(move || {
                    let paid = invoices.iter().try_for_each(|invoice| payer.pay(invoice));
                    paid.map_err(|error| error.to_string())
                })
            });
            threads.collect::<Vec<_>>()
        });
        let running: Vec<_> = running.collect();
        running.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    let elapsed_s = begun.elapsed().as_secs_f64();
    for done in paid {
        done.map_err(|_| "a payer's thread panicked")??;
    }
    let count = (pairs.len() * payments) as f64;
    let result = Pairs {
        pairs: pairs.len(),
        payments: pairs.len() * payments,
        payments_per_s: count / elapsed_s,
        host_cpu_ms_per_payment: (host.cpu_ms()? - before.0) / count,
        host_fsyncs_per_payment: host.fsyncs()?.saturating_sub(before.1) as f64 / count,
    };
    for pair in pairs {
        pair.payer.stop()?;
        pair.payee.stop()?;
    }
    host.stop()?;
    Ok(result)
}

impl Pair {
    fn start(steward: &Path, host: &str) -> Result<Self> {
        let dirs = [TempDir::new()?, TempDir::new()?];
        let [payer, payee] = &dirs;
        let start = |dir: &TempDir| -> Result<Daemon> {
            init(steward, dir.path())?;
            let client = Daemon::start(steward, dir.path(), &[])?;
            client.caller().post("/v1/channels", &json!({ "host": host }))?;
            Ok(client)
        };
        let pair = (start(payer)?, start(payee)?);
        let (payer, payee) = pair;
        payer.caller().pay(&payee.caller().invoice(AMOUNT_MSAT)?)?;
        Ok(Self { payer, payee, _dirs: dirs })
    }

    fn invoices(&self, count: usize) -> Result<Vec<String>> {
        let payee = self.payee.caller();
        (0..count).map(|_| payee.invoice(AMOUNT_MSAT)).collect()
    }
}
