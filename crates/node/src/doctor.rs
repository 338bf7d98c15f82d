//! The checks for a newcomer's mistakes, without the daemon and beside a running one. They change
//! nothing.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::Command;

use steward_chain::network_name;
use steward_engine::Error;
use steward_p2p::PeerAddress;
use steward_store::sqlite::{SqliteHistory, check_writable};
use steward_store::{DirLock, History, InUse};

use crate::config::{Config, EffectiveConfig, Sources};
use crate::data_dir::{API_ADDRESS_FILE, LISTEN_ADDRESSES_FILE, database, owner};
use crate::limits::{
    DOCTOR_CONNECT_TIMEOUT, EARLIEST_PLAUSIBLE_UNIX, MAX_CLOCK_BEHIND_TIP_S, MIN_FREE_DISK_BYTES,
    WARN_FREE_DISK_BYTES,
};
use crate::node::host_not_enabled;
use crate::seed::{SEED_FILE, Seed, others_may};
use crate::seed_error::SeedError;
use steward_runtime::CANNOT_SEARCH_HINT;
use steward_runtime::clock::wall_ms;

/// The hint for a directory without a node, or for the wrong directory.
const INIT_HINT: &str = "Run `steward init`, with the same --data-dir; or name the directory of the node \
                         that you have with --data-dir.";

/// One check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The stable name, in snake_case.
    pub name: &'static str,
    /// The result.
    pub status: Status,
    /// The finding, in one sentence.
    pub detail: String,
    /// The hint; empty if there is nothing to do.
    pub hint: String,
}

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// There is nothing to do.
    Ok,
    /// It works, but perhaps not as wanted.
    Warn,
    /// The node cannot run, or not safely.
    Fail,
}

/// Runs all checks. Blocks for up to a minute if the chain source does not answer; not to be called
/// from an async task.
pub fn examine(sources: &Sources) -> Vec<Check> {
    let effective = match EffectiveConfig::load(sources) {
        Ok(effective) => effective,
        Err(error) => return vec![fail("configuration", error.to_string(), error.hint())],
    };
    let mut checks = configuration(&effective.config);
    if let Err(error) = effective.check_private() {
        checks.push(fail("secrets", error.to_string(), error.hint()));
    }
    let config = effective.config;
    let dir = &config.node.data_dir;
    checks.push(data_directory(dir));
    checks.push(seed(dir));
    let (lock, is_running) = lock(dir);
    checks.push(lock);
    checks.push(database_check(&config));
    checks.push(disk_space(dir));
    checks.extend(listen_ports(&config, is_running));
    checks.extend(api_port(&config, is_running));
    checks.extend(chain_and_clock(&config));
    checks.push(block_search(&config));
    checks.push(reachability(&config, is_running));
    checks
}

fn configuration(config: &Config) -> Vec<Check> {
    let network = network_name(config.node.network);
    match config.engine_config().and_then(|_| config.check()) {
        Err(error) => vec![fail("configuration", error.to_string(), error.hint())],
        Ok(warnings) if warnings.is_empty() => {
            vec![ok("configuration", format!("usable, network {network}"))]
        }
        Ok(warnings) => warnings
            .into_iter()
            .map(|warning| warn("configuration", warning.message, warning.hint))
            .collect(),
    }
}

fn data_directory(dir: &Path) -> Check {
    let name = "data_directory";
    let shown = dir.display();
    match fs::metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            fail(name, format!("{shown} does not exist: nothing was initialised yet"), INIT_HINT)
        }
        Err(error) => {
            fail(name, format!("{shown}: {error}"), "Check the path and its permissions.")
        }
        Ok(metadata) if !metadata.is_dir() => {
            fail(name, format!("{shown} is not a directory"), "Choose another data_dir.")
        }
        Ok(metadata) if metadata.permissions().readonly() => {
            fail(name, format!("{shown} is read-only"), "Give the node's user the right to write.")
        }
        Ok(metadata) if others_may(&metadata, 0o022) => warn(
            name,
            format!("other users may write to {shown}"),
            format!("Run chmod 700 {shown}."),
        ),
        Ok(_) => ok(name, shown.to_string()),
    }
}

fn seed(dir: &Path) -> Check {
    let name = "seed";
    let path = dir.join(SEED_FILE);
    match Seed::load(dir) {
        Err(SeedError::Missing { .. }) if database(dir).exists() => fail(
            name,
            format!("{} is missing, but there is a database", path.display()),
            "Restore the seed from its words: without it the database is of no use.",
        ),
        Err(SeedError::Missing { .. }) => fail(
            name,
            format!("{} does not exist: nothing was initialised yet", path.display()),
            INIT_HINT,
        ),
        Err(error) => fail(name, error.to_string(), "Restore the seed from its words."),
        Ok(_) => match Seed::check_private(dir).and_then(|()| Seed::check_shown(dir)) {
            Ok(()) => ok(name, "present, readable by its owner only".to_owned()),
            Err(error) => {
                let error = Error::from(error);
                fail(name, error.message, error.hint)
            }
        },
    }
}

/// Checks the lock, and tells whether a node runs here.
fn lock(dir: &Path) -> (Check, bool) {
    let name = "lock";
    if !dir.is_dir() {
        return (ok(name, "the data directory is not in use".to_owned()), false);
    }
    match DirLock::in_use(dir) {
        Ok(InUse::No) => (ok(name, "the data directory is not in use".to_owned()), false),
        Ok(InUse::By(Some(pid))) => (ok(name, format!("a node runs here, process {pid}")), true),
        Ok(InUse::By(None)) => (ok(name, "a node runs here".to_owned()), true),
        Err(error) => (fail(name, error.to_string(), error.hint()), false),
    }
}

fn database_check(config: &Config) -> Check {
    let name = "database";
    let dir = &config.node.data_dir;
    let path = database(dir);
    let seed = Seed::load(dir).ok();
    if !path.exists() {
        return match seed {
            None => fail(name, format!("{} does not exist", path.display()), INIT_HINT),
            Some(_) => fail(
                name,
                format!("there is a seed, but no database at {}", path.display()),
                "Is the right disk mounted? If the database is lost, restore a backup: `steward \
                 restore FILE`. Without one see docs/recovery.md before anything else.",
            ),
        };
    }
    if let Err(error) = check_writable(&path) {
        return fail(name, error.to_string(), error.hint());
    }
    match SqliteHistory::open(&path).and_then(|database| database.verify()) {
        Err(error) => fail(name, error.to_string(), error.hint()),
        Ok(found) if seed.is_some_and(|seed| owner(config, &seed) != found.owner) => fail(
            name,
            format!(
                "it belongs to node {} on {}, not to this seed and network",
                found.owner.node_id, found.owner.network
            ),
            "One data directory belongs to one seed and one network: check data_dir and network.",
        ),
        // The same refusal as at `start`.
        Ok(found) if found.hosted > 0 && !config.host.enabled => {
            let error = host_not_enabled(config, found.hosted);
            fail(name, error.message, error.hint)
        }
        Ok(found) => ok(name, format!("whole, {} rows, {} channels", found.rows, found.channels)),
    }
}

fn disk_space(dir: &Path) -> Check {
    let name = "disk_space";
    match free_bytes(dir) {
        None => warn(name, "cannot be told on this system", "Look for yourself."),
        Some(free) => {
            let detail = format!("{} MB free", free / 1_000_000);
            match free {
                0..MIN_FREE_DISK_BYTES => {
                    fail(name, detail, "Free some space: a full disk stops the node.")
                }
                MIN_FREE_DISK_BYTES..WARN_FREE_DISK_BYTES => {
                    warn(name, detail, "Free some space soon.")
                }
                _ => ok(name, detail),
            }
        }
    }
}

/// Returns the free disk space by POSIX's `df`, because the standard library cannot tell.
fn free_bytes(dir: &Path) -> Option<u64> {
    let existing: PathBuf = dir.ancestors().find(|path| path.is_dir())?.to_owned();
    let output = Command::new("df").arg("-Pk").arg(existing).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let kilobytes: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
    kilobytes.checked_mul(1024)
}

/// Checks the address where a running node says that it listens, which may be elsewhere than the
/// configuration has it: settings hold from one start to the next.
fn api_port(config: &Config, is_running: bool) -> Vec<Check> {
    let name = "api_port";
    let configured = match &config.api.socket {
        Some(path) => format!("unix:{}", path.display()),
        None => config.api.address.to_string(),
    };
    let said = fs::read_to_string(config.node.data_dir.join(API_ADDRESS_FILE));
    match said.ok().filter(|_| is_running) {
        None if config.api.socket.is_some() => Vec::new(),
        None => vec![port(name, config.api.address, is_running)],
        Some(said) => {
            let said = said.trim();
            let address = said.strip_prefix("https://").unwrap_or(said);
            let is_there = match &config.api.socket {
                Some(_) => said == configured,
                None => address.parse().is_ok_and(|said| serves(config.api.address, said)),
            };
            vec![as_started(name, "its API listens on", said, &configured, is_there)]
        }
    }
}

/// Checks the same for peers.
fn listen_ports(config: &Config, is_running: bool) -> Vec<Check> {
    let name = "listen_port";
    let configured = config.listen_addresses();
    let Some(said) = running_listeners(&config.node.data_dir).filter(|_| is_running) else {
        return configured.iter().map(|address| port(name, *address, is_running)).collect();
    };
    if said.is_empty() && configured.is_empty() {
        return Vec::new();
    }
    let is_there = said.len() == configured.len()
        && configured.iter().zip(&said).all(|(configured, said)| serves(*configured, *said));
    vec![as_started(name, "it listens on", &list(&said), &list(&configured), is_there)]
}

fn list(addresses: &[SocketAddr]) -> String {
    match addresses {
        [] => "nothing".to_owned(),
        _ => addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// True if a listener configured like this may be found at `said`: port 0 is any, and so is an
/// address that stands for all.
fn serves(configured: SocketAddr, said: SocketAddr) -> bool {
    let same_port = configured.port() == said.port() || configured.port() == 0;
    same_port && (configured.ip() == said.ip() || configured.ip().is_unspecified())
}

fn as_started(
    name: &'static str,
    does: &str,
    said: &str,
    configured: &str,
    as_told: bool,
) -> Check {
    let detail = format!("a node runs, and {does} {said}");
    match as_told {
        true => ok(name, detail),
        false => warn(
            name,
            format!("{detail}, not on what the configuration says ({configured})"),
            "It was started with other settings, by flags or its environment, or before the file was changed.",
        ),
    }
}

/// Returns the addresses where a running node listens for peers; `None` if its file is not there.
fn running_listeners(dir: &Path) -> Option<Vec<SocketAddr>> {
    let text = fs::read_to_string(dir.join(LISTEN_ADDRESSES_FILE)).ok()?;
    text.lines().map(|line| line.trim().parse().ok()).collect()
}

fn port(name: &'static str, address: SocketAddr, is_running: bool) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => ok(name, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && is_running => {
            ok(name, format!("{address} is in use, as it should be while the node runs"))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => fail(
            name,
            format!("{address} is in use by another program"),
            "Stop that program, or choose another port.",
        ),
        Err(error) => fail(
            name,
            format!("{address}: {error}"),
            "Use an address of this machine, and a port from 1024 on.",
        ),
    }
}

fn chain_and_clock(config: &Config) -> Vec<Check> {
    let network = config.node.network;
    let now_unix = wall_ms() / 1000;
    let opened = config.chain.open(network).and_then(|mut source| {
        source.check_network(network)?;
        Ok((source.describe(), source.tip()?))
    });
    let (source, tip) = match opened {
        Ok(answer) => answer,
        Err(error) => {
            return vec![
                fail("chain_source", error.to_string(), error.hint()),
                clock(now_unix, None, u64::MAX),
            ];
        }
    };
    let age_s = now_unix.saturating_sub(tip.time_unix);
    let stale_after_s = config.chain.watch_settings(network, None).map_or(u64::MAX, |settings| {
        match settings.stale.block_age_counts {
            true => settings.stale.stale_after_s,
            false => u64::MAX,
        }
    });
    let detail = format!("{source}, height {}, last block {} min ago", tip.height, age_s / 60);
    let chain = match age_s >= stale_after_s {
        true => warn(
            "chain_source",
            detail,
            "It may still be catching up. No forwards are accepted until it has.",
        ),
        false => ok("chain_source", detail),
    };
    // The regtest clock's last block is always of this moment: nothing to compare with.
    let block_unix = tip.hash.map(|_| tip.time_unix);
    vec![chain, clock(now_unix, block_unix, stale_after_s)]
}

/// Tries a block search on the last block: a pruned bitcoind has it, and a source that fails here
/// would hold expired HTLCs on the day they matter.
fn block_search(config: &Config) -> Check {
    let name = "block_search";
    let network = config.node.network;
    let searched = config.chain.open_blocks(network).and_then(|source| {
        let Some(mut source) = source else { return Ok(false) };
        source.check_network(network)?;
        let height = source.tip()?.height;
        source.preimages_at(height).map(|_found| true)
    });
    match searched {
        Ok(true) => ok(name, "the last block was searched for published preimages".to_owned()),
        Ok(false) => warn(
            name,
            "the chain source cannot look into blocks: an HTLC that expired is failed back without a look at the chain",
            CANNOT_SEARCH_HINT,
        ),
        Err(error) => fail(
            name,
            format!("the last block cannot be read, so expired HTLCs would be held: {error}"),
            error.hint(),
        ),
    }
}

/// Compares the wall clock with the time in the newest block's header. `late_s` is the longest time
/// without a block, if blocks come by themselves.
fn clock(now_unix: u64, block_unix: Option<u64>, late_s: u64) -> Check {
    let name = "clock";
    let hint =
        "Set the clock, and keep it right with NTP: invoices and channel states carry dates.";
    if now_unix < EARLIEST_PLAUSIBLE_UNIX {
        return fail(name, "the clock is years behind".to_owned(), hint);
    }
    let Some(block_unix) = block_unix else {
        return ok(name, "plausible; there is no block to compare it with".to_owned());
    };
    let (ahead_s, behind_s) =
        (now_unix.saturating_sub(block_unix), block_unix.saturating_sub(now_unix));
    if behind_s > MAX_CLOCK_BEHIND_TIP_S {
        let text = format!("behind: the last block's time is {} min ahead of it", behind_s / 60);
        return fail(name, text, hint);
    }
    if ahead_s >= late_s {
        let text = format!(
            "{} h ahead of the last block's time: the clock is wrong, or the chain source behind",
            ahead_s / 3600
        );
        return warn(name, text, hint);
    }
    let text = match behind_s {
        0 => format!("{} min after the last block's time", ahead_s / 60),
        _ => format!("{} min before the last block's time, as is usual", behind_s / 60),
    };
    ok(name, format!("plausible: {text}"))
}

fn reachability(config: &Config, is_running: bool) -> Check {
    let name = "reachability";
    let is_local = |address: &SocketAddr| address.ip().is_loopback();
    let running = running_listeners(&config.node.data_dir).filter(|_| is_running);
    let listening = running.unwrap_or_else(|| config.listen_addresses());
    if listening.is_empty() {
        return ok(name, "listens nowhere: outgoing connections only".to_owned());
    }
    if listening.iter().all(is_local) {
        return warn(
            name,
            "listens on this machine only".to_owned(),
            "To be a host for others set listen.addresses, for example to 0.0.0.0:9735, or use an onion service.",
        );
    }
    let Some(address) = config.listen.public_addresses.first() else {
        return warn(
            name,
            "listen.public_addresses is empty: clients are told no address".to_owned(),
            "Set it to the address and port that your router forwards to this machine.",
        );
    };
    if !is_running {
        return ok(name, format!("clients shall reach us at {address}; start the node to try"));
    }
    match connects(address) {
        Some(true) => ok(name, format!("{address} answers")),
        Some(false) => warn(
            name,
            format!("{address} does not answer from here"),
            "Check the port forwarding and the firewall. Some routers only forward from outside: try from there too.",
        ),
        None => ok(name, format!("{address} cannot be tried without a proxy")),
    }
}

/// Tries to connect; `None` for an onion service.
fn connects(address: &PeerAddress) -> Option<bool> {
    if matches!(address.host, steward_p2p::Host::Onion(_)) {
        return None;
    }
    let resolved = address.to_string().to_socket_addrs().ok()?;
    Some(
        resolved
            .into_iter()
            .any(|address| TcpStream::connect_timeout(&address, DOCTOR_CONNECT_TIMEOUT).is_ok()),
    )
}

fn ok(name: &'static str, detail: String) -> Check {
    Check { name, status: Status::Ok, detail, hint: String::new() }
}

fn warn(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Check {
    Check { name, status: Status::Warn, detail: detail.into(), hint: hint.into() }
}

fn fail(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Check {
    Check { name, status: Status::Fail, detail: detail.into(), hint: hint.into() }
}
