//! Payments client -> host -> client in three processes: one at a time, and many in parallel.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;

use crate::process::{Daemon, Result, init, progress};

/// The amount of each payment: small against the payer's balance.
pub(crate) const AMOUNT_MSAT: u64 = 10_000;
/// The payments to warm up with: connections, caches, first pages.
const WARM_UP: usize = 50;

/// The settings of a host whose clients can pay each other many times.
pub(crate) const GENEROUS: [&str; 3] = [
    "host.capacity_sat=100000000",
    "host.max_capacity_sat=100000000",
    "host.initial_client_balance_sat=50000000",
];

/// A node's place in the network.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    Host,
    Payer,
    Payee,
}

/// The result of one payment at a time.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Alone {
    pub(crate) payments: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) fsyncs_per_payment: f64,
    pub(crate) host_cpu_ms_per_payment: f64,
}

/// The result of many payments in parallel.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Parallel {
    pub(crate) payments: usize,
    pub(crate) payments_per_s: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// The fsyncs per payment at the host, whose disk serves all of them.
    pub(crate) fsyncs_per_payment: f64,
    pub(crate) host_cpu_ms_per_payment: f64,
    pub(crate) payer_cpu_ms_per_payment: f64,
    pub(crate) payee_cpu_ms_per_payment: f64,
}

/// A network of a host, a payer and a payee.
pub(crate) struct Network {
    host: Daemon,
    payer: Daemon,
    payee: Daemon,
    _dirs: [TempDir; 3],
}

/// The readings of all three processes before and after.
struct Readings {
    host_fsyncs: u64,
    cpu_ms: [f64; 3],
}

impl Network {
    pub(crate) fn start(steward: &Path) -> Result<Self> {
        Self::start_on(steward, &[], None)
    }

    /// Starts with further settings of the host, and with all daemons on this core if one is named.
    pub(crate) fn start_on(steward: &Path, settings: &[&str], core: Option<u8>) -> Result<Self> {
        Self::start_with(steward, settings, core, |_, _| Ok(()))
    }

    /// Starts nodes whose data directories `prepare` has filled.
    pub(crate) fn start_prepared(
        steward: &Path,
        prepare: impl Fn(Place, &Path) -> Result<()>,
    ) -> Result<Self> {
        Self::start_with(steward, &[], None, prepare)
    }

    fn start_with(
        steward: &Path,
        settings: &[&str],
        core: Option<u8>,
        prepare: impl Fn(Place, &Path) -> Result<()>,
    ) -> Result<Self> {
        progress("starting a host and two clients");
        let dirs = [TempDir::new()?, TempDir::new()?, TempDir::new()?];
        for (dir, place) in dirs.iter().zip([Place::Host, Place::Payer, Place::Payee]) {
            init(steward, dir.path())?;
            prepare(place, dir.path())?;
        }
        let [host_dir, payer_dir, payee_dir] = &dirs;
        let hosting = [&GENEROUS, settings].concat();
        let host = Daemon::start_on(core, steward, host_dir.path(), &hosting)?;
        let payer = Daemon::start_on(core, steward, payer_dir.path(), &[])?;
        let payee = Daemon::start_on(core, steward, payee_dir.path(), &[])?;
        let address = host.node_address()?;
        for client in [&payer, &payee] {
            client.caller().post("/v1/channels", &json!({ "host": address }))?;
        }
        let network = Self { host, payer, payee, _dirs: dirs };
        let (payer, payee) = (network.payer.caller(), network.payee.caller());
        for _ in 0..WARM_UP {
            payer.pay(&payee.invoice(AMOUNT_MSAT)?)?;
        }
        Ok(network)
    }

    /// Pays one invoice after the other.
    pub(crate) fn alone(&self, payments: usize) -> Result<Alone> {
        progress(&format!("{payments} payments, one at a time"));
        let invoices = self.invoices(payments)?;
        let payer = self.payer.caller();
        let before = self.read()?;
        let mut latencies_ms = Vec::with_capacity(payments);
        for invoice in &invoices {
            let begun = Instant::now();
            payer.pay(invoice)?;
            latencies_ms.push(begun.elapsed().as_secs_f64() * 1000.0);
        }
        let after = self.read()?;
        latencies_ms.sort_by(f64::total_cmp);
        Ok(Alone {
            payments,
            p50_ms: percentile(&latencies_ms, 50),
            p99_ms: percentile(&latencies_ms, 99),
            fsyncs_per_payment: after.fsyncs_per_payment(&before, payments),
            host_cpu_ms_per_payment: after.cpu_ms_per_payment(&before, 0, payments),
        })
    }

    /// Keeps `at_a_time` payments in flight at any moment.
    pub(crate) fn parallel(&self, payments: usize, at_a_time: usize) -> Result<Parallel> {
        progress(&format!("{payments} payments, {at_a_time} at a time"));
        let invoices = self.invoices(payments)?;
        let next = AtomicUsize::new(0);
        let latencies_ms = Mutex::new(Vec::with_capacity(payments));
        let failure = Mutex::new(None);
        let before = self.read()?;
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..at_a_time {
                scope.spawn(|| {
                    let payer = self.payer.caller();
                    while let Some(invoice) = invoices.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let begun = Instant::now();
                        if let Err(error) = payer.pay(invoice) {
                            keep(&failure, error.to_string());
                            return;
                        }
                        let latency_ms = begun.elapsed().as_secs_f64() * 1000.0;
                        if let Ok(mut latencies_ms) = latencies_ms.lock() {
                            latencies_ms.push(latency_ms);
                        }
                    }
                });
            }
        });
        let elapsed_s = begun.elapsed().as_secs_f64();
        let after = self.read()?;
        if let Ok(Some(error)) = failure.into_inner() {
            return Err(error.into());
        }
        let mut latencies_ms = latencies_ms.into_inner()?;
        latencies_ms.sort_by(f64::total_cmp);
        Ok(Parallel {
            payments,
            payments_per_s: payments as f64 / elapsed_s,
            p50_ms: percentile(&latencies_ms, 50),
            p99_ms: percentile(&latencies_ms, 99),
            fsyncs_per_payment: after.fsyncs_per_payment(&before, payments),
            host_cpu_ms_per_payment: after.cpu_ms_per_payment(&before, 0, payments),
            payer_cpu_ms_per_payment: after.cpu_ms_per_payment(&before, 1, payments),
            payee_cpu_ms_per_payment: after.cpu_ms_per_payment(&before, 2, payments),
        })
    }

    pub(crate) fn host_address(&self) -> Result<String> {
        self.host.node_address()
    }

    /// Returns the host's height.
    pub(crate) fn height(&self) -> Result<u64> {
        let status = self.host.caller().get("/v1/status")?;
        let height = status.get("block_height");
        height.and_then(serde_json::Value::as_u64).ok_or_else(|| "no height".into())
    }

    /// Returns the number of the host's open files.
    pub(crate) fn host_files(&self) -> Result<usize> {
        self.host.open_files()
    }

    /// Returns the memory that the host holds, in bytes.
    pub(crate) fn host_bytes(&self) -> Result<u64> {
        self.host.resident_bytes()
    }

    pub(crate) fn stop(self) -> Result<()> {
        self.payer.stop()?;
        self.payee.stop()?;
        self.host.stop()
    }

    /// Makes invoices beforehand, because making them is not measured.
    fn invoices(&self, count: usize) -> Result<Vec<String>> {
        let payee = self.payee.caller();
        (0..count).map(|_| payee.invoice(AMOUNT_MSAT)).collect()
    }

    fn read(&self) -> Result<Readings> {
        let host_fsyncs = self.host.fsyncs()?;
        let cpu_ms = [self.host.cpu_ms()?, self.payer.cpu_ms()?, self.payee.cpu_ms()?];
        Ok(Readings { host_fsyncs, cpu_ms })
    }
}

impl Readings {
    fn fsyncs_per_payment(&self, before: &Self, payments: usize) -> f64 {
        self.host_fsyncs.saturating_sub(before.host_fsyncs) as f64 / payments as f64
    }

    fn cpu_ms_per_payment(&self, before: &Self, node: usize, payments: usize) -> f64 {
        let used_ms = self.cpu_ms.get(node).zip(before.cpu_ms.get(node)).map(|(a, b)| a - b);
        used_ms.unwrap_or(0.0) / payments as f64
    }
}

fn keep(failure: &Mutex<Option<String>>, text: String) {
    if let Ok(mut failure) = failure.lock() {
        failure.get_or_insert(text);
    }
}

fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let index = (sorted.len().saturating_sub(1)) * percent / 100;
    sorted.get(index).copied().unwrap_or(0.0)
}
