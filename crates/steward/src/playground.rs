//! `steward playground`: a host and its clients on this machine, left running to be tried out.

use std::io::{self, IsTerminal};

use crate::amount::Amount;
use crate::cluster::{Cluster, client_name, new_cluster_dir};
use crate::demo::INITIAL_BALANCE_SAT;
use crate::failure::Failure;
use crate::output::Output;
use crate::signals::{Signals, Wanted};

/// Runs until interrupted or terminated. On a terminal also until that closes; without one, in the
/// background, closed or empty standard input means nothing.
pub(crate) fn run(clients: u8, output: Output) -> Result<(), Failure> {
    let binary = std::env::current_exe().map_err(|error| Failure::io("this program", &error))?;
    let dir = new_cluster_dir("playground");
    output.progress(&format!("starting a host and {clients} clients in {} ...", dir.display()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("cannot start threads", &error))?;
    // Before the first child: from here on an interrupt must end them, too.
    let is_on_terminal = io::stdin().is_terminal();
    let mut signals = runtime.block_on(async { Signals::catch(is_on_terminal) })?;
    let said = |text: &str| output.progress(text);
    let cluster = Cluster::start(&binary, &dir, usize::from(clients), INITIAL_BALANCE_SAT, &said)?;
    output.answer(&describe(&cluster), |_| {
        let mut text = instructions(&cluster, &binary.display().to_string());
        text.push_str(&how_to_stop(is_on_terminal));
        text
    })?;
    // There is no configuration to be read again.
    runtime.block_on(async { while signals.next().await == Wanted::Reload {} });
    runtime.shutdown_background();
    output.progress("stopping all nodes ...");
    cluster.stop()?;
    output.progress("stopped; nothing is left behind");
    Ok(())
}

fn how_to_stop(is_on_terminal: bool) -> String {
    let how = match is_on_terminal {
        true => "Ctrl-C here".to_owned(),
        false => format!("`kill {}`", std::process::id()),
    };
    format!("\n{how} stops all nodes and removes their data.")
}

fn describe(cluster: &Cluster) -> serde_json::Value {
    let clients = cluster.clients.iter().map(|client| client.data_dir().display().to_string());
    serde_json::json!({
        "host_address": cluster.host.address(),
        "host_data_dir": cluster.host.data_dir().display().to_string(),
        "client_data_dirs": clients.collect::<Vec<_>>(),
    })
}

fn instructions(cluster: &Cluster, binary: &str) -> String {
    let balance = Amount::from_msat(INITIAL_BALANCE_SAT.saturating_mul(1000));
    let mut lines = vec![
        format!("\nAll are running; each client begins with {balance}, a gift of the host."),
        "Type in another terminal:\n".to_owned(),
        format!("  HOST='{binary} --data-dir {}'", cluster.host.data_dir().display()),
    ];
    lines.extend(cluster.clients.iter().enumerate().map(|(index, client)| {
        let name = client_name(index).to_uppercase();
        format!("  {name}='{binary} --data-dir {}'", client.data_dir().display())
    }));
    let host_id = cluster.host.node_id();
    lines.extend([String::new(), "  $HOST status".to_owned(), "  $ALICE channel list".to_owned()]);
    if cluster.clients.len() > 1 {
        lines.extend([
            "  INVOICE=$($BOB invoice 1000sat --description tea | tail -n 1)".to_owned(),
            "  $ALICE decode $INVOICE".to_owned(),
            "  $ALICE pay $INVOICE".to_owned(),
            "  $ALICE payments".to_owned(),
        ]);
    }
    lines.extend([
        "  $HOST forwards".to_owned(),
        format!("  $ALICE channel show {host_id} | tail -n 1 > proof"),
        "  $HOST verify proof".to_owned(),
        "\nThe nodes' seeds are for play: `$ALICE seed` shows one.".to_owned(),
    ]);
    lines.join("\n")
}
