//! `steward start`: the node and its API in the foreground, until someone stops them.

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steward_api::{Api, Token};
use steward_node::{Config, Node, NodeHandle};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use crate::client::ADDRESS_FILE;
use crate::failure::Failure;
use crate::output::Output;

/// What a daemon says, on one line, once it can be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Where the API listens, `ip:port`.
    pub api_address: String,
    /// The identity as host.
    pub node_id: String,
    /// Where peers connect, `ip:port`, as bound.
    pub listen_addresses: Vec<String>,
}

/// Runs the daemon until it is stopped; `until_stdin_closes` ends it with its parent process.
///
/// # Errors
/// What is in the way of starting, or what stopped the node.
pub fn run(config: Config, until_stdin_closes: bool, output: Output) -> Result<(), Failure> {
    start_log(&config.log.level)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("cannot start threads", &error))?;
    let result = runtime.block_on(serve(config, until_stdin_closes, output));
    // A thread that still reads standard input must not hold us up.
    runtime.shutdown_background();
    result
}

async fn serve(config: Config, until_stdin_closes: bool, output: Output) -> Result<(), Failure> {
    let data_dir = config.node.data_dir.clone();
    // Before any port is tried: a daemon that runs here already says so itself, and not as "address
    // in use".
    let parts = Node::open(&config).await?;
    let address = config.api.address;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::new(
            "api_listen_failed",
            format!("the API cannot listen on {address}: {error}"),
            "is another daemon running? choose another address with --set api.address=...",
        )
    })?;
    let interrupted = interrupts(until_stdin_closes)?;
    let node = Node::start_with(config, parts).await?;
    let result = run_api(&node, listener, &data_dir, interrupted, output).await;
    let stopped = node.shutdown().await.map_err(Failure::from);
    result.and(stopped)
}

async fn run_api(
    node: &NodeHandle,
    listener: TcpListener,
    data_dir: &Path,
    interrupted: impl Future<Output = &'static str>,
    output: Output,
) -> Result<(), Failure> {
    let token = Token::load_or_create(data_dir)?;
    let bound = listener.local_addr().map_err(|error| Failure::io("the API's address", &error))?;
    let _address_file = AddressFile::write(data_dir, &bound.to_string())?;
    let api = Api::new(Arc::new(node.clone()), token);
    let stop_requested = api.stop_requested();
    let (closing, mut closed) = watch::channel(false);
    let close = async move {
        // An error is the end as well.
        let _ = closed.wait_for(|closed| *closed).await;
    };
    let serving = tokio::spawn(api.serve(listener, close));

    let info = node.info();
    say_ready(
        output,
        &Ready {
            api_address: bound.to_string(),
            node_id: info.node_id.to_string(),
            listen_addresses: info.listen.iter().map(ToString::to_string).collect(),
        },
    )?;
    let result = tokio::select! {
        reason = interrupted => {
            tracing::info!("stopping: {reason}");
            Ok(())
        }
        () = stop_requested => {
            tracing::info!("stopping: asked to by the API");
            Ok(())
        }
        stopped = node.stopped() => stopped.map_err(Failure::from),
    };
    closing.send_replace(true);
    // Requests that wait for a payment end with the node, so both at once.
    let (shutdown, served) = tokio::join!(node.shutdown(), serving);
    if let Ok(Err(error)) = served {
        tracing::warn!(%error, "the API ended badly");
    }
    result.and(shutdown.map_err(Failure::from))
}

/// Ends at the first signal to stop, or with the parent process.
fn interrupts(until_stdin_closes: bool) -> Result<impl Future<Output = &'static str>, Failure> {
    let signal = |kind| signal(kind).map_err(|error| Failure::io("signals", &error));
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stdin_closed = async move {
        match until_stdin_closes {
            true => stdin_closed().await,
            false => std::future::pending().await,
        }
    };
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "interrupted",
            _ = terminate.recv() => "terminated",
            () = stdin_closed => "standard input was closed",
        }
    })
}

/// Ends when standard input does.
pub(crate) async fn stdin_closed() {
    let (closed, is_closed) = tokio::sync::oneshot::channel();
    // A thread of its own: a read that never ends must not keep the runtime from ending.
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        let mut ignored = [0; 256];
        while matches!(stdin.read(&mut ignored), Ok(1..)) {}
        let _ = closed.send(());
    });
    let _ = is_closed.await;
}

fn say_ready(output: Output, ready: &Ready) -> Result<(), Failure> {
    let text = match output.is_json() {
        // One line, so that a parent process can read just that.
        true => serde_json::to_string(ready).unwrap_or_default(),
        false => match ready.listen_addresses.first() {
            Some(address) => {
                format!("ready: API http://{}, node {}@{address}", ready.api_address, ready.node_id)
            }
            None => format!("ready: API http://{}, node {}", ready.api_address, ready.node_id),
        },
    };
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::io("standard output", &error))
        }
        _ => Ok(()),
    }
}

fn start_log(level: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(level).map_err(|error| {
        Failure::new(
            "config_invalid",
            format!("log.level: {error}"),
            "for example info, or info,steward_p2p=debug",
        )
    })?;
    let logging = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    logging.try_init().map_err(|error| Failure::new("bug", error.to_string(), ""))
}

/// Tells the command line where the API listens; gone when the daemon ends in order.
struct AddressFile(PathBuf);

impl AddressFile {
    fn write(data_dir: &Path, address: &str) -> Result<Self, Failure> {
        let path = data_dir.join(ADDRESS_FILE);
        std::fs::write(&path, format!("{address}\n"))
            .map_err(|error| Failure::io(path.display(), &error))?;
        Ok(Self(path))
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
