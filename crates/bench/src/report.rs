//! The table for people and the JSON file for programs, with each figure beside its budget.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::floods::Flooded;
use crate::idle::Idle;
use crate::million::Old;
use crate::pairs::Pairs;
use crate::payments::{Alone, Parallel};
use crate::process::Result;

/// The figures that were measured.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) alone: Option<Alone>,
    pub(crate) parallel_100: Option<Parallel>,
    pub(crate) idle_channel_bytes: Option<u64>,
    pub(crate) open_100k_s: Option<f64>,
    pub(crate) old: Option<Old>,
    pub(crate) open_invoice_bytes: Option<f64>,
    pub(crate) pairs: Option<Pairs>,
    pub(crate) idle: Option<Idle>,
    pub(crate) flooded: Vec<Flooded>,
}

/// The relation that a figure must have to its budget.
enum Budget {
    AtMost(f64),
    AtLeast(f64),
    None,
}

/// A line of the table: a figure, its unit and its budget.
type Line = (&'static str, f64, &'static str, Budget);

impl Report {
    pub(crate) fn print(&self) {
        let mut stdout = std::io::stdout().lock();
        let lines = self.of_payments().into_iter().chain(self.of_many());
        for (what, figure, unit, budget) in lines {
            let (text, ratio) = match budget {
                Budget::AtMost(limit) => (format!("<= {limit}"), format!("{:.2}", figure / limit)),
                Budget::AtLeast(limit) => (format!(">= {limit}"), format!("{:.2}", figure / limit)),
                Budget::None => (String::new(), String::new()),
            };
            // The reader may be gone.
            let _ = writeln!(stdout, "{what:<34} {figure:>10.3} {unit:<11} {text:>8} {ratio:>6}");
        }
        drop(stdout);
        print_floods(&self.flooded);
    }

    fn of_payments(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if let Some(alone) = &self.alone {
            lines.extend([
                ("one payment at a time, p50", alone.p50_ms, "ms", Budget::AtMost(2.6)),
                ("  p99", alone.p99_ms, "ms", Budget::None),
                ("  fsyncs per payment, host", alone.fsyncs_per_payment, "", Budget::None),
                (
                    "  host CPU per payment",
                    alone.host_cpu_ms_per_payment,
                    "ms",
                    Budget::AtMost(0.5),
                ),
            ]);
        }
        if let Some(many) = &self.parallel_100 {
            let (host, payer, payee) = (
                many.host_cpu_ms_per_payment,
                many.payer_cpu_ms_per_payment,
                many.payee_cpu_ms_per_payment,
            );
            lines.extend([
                ("100 at a time", many.payments_per_s, "payments/s", Budget::AtLeast(2400.0)),
                ("  p50", many.p50_ms, "ms", Budget::None),
                ("  p99", many.p99_ms, "ms", Budget::None),
                ("  fsyncs per payment, host", many.fsyncs_per_payment, "", Budget::AtMost(0.1)),
                ("  host CPU per payment", host, "ms", Budget::AtMost(0.2)),
                ("  payer CPU per payment", payer, "ms", Budget::None),
                ("  payee CPU per payment", payee, "ms", Budget::None),
                ("  CPU of all three", host + payer + payee, "ms", Budget::AtMost(0.55)),
            ]);
        }
        lines
    }

    fn of_many(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let idle_channel = self.idle_channel_bytes.map(|bytes| bytes as f64);
        lines.extend(idle_channel.map(|b| ("idle channel", b, "bytes", Budget::AtMost(2048.0))));
        let start = "start with 100 000 channels";
        lines.extend(self.open_100k_s.map(|s| (start, s, "s", Budget::AtMost(2.0))));
        let invoice = "open invoice";
        lines.extend(self.open_invoice_bytes.map(|b| (invoice, b, "bytes", Budget::AtMost(100.0))));
        if let Some(old) = &self.old {
            let what = "a million payments stored";
            lines.push((what, old.median, "of a new's", Budget::AtLeast(0.95)));
        }
        if let Some(pairs) = &self.pairs {
            let (cpu, fsyncs) = (pairs.host_cpu_ms_per_payment, pairs.host_fsyncs_per_payment);
            lines.extend([
                ("20 pairs on one host", pairs.payments_per_s, "payments/s", Budget::None),
                ("  host CPU per payment", cpu, "ms", Budget::AtMost(0.12)),
                ("  fsyncs per payment, host", fsyncs, "", Budget::AtMost(0.05)),
            ]);
        }
        if let Some(idle) = &self.idle {
            let beside = "p50 beside 4 000 idle connections";
            lines.extend([
                (beside, idle.median, "times", Budget::AtMost(1.05)),
                ("  idle connection", idle.bytes_per_connection, "bytes", Budget::None),
            ]);
        }
        lines
    }
}

/// Writes the figures for programs.
pub(crate) fn write(path: &Path, figures: &impl Serialize) -> Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)?;
    }
    let mut json = serde_json::to_string_pretty(figures)?;
    json.push('\n');
    std::fs::write(path, json)?;
    Ok(())
}

/// The most times as long that a payment may take at a flooded host.
const MOST_TIMES: f64 = 2.0;
/// The most by which a flooded host may grow, in MB.
const MOST_MB: f64 = 100.0;

pub(crate) fn print_floods(floods: &[Flooded]) {
    let mut stdout = std::io::stdout().lock();
    for flood in floods {
        let times = flood.p50_ms / flood.quiet_p50_ms;
        let grew_mb = flood.host_grew_bytes as f64 / 1e6;
        // The reader may be gone.
        let _ = writeln!(
            stdout,
            "flood of {:<23} {:>10.3} ms, {times:.2} times {:.3} ms (<= {MOST_TIMES}); the host \
             grew by {grew_mb:.1} MB (< {MOST_MB}); {:.1} MB came on {} connections",
            flood.kind,
            flood.p50_ms,
            flood.quiet_p50_ms,
            flood.sent_bytes as f64 / 1e6,
            flood.connections
        );
    }
}
