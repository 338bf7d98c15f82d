//! Commands that work on the data directory, without a daemon: init, doctor, config, seed.

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use serde::Serialize;
use steward_chain::network_name;
use steward_node::config::{CONFIG_FILE, sample_toml};
use steward_node::doctor::{self, Check, Status};
use steward_node::{EffectiveConfig, NodeKeys, Seed, initialize};

use super::Context;
use crate::cli::Init;
use crate::failure::Failure;
use crate::limits::MAX_SEED_BYTES;

#[derive(Serialize)]
struct Initialized {
    data_dir: String,
    network: String,
    node_id: String,
    /// Only of a seed that is new.
    words: Option<String>,
}

pub(super) fn init(context: &Context, init: &Init) -> Result<(), Failure> {
    let mut sources = context.sources.clone();
    sources.overrides.extend(init.network.as_ref().map(|network| format!("network={network}")));
    let config = EffectiveConfig::load(&sources)?.config;
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

fn initialized_text(answer: &Initialized) -> String {
    let mut text =
        format!("Made {} for {}.\nNode id: {}\n", answer.data_dir, answer.network, answer.node_id);
    if let Some(words) = &answer.words {
        text.push_str(&format!(
            "\nWrite these words down, on paper, now. Whoever has them has the money; without them\n\
             and a backup it is lost with the disk. They are not shown again by themselves:\n\n    \
             {words}\n"
        ));
    }
    let dir = &answer.data_dir;
    text.push_str(&format!("\nNext: steward start --data-dir {dir}"));
    if answer.network != "regtest" {
        text.push_str(&format!(
            "\nBut first name a source of block heights: [chain] in {dir}/{CONFIG_FILE}"
        ));
    }
    text
}

fn read_words(context: &Context) -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        context.output.progress("Type the words of the seed, in one line:");
    }
    let mut words = String::new();
    let read = match io::stdin().is_terminal() {
        true => io::stdin().read_line(&mut words),
        false => io::stdin().take(MAX_SEED_BYTES).read_to_string(&mut words),
    };
    read.map_err(|error| Failure::io("standard input", &error))?;
    Ok(words)
}

/// A file to edit, every key explained, unless there is one.
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
    fs::write(&path, sample.join("\n") + "\n").map_err(|error| Failure::io(path.display(), &error))
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
    let message = format!("{failed} checks failed");
    Err(Failure::new("checks_failed", message, "see the hints above").in_answer())
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
    /// TOML; `***` for what must not be shown.
    value: Option<String>,
    origin: String,
    meaning: &'static str,
}

pub(super) fn config(context: &Context) -> Result<(), Failure> {
    let config = context.config()?;
    let keys = config.entries().map(|entry| ConfigLine {
        key: entry.key.path(),
        value: entry.value,
        origin: entry.origin.to_string(),
        meaning: entry.key.doc.trim(),
    });
    context.output.answer(&ConfigLines { keys: keys.collect() }, |lines| {
        let text = lines.keys.iter().map(|line| {
            let value = line.value.as_deref().unwrap_or("(not set)");
            format!("{} = {value}  # {}", line.key, line.origin)
        });
        text.collect::<Vec<_>>().join("\n")
    })
}

#[derive(Serialize)]
struct Words<'a> {
    words: &'a str,
}

pub(super) fn seed(context: &Context, yes: bool) -> Result<(), Failure> {
    if !yes && !io::stdout().is_terminal() {
        return Err(Failure::new(
            "not_a_terminal",
            "the words of the seed are shown on a terminal only",
            "add --yes if they shall go into a file or another program",
        ));
    }
    let dir = context.config()?.config.node.data_dir;
    let seed = Seed::load(&dir).map_err(steward_engine::Error::from)?;
    context.output.answer_surely(&Words { words: seed.words() }, |words| words.words.to_owned())?;
    Ok(Seed::words_were_shown(&dir).map_err(steward_engine::Error::from)?)
}
