//! The work of the commands. This file says which function carries out which command.

mod channel;
mod evidence;
mod files;
mod invoice;
mod node;
mod operator;
mod payment;
mod verify;

use std::path::Path;
use steward_engine::Code;

use steward_node::config::expand_home;
use steward_node::{EffectiveConfig, Sources};

use crate::cli::{Cli, Command, Global, PeerCommand};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::Output;
use crate::{daemon, demo, playground};

pub(crate) use verify::verify_snapshot;

/// Carries out one command line.
///
/// # Errors
/// The reason why it could not be carried out.
pub(crate) fn run(cli: Cli, output: Output) -> Result<(), Failure> {
    let context = Context { sources: sources(&cli.global)?, output };
    match cli.command {
        Command::Init(init) => files::init(&context, &init),
        Command::Start(start) => daemon::run(&context.sources, start.until_stdin_closes, output),
        Command::Restore { file, replace } => files::restore(&context, &file, replace),
        Command::Doctor => files::doctor(&context),
        Command::Config => files::config(&context),
        Command::Seed { yes } => files::seed(&context, yes),
        Command::Verify { snapshot } => verify::run(output, &snapshot),
        Command::Playground(arguments) => playground::run(arguments.clients, output),
        Command::Demo => demo::run(output),
        Command::Stop => node::stop(&context),
        Command::Status => node::status(&context),
        Command::Metrics => node::metrics(&context),
        Command::Forwards { page } => node::forwards(&context, page),
        Command::Connect { peer } => node::connect(&context, peer),
        Command::Peers => node::peers(&context),
        Command::Peer(PeerCommand::Forget { peer_id }) => node::forget_peer(&context, &peer_id),
        Command::Backup { file } => node::backup(&context, &file),
        Command::Channel(command) => channel::run(&context, command),
        Command::Evidence(command) => evidence::run(&context, command),
        Command::Preimage { preimage } => operator::preimage(&context, preimage),
        Command::Invoice(arguments) => invoice::run(&context, arguments),
        Command::Decode { invoice } => invoice::decode(output, &invoice),
        Command::Pay(pay) => payment::pay(&context, pay),
        Command::Keysend(keysend) => payment::keysend(&context, keysend),
        Command::Payments { payment_hash: None, page } => payment::list(&context, page),
        Command::Payments { payment_hash: Some(hash), .. } => payment::show(&context, &hash),
    }
}

/// The context that every command needs.
struct Context {
    sources: Sources,
    output: Output,
}

impl Context {
    fn config(&self) -> Result<EffectiveConfig, Failure> {
        Ok(EffectiveConfig::load(&self.sources)?)
    }

    fn client(&self) -> Result<Client, Failure> {
        Client::new(&self.config()?.config)
    }
}

fn sources(global: &Global) -> Result<Sources, Failure> {
    let mut overrides = global.overrides.clone();
    if let Some(dir) = &global.data_dir {
        overrides.push(format!("data_dir={}", utf8(dir)?));
    }
    let file = global.config.as_deref().map(|file| {
        expand_home(utf8(file)?).map_err(|problem| {
            Failure::new(Code::BadPath, format!("flag --config: {problem}"), "write the whole path")
        })
    });
    Ok(Sources::of_process(file.transpose()?, overrides))
}

/// Returns a path as text: any other path would name another file once it is written down.
fn utf8(path: &Path) -> Result<&str, Failure> {
    path.to_str().ok_or_else(|| {
        Failure::new(
            Code::BadPath,
            format!("the path {} is not UTF-8", path.display()),
            "choose another name",
        )
    })
}

/// Returns a page as the API's query.
fn page_query(page: crate::cli::Page) -> Vec<(&'static str, String)> {
    let mut query = vec![("limit", page.limit.to_string())];
    query.extend(page.before.map(|before| ("before", before.to_string())));
    query
}
