//! One daemon: started, called over HTTP, and measured by what the kernel reports.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

/// The result of a measurement. Any error ends it.
pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The longest time that a single call takes.
const CALL_TIMEOUT: Duration = Duration::from_secs(120);

/// The message of the daemon once it can be used.
#[derive(Debug, Deserialize)]
struct Ready {
    api_address: String,
    node_id: String,
    listen_addresses: Vec<String>,
}

/// A running daemon, killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    ready: Ready,
    token: String,
    /// The time from the start of the process until it said that it is ready.
    pub(crate) start_up: Duration,
}

/// Makes a data directory.
pub(crate) fn init(steward: &Path, data_dir: &Path) -> Result<()> {
    let mut command = Command::new(steward);
    command.arg("--data-dir").arg(data_dir).args(["init", "--network", "regtest"]);
    let output = command.output()?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("steward init failed: {text}").into());
    }
    Ok(())
}

impl Daemon {
    /// Starts a daemon on free loopback ports and waits until it is ready.
    pub(crate) fn start(steward: &Path, data_dir: &Path, settings: &[&str]) -> Result<Self> {
        Self::start_on(None, steward, data_dir, settings)
    }

    /// Starts a daemon on one core, if one is named.
    pub(crate) fn start_on(
        core: Option<u8>,
        steward: &Path,
        data_dir: &Path,
        settings: &[&str],
    ) -> Result<Self> {
        let mut command = match core {
            None => Command::new(steward),
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(steward);
                command
            }
        };
        command.arg("--data-dir").arg(data_dir).arg("--json");
        let fixed = [
            "api.address=127.0.0.1:0",
            "host.enabled=true",
            "listen.addresses=127.0.0.1:0",
            "log.level=warn",
            "payments.accept_keysend=true",
        ];
        for setting in fixed.iter().chain(settings) {
            command.arg("--set").arg(setting);
        }
        command.args(["start", "--until-stdin-closes"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let begun = Instant::now();
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("no standard output")?;
        let mut said = serde_json::Deserializer::from_reader(stdout).into_iter::<Ready>();
        let ready = said.next().ok_or("steward start ended without a word")??;
        let start_up = begun.elapsed();
        let token = std::fs::read_to_string(data_dir.join("api-token"))?.trim().to_owned();
        Ok(Self { child, ready, token, start_up })
    }

    /// Returns the daemon's address for clients.
    pub(crate) fn node_address(&self) -> Result<String> {
        let address = self.ready.listen_addresses.first().ok_or("the daemon does not listen")?;
        Ok(format!("{}@{address}", self.ready.node_id))
    }

    /// Makes a caller with a connection of its own.
    pub(crate) fn caller(&self) -> Caller {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(CALL_TIMEOUT))
            .http_status_as_error(false)
            .build();
        Caller {
            agent: config.into(),
            base: format!("http://{}", self.ready.api_address),
            authorization: format!("Bearer {}", self.token),
        }
    }

    /// Returns the number of calls since the start that wait for the disk.
    pub(crate) fn fsyncs(&self) -> Result<u64> {
        let metrics = self.caller().get("/v1/metrics")?;
        let fsyncs = metrics.pointer("/store/fsyncs").and_then(Value::as_u64);
        fsyncs.ok_or_else(|| "no count of fsyncs".into())
    }

    /// Returns the CPU time used so far, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> Result<f64> {
        /// Linux counts in hundredths of a second.
        const MS_PER_TICK: f64 = 10.0;
        let stat = std::fs::read_to_string(self.proc_file("stat"))?;
        let after_name = stat.rsplit(')').next().ok_or("unreadable stat")?;
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> {
            Ok(fields.get(index).ok_or("unreadable stat")?.parse::<f64>()?)
        };
        Ok((ticks(11)? + ticks(12)?) * MS_PER_TICK)
    }

    /// Returns the memory that it holds, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(self.proc_file("status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|rest| rest.split_whitespace().next()).ok_or("no VmRSS")?;
        Ok(kilobytes.parse::<u64>()? * 1024)
    }

    /// Returns the number of its open files, connections included.
    pub(crate) fn open_files(&self) -> Result<usize> {
        Ok(std::fs::read_dir(self.proc_file("fd"))?.count())
    }

    fn proc_file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.child.id()))
    }

    /// Ends it as an operator would.
    pub(crate) fn stop(mut self) -> Result<()> {
        drop(self.child.stdin.take());
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls one daemon over one connection.
pub(crate) struct Caller {
    agent: ureq::Agent,
    base: String,
    authorization: String,
}

impl Caller {
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        let call = self.agent.get(format!("{}{path}", self.base));
        let mut response = call.header("authorization", &self.authorization).call()?;
        let status = response.status();
        answer(path, status.is_success(), &response.body_mut().read_to_vec()?)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let call = self.agent.post(format!("{}{path}", self.base));
        let mut response = call.header("authorization", &self.authorization).send_json(body)?;
        let status = response.status();
        answer(path, status.is_success(), &response.body_mut().read_to_vec()?)
    }

    /// Makes an invoice over `amount_msat`.
    pub(crate) fn invoice(&self, amount_msat: u64) -> Result<String> {
        let asked = json!({ "amount_msat": amount_msat, "description": "bench" });
        let invoice = self.post("/v1/invoices", &asked)?;
        Ok(invoice.get("bolt11").and_then(Value::as_str).ok_or("no invoice")?.to_owned())
    }

    /// Pays and waits for the end.
    pub(crate) fn pay(&self, invoice: &str) -> Result<()> {
        let payment = self.post("/v1/payments", &json!({ "invoice": invoice }))?;
        match payment.get("status").and_then(Value::as_str) {
            Some("complete") => Ok(()),
            _ => Err(format!("a payment did not complete: {payment}").into()),
        }
    }
}

fn answer(path: &str, is_success: bool, body: &[u8]) -> Result<Value> {
    if !is_success {
        return Err(format!("{path}: {}", String::from_utf8_lossy(body)).into());
    }
    Ok(serde_json::from_slice(body)?)
}

/// Prints what is being done, because some steps take a while.
pub(crate) fn progress(what: &str) {
    let mut stderr = std::io::stderr();
    // The reader may be gone.
    let _ = writeln!(stderr, "{what} ...");
}
