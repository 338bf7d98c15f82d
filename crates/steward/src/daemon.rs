//! `steward start`: the node and its API in the foreground, until they are stopped.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use steward_engine::Code;

use serde::{Deserialize, Serialize};
use steward_api::{Api, Listener, Token};
use steward_node::data_dir::LISTEN_ADDRESSES_FILE;
use steward_node::{Config, EffectiveConfig, Node, NodeHandle, Sources};
use tokio::sync::watch;

use crate::client::ADDRESS_FILE;
use crate::failure::Failure;
use crate::limits::MAX_SHUTDOWN;
use crate::log::Log;
use crate::output::Output;
use crate::panics;
use crate::place::{self, Place};
use crate::signals::{Signals, Wanted};

/// The message of a daemon, on one line, once it can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The API's address: `ip:port`, `https://ip:port` or `unix:/path`.
    pub api_address: String,
    /// The identity as host.
    pub node_id: String,
    /// The addresses at which peers connect, `ip:port`, as bound.
    pub listen_addresses: Vec<String>,
}

/// Runs the daemon until it is stopped; `until_stdin_closes` ends it with its parent process.
///
/// # Errors
/// The obstacle to starting, or what stopped the node.
pub fn run(sources: &Sources, until_stdin_closes: bool, output: Output) -> Result<(), Failure> {
    let effective = EffectiveConfig::load(sources)?;
    effective.check_private()?;
    let config = effective.config;
    let log = Log::start(&config.log)?;
    let last_words = log.queue();
    panics::end_the_process_saying(move |words| {
        last_words.say(words.as_bytes());
        last_words.flush();
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("cannot start threads", &error))?;
    let result =
        runtime.block_on(serve(Daemon { config, sources, log: &log, output }, until_stdin_closes));
    // A thread that still reads standard input must not hold us up.
    runtime.shutdown_background();
    result
}

/// A daemon that runs, with what it was started with.
struct Daemon<'a> {
    /// The configuration in force now, but for what needs a restart.
    config: Config,
    /// The sources from which it is read again.
    sources: &'a Sources,
    log: &'a Log,
    output: Output,
}

async fn serve(daemon: Daemon<'_>, until_stdin_closes: bool) -> Result<(), Failure> {
    // First of all: from here on no signal ends us in mid-sentence.
    let signals = Signals::catch(until_stdin_closes)?;
    let config = daemon.config.clone();
    // Before any port is tried: a daemon that runs here already says so itself, and not as "address
    // in use".
    let parts = Node::open(&config).await?;
    let api = place::listen(&config.api).await?;
    let node = Node::start_with(config, parts).await?;
    let result = daemon.run(&node, api, signals).await;
    let stopped = node.shutdown().await.map_err(Failure::from);
    tracing::info!("stopped");
    result.and(stopped)
}

impl Daemon<'_> {
    async fn run(
        mut self,
        node: &NodeHandle,
        (listener, place): (Listener, Place),
        mut signals: Signals,
    ) -> Result<(), Failure> {
        let data_dir = self.config.node.data_dir.clone();
        let token = Token::load_or_create(&data_dir)?;
        let listening = node.info().listen.iter().map(|address| format!("{address}\n"));
        let _listen_file =
            AddressFile::write(&data_dir, LISTEN_ADDRESSES_FILE, &listening.collect::<String>())?;
        let _address_file = AddressFile::write(&data_dir, ADDRESS_FILE, &format!("{place}\n"))?;
        let api = Api::new(node, token);
        let stop_requested = api.stop_requested();
        let (closing, mut closed) = watch::channel(false);
        let close = async move {
            // An error is the end as well.
            let _ = closed.wait_for(|closed| *closed).await;
        };
        let serving = tokio::spawn(api.serve(listener, close));
        say_ready(self.output, &ready(node, place.to_string()));
        let result = self.until_stopped(node, stop_requested, &mut signals).await;
        closing.send_replace(true);
        // Requests that wait for a payment end with the node, so both at once.
        let ending = async { tokio::join!(node.shutdown(), serving) };
        let (shutdown, _) = tokio::select! {
            ended = ending => ended,
            why = signals.impatience(MAX_SHUTDOWN) => self.end_at_once(why),
        };
        result.and(shutdown.map_err(Failure::from))
    }

    /// Runs until there is a reason to stop, which is logged.
    async fn until_stopped(
        &mut self,
        node: &NodeHandle,
        stop_requested: impl Future<Output = ()>,
        signals: &mut Signals,
    ) -> Result<(), Failure> {
        tokio::pin!(stop_requested);
        loop {
            tokio::select! {
                wanted = signals.next() => match wanted {
                    Wanted::Reload => self.reload(node).await,
                    Wanted::Stop(why) => {
                        tracing::info!("stopping: {why}");
                        return Ok(());
                    }
                },
                () = &mut stop_requested => {
                    tracing::info!("stopping: asked to by the API");
                    return Ok(());
                }
                stopped = node.stopped() => return stopped.map_err(Failure::from),
            }
        }
    }

    /// Reads the configuration again. One that cannot be used changes nothing.
    async fn reload(&mut self, node: &NodeHandle) {
        match self.try_reload(node).await {
            Ok(()) => tracing::info!("the configuration was read again"),
            Err(error) => tracing::error!(
                code = %error.code,
                hint = error.hint,
                "SIGHUP: the configuration was not taken over, the old one stays: {}",
                error.message
            ),
        }
    }

    async fn try_reload(&mut self, node: &NodeHandle) -> Result<(), Failure> {
        let sources = self.sources.clone();
        let read = tokio::task::spawn_blocking(move || EffectiveConfig::load(&sources));
        let read = read.await.map_err(|error| Failure::new(Code::Bug, error.to_string(), ""))?;
        let read = read?;
        read.check_private()?;
        let new = read.config;
        let warnings = new.check()?;
        self.log.reconfigure(&new.log)?;
        node.reconfigure(new.clone()).await?;
        for warning in warnings {
            tracing::warn!(key = warning.key, hint = warning.hint, "{}", warning.message);
        }
        for key in self.config.needs_restart(&new) {
            tracing::warn!(key, "this key has changed: it is taken over at the next start");
        }
        self.config = new;
        Ok(())
    }

    /// Ends the process at once. Killing it loses nothing that was acknowledged.
    fn end_at_once(&self, why: &str) -> ! {
        tracing::error!("ending at once: {why}");
        self.log.queue().flush();
        std::process::exit(1)
    }
}

fn ready(node: &NodeHandle, api_address: String) -> Ready {
    let info = node.info();
    Ready {
        api_address,
        node_id: info.node_id.to_string(),
        listen_addresses: info.listen.iter().map(ToString::to_string).collect(),
    }
}

/// Says on standard output that the daemon can be used. It can be, whether or not this is
/// read: a disk that is full, or a standard output that is closed, costs a warning only.
fn say_ready(output: Output, ready: &Ready) {
    let url = Place::url(&ready.api_address);
    let text = match output.is_json() {
        // One line, so that a parent process can read just that.
        true => serde_json::to_string(ready).unwrap_or_default(),
        false => match ready.listen_addresses.first() {
            Some(address) => {
                format!("ready: API {url}, node {}@{address}", ready.node_id)
            }
            None => format!("ready: API {url}, node {}", ready.node_id),
        },
    };
    let mut stdout = io::stdout().lock();
    if let Err(error) = writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        tracing::warn!(
            hint = "give standard output a reader, or send it to a file with room",
            "standard output cannot be written ({error}), the node runs without: {text}"
        );
    }
}

/// Tells the command line and the doctor where the daemon listens. It is gone when the daemon ends
/// in order.
struct AddressFile(PathBuf);

impl AddressFile {
    fn write(data_dir: &Path, name: &str, text: &str) -> Result<Self, Failure> {
        let path = data_dir.join(name);
        std::fs::write(&path, text).map_err(|error| Failure::io(path.display(), &error))?;
        Ok(Self(path))
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
