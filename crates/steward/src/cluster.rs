//! Nodes as child processes on loopback: started, asked, killed, restarted. For playground, demo
//! and tests; nothing here is needed to run a node.

use std::fs::{self, DirBuilder, File};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use steward_engine::Code;

use steward_api::model::{
    ChannelBalances, ChannelDetails, CreateInvoice, Invoice, InvokeChannel, Pay, Payment,
    PaymentDetails, Phase,
};
use steward_node::{Config, EffectiveConfig, Seed, Sources, data_dir, initialize};

use crate::client::Client;
use crate::daemon::Ready;
use crate::failure::Failure;
use crate::limits::{
    MAX_CHILD_START, MAX_CHILD_STOP, MAX_OPENING_WAIT, POLL_INTERVAL, SHOWN_LOG_LINES,
};

/// A child's log in its data directory.
const LOG_FILE: &str = "log";

/// A node in a process of its own. Dropping it kills the process.
pub struct NodeProcess {
    binary: PathBuf,
    data_dir: PathBuf,
    overrides: Vec<String>,
    ready: Ready,
    client: Client,
    child: Option<Child>,
}

impl NodeProcess {
    /// Starts `binary` in a data directory, new or not, on regtest and free loopback ports, and
    /// waits until it can be used. `overrides` are `key=value`, as after `--set`.
    ///
    /// # Errors
    /// `child_not_started`, with the end of its log.
    pub fn start(binary: &Path, data_dir: &Path, overrides: &[&str]) -> Result<Self, Failure> {
        // What is given later wins.
        let defaults = ["network=regtest", "api.address=127.0.0.1:0", "listen.addresses="];
        let overrides: Vec<String> =
            defaults.iter().chain(overrides).map(|text| (*text).to_owned()).collect();
        make_node(data_dir, &overrides)?;
        let (child, ready) = spawn(binary, data_dir, &overrides)?;
        let child = Guard(Some(child));
        let client = client(data_dir, &overrides)?;
        Ok(Self {
            binary: binary.to_owned(),
            data_dir: data_dir.to_owned(),
            overrides,
            ready,
            client,
            child: child.release(),
        })
    }

    /// Returns its API.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Returns its identity as host.
    pub fn node_id(&self) -> &str {
        &self.ready.node_id
    }

    /// Returns where it can be connected to, `node_id@ip:port`; without a port if it does not
    /// listen.
    pub fn address(&self) -> String {
        let listening = self.ready.listen_addresses.first().map_or("", String::as_str);
        format!("{}@{listening}", self.ready.node_id)
    }

    /// Returns its data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Returns its process id, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Ends it as a power cut would: SIGKILL, no goodbyes.
    pub fn kill(&mut self) {
        drop(Guard(self.child.take()));
    }

    /// Starts it again after [`Self::kill`] or [`Self::stop`], on the port it had.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn restart(&mut self) -> Result<(), Failure> {
        self.kill();
        let listening = self.ready.listen_addresses.join(",");
        self.overrides.push(format!("listen.addresses={listening}"));
        let (child, ready) = spawn(&self.binary, &self.data_dir, &self.overrides)?;
        self.child = Some(child);
        self.ready = ready;
        self.client = client(&self.data_dir, &self.overrides)?;
        Ok(())
    }

    /// Makes it another version of the program from its next start on, which must read the data
    /// directory of the one before.
    pub fn become_program(&mut self, binary: &Path) {
        binary.clone_into(&mut self.binary);
    }

    /// Starts it again and kills it `lifetime` later, ready or not.
    ///
    /// # Errors
    /// If the system starts no process.
    pub fn start_and_kill(&mut self, lifetime: Duration) -> Result<(), Failure> {
        self.kill();
        let child = Guard(Some(launch(&self.binary, &self.data_dir, &self.overrides)?));
        thread::sleep(lifetime);
        drop(child);
        Ok(())
    }

    /// Asks it to stop, and waits; kills it if that takes too long.
    ///
    /// # Errors
    /// `child_not_stopped` if it had to be killed or did not end well.
    pub fn stop(&mut self) -> Result<(), Failure> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        // It may be stopping already, and not answer any more.
        let _: Result<serde_json::Value, _> = self.client.post("/v1/stop", &serde_json::json!({}));
        drop(child.stdin.take());
        let deadline = Instant::now() + MAX_CHILD_STOP;
        loop {
            match child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(None) if Instant::now() < deadline => thread::sleep(POLL_INTERVAL),
                _ => break,
            }
        }
        drop(Guard(Some(child)));
        Err(Failure::new(
            Code::ChildNotStopped,
            "the node did not stop in order",
            log_end(&self.data_dir),
        ))
    }

    /// Opens a hosted channel with `host` and waits until it is active.
    ///
    /// # Errors
    /// The daemon's own, or `channel_not_active`.
    pub fn open_channel(&self, host: &Self) -> Result<ChannelDetails, Failure> {
        let wait_ms = u64::try_from(MAX_OPENING_WAIT.as_millis()).ok();
        let request = InvokeChannel { host: host.address(), wait_ms, ..Default::default() };
        let _: ChannelDetails = self.client.post_for("/v1/channels", &request, MAX_OPENING_WAIT)?;
        self.wait_for_channel(host.node_id(), Code::ChannelNotActive, |details| {
            details.channel.phase == Phase::Active && details.channel.host_policy.is_some()
        })
    }

    /// Returns the channel with `peer_id`.
    ///
    /// # Errors
    /// The daemon's own.
    pub fn channel(&self, peer_id: &str) -> Result<ChannelDetails, Failure> {
        self.client.get(&format!("/v1/channels/{peer_id}"), &[])
    }

    /// Returns the channel with `peer_id` once it is active and nothing is in flight in it.
    ///
    /// # Errors
    /// The daemon's own, or `channel_not_settled`.
    pub fn settled_channel(&self, peer_id: &str) -> Result<ChannelDetails, Failure> {
        let is_idle = |balances: &ChannelBalances| {
            balances.outgoing_htlcs == 0 && balances.incoming_htlcs == 0
        };
        self.wait_for_channel(peer_id, Code::ChannelNotSettled, |details| {
            details.channel.phase == Phase::Active
                && details.channel.balances.as_ref().is_some_and(is_idle)
        })
    }

    /// Makes an invoice.
    ///
    /// # Errors
    /// The daemon's own.
    pub fn create_invoice(&self, amount_msat: u64) -> Result<Invoice, Failure> {
        let request = CreateInvoice { amount_msat: Some(amount_msat), ..CreateInvoice::default() };
        self.client.post("/v1/invoices", &request)
    }

    /// Returns an invoice of this node.
    ///
    /// # Errors
    /// The daemon's own.
    pub fn invoice(&self, payment_hash: &str) -> Result<Invoice, Failure> {
        self.client.get(&format!("/v1/invoices/{payment_hash}"), &[])
    }

    /// Pays an invoice and waits for the end, `wait` at most.
    ///
    /// # Errors
    /// The daemon's own.
    pub fn pay(&self, invoice: &Invoice, wait: Duration) -> Result<Payment, Failure> {
        let request = Pay {
            invoice: invoice.bolt11.clone().unwrap_or_default(),
            wait_ms: u64::try_from(wait.as_millis()).ok(),
            ..Pay::default()
        };
        self.client.post_for("/v1/payments", &request, wait)
    }

    /// Returns a payment of this node once it has ended, or `wait` is over.
    ///
    /// # Errors
    /// The daemon's own.
    pub fn payment(&self, payment_hash: &str, wait: Duration) -> Result<PaymentDetails, Failure> {
        let path = format!("/v1/payments/{payment_hash}");
        self.client.get(&path, &[("wait_ms", wait.as_millis().to_string())])
    }

    fn wait_for_channel(
        &self,
        peer_id: &str,
        code: Code,
        is_as_wanted: impl Fn(&ChannelDetails) -> bool,
    ) -> Result<ChannelDetails, Failure> {
        let deadline = Instant::now() + MAX_OPENING_WAIT;
        loop {
            let details = self.channel(peer_id)?;
            if is_as_wanted(&details) {
                return Ok(details);
            }
            if Instant::now() >= deadline {
                let phase = details.channel.phase;
                let message = format!("the channel with {peer_id} is {phase:?}");
                return Err(Failure::new(code, message, log_end(&self.data_dir)));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A host and its clients, channels open. Dropping it kills all processes and, unless told
/// otherwise, leaves their directory, in which a person can look for the reason.
pub struct Cluster {
    /// The directory of all data directories.
    pub dir: PathBuf,
    /// The host.
    pub host: NodeProcess,
    /// Its clients, each with a channel.
    pub clients: Vec<NodeProcess>,
}

/// The names of the clients of a cluster and of their directories.
pub const CLIENT_NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];

impl Cluster {
    /// Starts a host and `clients` clients below the directory `dir`, and opens their channels,
    /// each with `initial_balance_sat` for its client. `said` hears what happens.
    ///
    /// # Errors
    /// Those of the nodes.
    pub fn start(
        binary: &Path,
        dir: &Path,
        clients: usize,
        initial_balance_sat: u64,
        said: &dyn Fn(&str),
    ) -> Result<Self, Failure> {
        make_dir(dir)?;
        let gift = format!("host.initial_client_balance_sat={initial_balance_sat}");
        let host_overrides = ["host.enabled=true", "listen.addresses=127.0.0.1:0", gift.as_str()];
        let host = NodeProcess::start(binary, &dir.join("host"), &host_overrides)?;
        said(&format!("host   {}", host.address()));
        let mut cluster = Self { dir: dir.to_owned(), host, clients: Vec::new() };
        for index in 0..clients {
            let name = client_name(index);
            let accept = ["payments.accept_keysend=true"];
            let client = NodeProcess::start(binary, &dir.join(&name), &accept)?;
            let channel = client.open_channel(&cluster.host)?;
            said(&format!("{name:<6} has a channel with the host, {}", channel.channel.local_id));
            cluster.clients.push(client);
        }
        Ok(cluster)
    }

    /// Stops all nodes in order, clients first, and removes their directory.
    ///
    /// # Errors
    /// The first node's that did not stop in order; the directory is then left.
    pub fn stop(mut self) -> Result<(), Failure> {
        let stopped: Vec<_> = self.clients.iter_mut().map(NodeProcess::stop).collect();
        stopped.into_iter().collect::<Result<Vec<()>, _>>()?;
        self.host.stop()?;
        fs::remove_dir_all(&self.dir).map_err(|error| Failure::io(self.dir.display(), &error))
    }
}

/// Returns the name of the client with this number, from 0.
pub fn client_name(index: usize) -> String {
    CLIENT_NAMES
        .get(index)
        .map_or_else(|| format!("client{}", index + 1), |name| (*name).to_owned())
}

/// Makes a directory that only this cluster uses.
pub fn new_cluster_dir(what: &str) -> PathBuf {
    std::env::temp_dir().join(format!("steward-{what}-{}", std::process::id()))
}

/// Kills the child on every way out.
struct Guard(Option<Child>);

impl Guard {
    fn release(mut self) -> Option<Child> {
        self.0.take()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended by itself; waited for it must be either way.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A child, once it can be used.
fn spawn(binary: &Path, data_dir: &Path, overrides: &[String]) -> Result<(Child, Ready), Failure> {
    let mut guard = Guard(Some(launch(binary, data_dir, overrides)?));
    let stdout = guard.0.as_mut().and_then(|child| child.stdout.take());
    let line = stdout.and_then(first_line).unwrap_or_default();
    let ready: Ready = serde_json::from_str(&line).map_err(|_| not_started(&line, data_dir))?;
    guard
        .release()
        .map(|child| (child, ready))
        .ok_or_else(|| Failure::new(Code::Bug, "the child process is gone", ""))
}

/// Makes a node in a directory that has none. Its words are the directory's own: what it holds is
/// for play, and `steward seed` shows them.
fn make_node(dir: &Path, overrides: &[String]) -> Result<(), Failure> {
    make_dir(dir)?;
    if data_dir::is_made(dir) {
        return Ok(());
    }
    let words = Seed::generate().map_err(steward_engine::Error::from)?;
    initialize(&config(dir, overrides)?, Some(words.words()))?;
    Ok(())
}

fn make_dir(dir: &Path) -> Result<(), Failure> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(dir).map_err(|error| Failure::io(dir.display(), &error))
}

fn launch(binary: &Path, data_dir: &Path, overrides: &[String]) -> Result<Child, Failure> {
    let path = data_dir.join(LOG_FILE);
    let log = File::options().create(true).append(true).open(&path);
    let log = log.map_err(|error| Failure::io(path.display(), &error))?;
    let mut command = Command::new(binary);
    // As for `client`: no environment of ours.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("STEWARD_") {
            command.env_remove(name);
        }
    }
    command.arg("--json").arg("--data-dir").arg(data_dir);
    for text in overrides {
        command.arg("--set").arg(text);
    }
    command.args(["start", "--until-stdin-closes"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
    command.spawn().map_err(|error| Failure::io(binary.display(), &error))
}

/// Reads what a child says first, if it does in time. Its end ends the wait.
fn first_line(stdout: impl io::Read + Send + 'static) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        let read = reader.read_line(&mut line);
        let _ = sender.send(read.map(|_| line).ok());
        // Whatever else it says must go somewhere.
        let _ = io::copy(&mut reader, &mut io::sink());
    });
    receiver.recv_timeout(MAX_CHILD_START).ok().flatten()
}

fn not_started(line: &str, data_dir: &Path) -> Failure {
    let said = match line.trim() {
        "" => "the node did not start".to_owned(),
        said => format!("the node did not start: {said}"),
    };
    Failure::new(Code::ChildNotStarted, said, log_end(data_dir))
}

fn log_end(data_dir: &Path) -> String {
    let path = data_dir.join(LOG_FILE);
    let log = fs::read_to_string(&path).unwrap_or_default();
    let mut lines: Vec<&str> = log.lines().rev().take(SHOWN_LOG_LINES).collect();
    lines.reverse();
    format!("see {}, which ends with:\n{}", path.display(), lines.join("\n"))
}

fn client(data_dir: &Path, overrides: &[String]) -> Result<Client, Failure> {
    Client::new(&config(data_dir, overrides)?)
}

/// Returns the configuration that a child runs with.
fn config(data_dir: &Path, overrides: &[String]) -> Result<Config, Failure> {
    let mut overrides = overrides.to_vec();
    overrides.push(format!("data_dir={}", data_dir.display()));
    // No environment: what is meant for this process's own node is not meant for its children's.
    let sources = Sources { overrides, ..Sources::default() };
    Ok(EffectiveConfig::load(&sources)?.config)
}
