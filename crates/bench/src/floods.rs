//! Honest payments while a host is flooded: the flooders have one core, all other processes the
//! other one.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use crate::flood::{KINDS, Kind};
use crate::payments::Network;
use crate::process::{Result, progress};

/// The core of the flooders; the next one is that of the host and its honest clients.
const FLOODERS_CORE: u8 = 0;
const OTHERS_CORE: u8 = 1;
/// The longest duration of a flood of each kind, in seconds.
const FLOOD_S: u64 = 60;
/// The time before the payments are measured, in seconds: whatever a flood fills must be full.
const LEAD_S: u64 = 2;

/// The effect of a flood on honest payments, and on the host.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Flooded {
    pub(crate) kind: String,
    pub(crate) quiet_p50_ms: f64,
    pub(crate) p50_ms: f64,
    pub(crate) host_grew_bytes: u64,
    /// The bytes that the flooder could send meanwhile.
    pub(crate) sent_bytes: u64,
    /// The connections on which it was admitted.
    pub(crate) connections: u64,
}

/// Measures one host for each kind. The result is empty if this machine cannot pin processes to
/// cores.
pub(crate) fn measure(steward: &Path, payments: usize) -> Result<Vec<Flooded>> {
    if Command::new("taskset").args(["-c", "0", "true"]).status().is_err() {
        progress("SKIP floods: taskset is not installed");
        return Ok(Vec::new());
    }
    KINDS.into_iter().map(|kind| measure_kind(steward, kind, payments)).collect()
}

fn measure_kind(steward: &Path, kind: Kind, payments: usize) -> Result<Flooded> {
    let name = kind.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned());
    progress(&format!("a flood of {name}"));
    let image = tempfile::NamedTempFile::new()?;
    // The host does not look into it.
    std::fs::write(image.path(), [PNG_HEAD, &[0; 40_000]].concat())?;
    let branding = format!("host.brand_png={}", image.path().display());
    let network = Network::start_on(steward, &[&branding], Some(OTHERS_CORE))?;
    let quiet = network.alone(payments)?;
    let before = network.host_bytes()?;
    let flooder = Flooder::start(&name, &network)?;
    std::thread::sleep(Duration::from_secs(LEAD_S));
    let flooded = network.alone(payments)?;
    let host_grew_bytes = network.host_bytes()?.saturating_sub(before);
    let (sent_bytes, connections) = flooder.end()?;
    network.stop()?;
    Ok(Flooded {
        kind: name,
        quiet_p50_ms: quiet.p50_ms,
        p50_ms: flooded.p50_ms,
        host_grew_bytes,
        sent_bytes,
        connections,
    })
}

const PNG_HEAD: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A process of this very program, killed when dropped.
struct Flooder(Child);

impl Flooder {
    fn start(name: &str, network: &Network) -> Result<Self> {
        let mut command = Command::new("taskset");
        command.args(["-c", &FLOODERS_CORE.to_string()]).arg(std::env::current_exe()?);
        command.args(["--flood", name, "--target", &network.host_address()?]);
        command.args(["--seconds", &FLOOD_S.to_string()]);
        command.args(["--height", &network.height()?.to_string()]);
        Ok(Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?))
    }

    /// Ends the process and returns what it sent, in bytes, and on how many connections.
    fn end(mut self) -> Result<(u64, u64)> {
        self.0.kill()?;
        let mut told = String::new();
        self.0.stdout.take().ok_or("no standard output")?.read_to_string(&mut told)?;
        // The last line may be cut off.
        let whole = told.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let last = whole.lines().last().ok_or("the flooder did not start")?;
        let (sent, made) = last.split_once(' ').ok_or("the flooder says something else")?;
        Ok((sent.parse()?, made.parse()?))
    }
}

impl Drop for Flooder {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
