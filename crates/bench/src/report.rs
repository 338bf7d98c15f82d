//! The table for people and the JSON file for programs, with each figure beside its budget.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::floods::Flooded;
use crate::payments::{Alone, Parallel};
use crate::process::Result;

/// All figures.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) alone: Alone,
    pub(crate) parallel_100: Parallel,
    pub(crate) idle_channel_bytes: u64,
    pub(crate) open_100k_s: f64,
    pub(crate) flooded: Vec<Flooded>,
}

/// The relation that a figure must have to its budget.
enum Budget {
    AtMost(f64),
    AtLeast(f64),
    None,
}

impl Report {
    pub(crate) fn print(&self) {
        let (alone, parallel) = (&self.alone, &self.parallel_100);
        let rows = [
            ("one payment at a time, p50", alone.p50_ms, "ms", Budget::AtMost(5.0)),
            ("  p99", alone.p99_ms, "ms", Budget::None),
            ("  fsyncs per payment, host", alone.fsyncs_per_payment, "", Budget::None),
            ("  host CPU per payment", alone.host_cpu_ms_per_payment, "ms", Budget::AtMost(0.5)),
            ("100 at a time", parallel.payments_per_s, "payments/s", Budget::AtLeast(2000.0)),
            ("  p50", parallel.p50_ms, "ms", Budget::None),
            ("  p99", parallel.p99_ms, "ms", Budget::None),
            ("  fsyncs per payment, host", parallel.fsyncs_per_payment, "", Budget::AtMost(0.1)),
            ("  host CPU per payment", parallel.host_cpu_ms_per_payment, "ms", Budget::AtMost(0.2)),
            ("  payer CPU per payment", parallel.payer_cpu_ms_per_payment, "ms", Budget::None),
            ("  payee CPU per payment", parallel.payee_cpu_ms_per_payment, "ms", Budget::None),
            ("idle channel", self.idle_channel_bytes as f64, "bytes", Budget::AtMost(2048.0)),
            ("start with 100 000 channels", self.open_100k_s, "s", Budget::AtMost(5.0)),
        ];
        let mut stdout = std::io::stdout().lock();
        for (what, figure, unit, budget) in rows {
            let (text, ratio) = match budget {
                Budget::AtMost(limit) => (format!("<= {limit}"), format!("{:.2}", figure / limit)),
                Budget::AtLeast(limit) => (format!(">= {limit}"), format!("{:.2}", figure / limit)),
                Budget::None => (String::new(), String::new()),
            };
            // The reader may be gone.
            let _ = writeln!(stdout, "{what:<32} {figure:>10.3} {unit:<11} {text:>8} {ratio:>6}");
        }
        drop(stdout);
        print_floods(&self.flooded);
    }

    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let mut json = serde_json::to_string_pretty(self)?;
        json.push('\n');
        std::fs::write(path, json)?;
        Ok(())
    }
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
