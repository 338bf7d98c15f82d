//! Commands that work on the data directory, without a daemon: init, restore, doctor, config, seed.

use std::fs::OpenOptions;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use steward_engine::Code;

use serde::Serialize;
use steward_chain::{network_name, parse_network};
use steward_node::config::{CONFIG_FILE, Origin, sample_toml};
use steward_node::data_dir::database;
use steward_node::doctor::{self, Check, Status};
use steward_node::text::decode;
use steward_node::{EffectiveConfig, NodeKeys, Seed, Sources, initialize, restore_backup};

use super::Context;
use crate::cli::Init;
use crate::failure::Failure;
use crate::limits::MAX_SEED_BYTES;

#[derive(Serialize)]
struct Initialized {
    data_dir: String,
    network: String,
    node_id: String,
    /// The words, only of a seed that is new.
    words: Option<String>,
}

pub(super) fn init(context: &Context, init: &Init) -> Result<(), Failure> {
    let mut sources = context.sources.clone();
    if let Some(network) = &init.network {
        parse_network(network).map_err(|_| unknown_network(network))?;
        sources.overrides.push(format!("network={network}"));
    }
    let effective = EffectiveConfig::load(&sources)?;
    refuse_another_network(&sources, &effective)?;
    let config = effective.config;
    let words = init.restore.then(|| read_words(context)).transpose()?;
    let seed = initialize(&config, words.as_deref())?;
    let dir = &config.node.data_dir;
    let network = network_name(config.node.network);
    if sources.file.is_none() {
        write_sample_config(dir, network)?;
    }
    let answer = Initialized {
        data_dir: dir.display().to_string(),
        network: network.to_owned(),
        node_id: NodeKeys::new(&seed, config.node.network).node_id().to_string(),
        words: words.is_none().then(|| seed.words().to_owned()),
    };
    context.output.answer_surely(&answer, initialized_text)?;
    Ok(Seed::words_were_shown(dir).map_err(steward_engine::Error::from)?)
}

fn unknown_network(text: &str) -> Failure {
    Failure::new(
        Code::ConfigInvalid,
        format!("flag --network: there is no network {text}"),
        "it is mainnet (`bitcoin` is the same), testnet, testnet4, signet or regtest",
    )
}

/// Compares with what `start` will find in files and environment: a node made for one network and
/// started for another would refuse to start, and the reader would wonder.
fn refuse_another_network(sources: &Sources, chosen: &EffectiveConfig) -> Result<(), Failure> {
    let is_network = |text: &String| text.split('=').next().map(str::trim) == Some("network");
    let later = Sources {
        overrides: sources.overrides.iter().filter(|text| !is_network(text)).cloned().collect(),
        ..sources.clone()
    };
    let later = EffectiveConfig::load(&later)?;
    let [made, started] =
        [chosen, &later].map(|effective| network_name(effective.config.node.network));
    let problem = match (later.origin("network"), later.file()) {
        _ if made == started => return Ok(()),
        // The file that is about to be written says it.
        (Origin::Default, None) => return Ok(()),
        (Origin::Default, Some(file)) => {
            format!("{} names no network, which means {started}, not {made}", file.display())
        }
        (origin, _) => format!("{origin}, says network = {started}, not {made}"),
    };
    Err(Failure::new(
        Code::NetworkDiffers,
        problem,
        "a node belongs to one network for good: make both say the same, or choose another data directory",
    ))
}

fn initialized_text(answer: &Initialized) -> String {
    let dir = &answer.data_dir;
    let mut text = format!("Made {dir} for {}.\nNode id: {}\n", answer.network, answer.node_id);
    match &answer.words {
        Some(words) => text.push_str(&format!(
            "\nWrite these words down, on paper, now. Anyone who has them has the money; without them\n\
             and a backup it is lost with the disk. They are not shown again by themselves:\n\n    \
             {words}\n\n\
             Beside them keep the id and address of each host of yours (`steward peers`): the words\n\
             alone do not say which hosts have your channels.\n"
        )),
        None => text.push_str(&format!(
            "\nThe database is empty. Before the first start:\n\
             - if there is a backup: steward restore FILE --data-dir {dir}\n\
             - if this node was a host and has no backup: name its clients in adopt_lost_state below [host]\n  \
               in {dir}/{CONFIG_FILE}; each reads its id in `steward channel list`\n\
             - if it was a client: nothing; after it, steward channel invoke each host\n"
        )),
    }
    text.push_str(&format!("\nNext: steward start --data-dir {dir}"));
    if answer.network != "regtest" {
        text.push_str(&format!(
            "\nBut first name a source of block heights: [chain] in {dir}/{CONFIG_FILE}"
        ));
    }
    text
}

/// Reads the words, on a terminal up to an empty line: they are often written down one a line.
fn read_words(context: &Context) -> Result<String, Failure> {
    let stdin = io::stdin();
    let mut bytes = Vec::new();
    let mut limited = stdin.lock().take(MAX_SEED_BYTES + 1);
    let failed = |error| Failure::io("standard input", &error);
    match stdin.is_terminal() {
        true => {
            context.output.progress("Type the words of the seed, then an empty line:");
            loop {
                let before = bytes.len();
                limited.read_until(b'\n', &mut bytes).map_err(failed)?;
                if bytes.get(before..).unwrap_or_default().trim_ascii().is_empty() {
                    break;
                }
            }
        }
        false => {
            limited.read_to_end(&mut bytes).map_err(failed)?;
        }
    }
    let unusable =
        |problem: String| Failure::new(Code::SeedInvalid, problem, "give the words only");
    if bytes.len() as u64 > MAX_SEED_BYTES {
        return Err(unusable("that is longer than any seed".to_owned()));
    }
    decode(bytes).map_err(|encoding| unusable(format!("the seed is {encoding}")))
}

#[derive(Serialize)]
struct RestoreAnswer {
    database: String,
    channels: u64,
    /// The name under which the database is kept that was there before.
    set_aside: Option<String>,
}

pub(super) fn restore(context: &Context, file: &Path, replace: bool) -> Result<(), Failure> {
    let config = context.config()?.config;
    let restored = restore_backup(&config, file, replace)?;
    let answer = RestoreAnswer {
        database: database(&config.node.data_dir).display().to_string(),
        channels: restored.channels,
        set_aside: restored.set_aside.map(|path| path.display().to_string()),
    };
    context.output.answer(&answer, |answer| {
        let mut text =
            format!("Restored {}, with {} channels.", answer.database, answer.channels);
        if let Some(aside) = &answer.set_aside {
            text.push_str(&format!("\nWhat was there is kept as {aside}."));
        }
        text.push_str(
            "\nIt is as old as the backup. Start the node, let every peer come back, and look at\n\
             `steward channel list` and `steward payments` before anything else: docs/operations.md.\n\
             Never run the node that the backup is of beside this one.",
        );
        text
    })
}

/// Writes a file to edit, every key explained, unless there is one.
fn write_sample_config(dir: &Path, network: &str) -> Result<(), Failure> {
    let path = dir.join(CONFIG_FILE);
    if path.exists() {
        return Ok(());
    }
    let chosen = format!("network = \"{network}\"");
    let sample: Vec<String> = sample_toml()
        .lines()
        .map(|line| match line.starts_with("# network =") {
            true => chosen.clone(),
            false => line.to_owned(),
        })
        .collect();
    // Private: secrets will be written into it.
    let text = sample.join("\n") + "\n";
    let mut options = OpenOptions::new();
    let made = options.write(true).create_new(true).mode(0o600).open(&path);
    made.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::io(path.display(), &error))
}

#[derive(Serialize)]
struct Checkup {
    checks: Vec<CheckLine>,
}

#[derive(Serialize)]
struct CheckLine {
    name: &'static str,
    status: &'static str,
    detail: String,
    hint: String,
}

pub(super) fn doctor(context: &Context) -> Result<(), Failure> {
    let checks = doctor::examine(&context.sources);
    let failed = checks.iter().filter(|check| check.status == Status::Fail).count();
    let checkup = Checkup { checks: checks.into_iter().map(CheckLine::from).collect() };
    context.output.answer(&checkup, |checkup| {
        let lines: Vec<String> = checkup.checks.iter().map(CheckLine::text).collect();
        lines.join("\n")
    })?;
    if failed == 0 {
        return Ok(());
    }
    let message = format!("{failed} {} failed", if failed == 1 { "check" } else { "checks" });
    Err(Failure::new(Code::ChecksFailed, message, "see the hints above").in_answer())
}

impl From<Check> for CheckLine {
    fn from(check: Check) -> Self {
        let status = match check.status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "fail",
        };
        Self { name: check.name, status, detail: check.detail, hint: check.hint }
    }
}

impl CheckLine {
    fn text(&self) -> String {
        let line = format!("{:<4}  {:<14}  {}", self.status, self.name, self.detail);
        match self.hint.is_empty() {
            true => line,
            false => format!("{line}\n{:22}hint: {}", "", self.hint),
        }
    }
}

#[derive(Serialize)]
struct ConfigLines {
    keys: Vec<ConfigLine>,
}

#[derive(Serialize)]
struct ConfigLine {
    key: String,
    /// The value as TOML; `***` for what must not be shown.
    value: Option<String>,
    origin: String,
    meaning: String,
}

pub(super) fn config(context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    let keys = config.entries().map(|entry| ConfigLine {
        key: entry.key.path(),
        value: entry.value,
        origin: entry.origin.to_string(),
        meaning: entry.key.doc.lines().map(str::trim).collect::<Vec<_>>().join(" "),
    });
    context.output.answer(&ConfigLines { keys: keys.collect() }, |lines| {
        let text = lines.keys.iter().map(|line| {
            let value = line.value.as_deref().unwrap_or("(not set)");
            format!("# {}\n{} = {value}  # {}", line.meaning, line.key, line.origin)
        });
        text.collect::<Vec<_>>().join("\n\n")
    })
}

#[derive(Serialize)]
struct Words<'a> {
    words: &'a str,
}

pub(super) fn seed(context: &Context, yes: bool) -> Result<(), Failure> {
    if !yes && !io::stdout().is_terminal() {
        return Err(Failure::new(
            Code::NotATerminal,
            "the words of the seed are shown on a terminal only",
            "add --yes if they shall go into a file or another program",
        ));
    }
    let dir = context.config()?.config.node.data_dir;
    let seed = Seed::load(&dir).map_err(steward_engine::Error::from)?;
    context.output.answer_surely(&Words { words: seed.words() }, |words| words.words.to_owned())?;
    Ok(Seed::words_were_shown(&dir).map_err(steward_engine::Error::from)?)
}
