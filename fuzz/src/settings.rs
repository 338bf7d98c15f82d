//! Input of an operator: the configuration, by file and by flags, and amounts.

use std::fs;
use std::path::Path;

use steward::amount::{Amount, InvoiceAmount};
use steward::limits::MAX_AMOUNT_MSAT;
use steward_node::{Config, ConfigError, EffectiveConfig, Sources};
use steward_wire::amount::grouped;
use tempfile::TempDir;

/// Reads the text of a configuration file.
pub(crate) fn file(data: &[u8]) {
    DIR.with(|dir| {
        let path = dir.path().join("fuzz.toml");
        fs::write(&path, data).unwrap();
        let sources = Sources { file: Some(path), ..Sources::default() };
        load(&sources, dir.path());
    });
}

/// Reads lines: `STEWARD_X=y` sets the environment, everything else is a flag.
pub(crate) fn flags(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    DIR.with(|dir| {
        let mut sources = Sources::default();
        for line in text.lines() {
            match line.split_once('=') {
                Some((name, value)) if name.starts_with("STEWARD_") => {
                    sources.environment.push((name.to_owned(), value.to_owned()));
                }
                _ => sources.overrides.push(line.to_owned()),
            }
        }
        // An existing file of the developer's must not be read.
        if !text.contains("data_dir") && !text.to_uppercase().contains("DATA_DIR") {
            sources.overrides.push(format!("data_dir={}", dir.path().display()));
        } else {
            sources.file = Some(empty_file(dir.path()));
        }
        load(&sources, dir.path());
    });
}

thread_local! {
    static DIR: TempDir = tempfile::tempdir().unwrap();
}

fn empty_file(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("empty.toml");
    fs::write(&path, "").unwrap();
    path
}

/// Loads, checks, and writes the result as a new file, which must load the same.
fn load(sources: &Sources, dir: &Path) {
    let effective = match EffectiveConfig::load(sources) {
        Ok(effective) => effective,
        Err(error) => return is_clear(&error),
    };
    match effective.config.check() {
        Ok(warnings) => {
            assert!(warnings.iter().all(|w| !w.message.is_empty() && Config::key(w.key).is_some()));
        }
        Err(error) => is_clear(&error),
    }
    let again = dir.join("again.toml");
    fs::write(&again, as_toml(&effective)).unwrap();
    let rewritten = EffectiveConfig::load(&Sources { file: Some(again), ..Sources::default() });
    let mut rewritten = rewritten.expect("what is shown can be read").config;
    // Secrets are not shown.
    let mut expected = effective.config;
    for config in [&mut rewritten, &mut expected] {
        config.host.secrets.clear();
        config.chain.password = None;
        config.node.data_dir = std::env::temp_dir();
    }
    assert_eq!(rewritten, expected);
}

/// Writes the entries of `steward config` as a file.
fn as_toml(effective: &EffectiveConfig) -> String {
    let mut text = String::new();
    let mut section = "";
    for entry in effective.entries() {
        if entry.key.section != section {
            section = entry.key.section;
            text.push_str(&format!("[{section}]\n"));
        }
        match entry.value {
            Some(value) if !entry.key.secret => {
                text.push_str(&format!("{} = {value}\n", entry.key.name));
            }
            _ => {}
        }
    }
    text
}

fn is_clear(error: &ConfigError) {
    assert!(!error.to_string().trim().is_empty());
    assert!(!error.hint().is_empty());
}

/// Reads an amount, perhaps `any`.
pub(crate) fn amount(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let amount = match text.parse::<Amount>() {
        Ok(amount) => amount,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert!(amount.msat <= MAX_AMOUNT_MSAT);
    match amount.msat {
        0 => assert!(text.parse::<InvoiceAmount>().is_err()),
        _ => assert_eq!(text.parse(), Ok(InvoiceAmount(Some(amount)))),
    }
    // Shown and typed again, it is the same, with or without the groups.
    let shown = amount.to_string();
    assert_eq!(shown.parse(), Ok(amount), "{shown}");
    assert_eq!(shown.replace(' ', "").parse(), Ok(amount), "{shown}");
    assert_eq!(format!("{}msat", amount.msat).parse(), Ok(amount));
    assert_eq!(grouped(amount.msat).replace(' ', ""), amount.msat.to_string());
}
