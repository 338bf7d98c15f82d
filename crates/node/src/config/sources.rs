//! The sources of the configuration: a file, environment variables and flags, read as settings.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use toml::Value;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::origin::Origin;
use super::section::home_dir;
use super::slips::{meant_variable, nearest_key};
use super::{Config, KeyInfo, Kind};
use crate::limits::MAX_CONFIG_FILE_BYTES;
use crate::text::decode;

/// The places to look for configuration. They are not to be shown: values may be secret.
#[derive(Clone, Default)]
pub struct Sources {
    /// A file that must exist. `None`: [`crate::config::CONFIG_FILE`] in the data directory, if it is there.
    pub file: Option<PathBuf>,
    /// Environment variables; those that begin with `STEWARD_` are looked at.
    pub environment: Vec<(String, String)>,
    /// `section.key=value`, as in `--set`; of two for one key the last wins.
    pub overrides: Vec<String>,
}

impl Sources {
    /// Returns this process's environment and these flags.
    pub fn of_process(file: Option<PathBuf>, overrides: Vec<String>) -> Self {
        // Foreign variables may hold anything; ours are text.
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })
            .collect();
        Self { file, environment, overrides }
    }
}

/// A value that a source gave.
pub(super) struct Given {
    pub(super) key: &'static KeyInfo,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

pub(super) fn file_settings(path: &Path) -> Result<Vec<Given>, ConfigError> {
    let text = read_file(path)?;
    let line_of =
        |offset: usize| 1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
    let table = DeTable::parse(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: line_of(error.span().map_or(0, |span| span.start)),
        problem: error.message().trim().to_owned(),
    })?;
    let origin = |offset| Origin::File { path: path.to_owned(), line: line_of(offset) };
    let mut settings = Vec::new();
    for (name, item) in table.into_inner() {
        let is_section = Config::keys().any(|key| key.section == name.get_ref().as_ref());
        let start = name.span().start;
        match item.into_inner() {
            DeValue::Table(section) if is_section => {
                for (key, value) in section {
                    let path = format!("{}.{}", name.get_ref(), key.get_ref());
                    let origin = origin(key.span().start);
                    settings.push(given(&path, plain_value(value.into_inner()), origin)?);
                }
            }
            value => settings.push(given(name.get_ref(), plain_value(value), origin(start))?),
        }
    }
    let base = path.parent().unwrap_or(Path::new(""));
    settings.iter_mut().try_for_each(|given| given.resolve_path(base))?;
    Ok(settings)
}

pub(super) fn environment_settings(
    environment: &[(String, String)],
) -> Result<Vec<Given>, ConfigError> {
    let mut settings = Vec::new();
    for (variable, text) in environment {
        let Some(name) = variable.strip_prefix("STEWARD_") else { continue };
        let path = name.to_lowercase().replacen("__", ".", 1);
        let origin = Origin::Environment { variable: variable.clone() };
        // Without a section it may be meant for the command line, or for another program.
        if Config::key(&path).is_none() && !path.contains('.') {
            match meant_variable(name) {
                None => continue,
                Some(meant) => {
                    let variable = variable.clone();
                    return Err(ConfigError::UnknownVariable { variable, meant });
                }
            }
        }
        settings.push(given_text(&path, text, origin)?);
    }
    Ok(settings)
}

pub(super) fn flag_settings(overrides: &[String]) -> Result<Vec<Given>, ConfigError> {
    let parse = |text: &String| {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| ConfigError::NotAnOverride { text: text.clone() })?;
        given_text(key.trim(), value, Origin::Flag)
    };
    overrides.iter().map(parse).collect()
}

/// A path in the environment or in a flag is meant from where the program starts; it is shown
/// whole, so that the text shown means the same anywhere.
fn given_text(path: &str, text: &str, origin: Origin) -> Result<Given, ConfigError> {
    let (kind, is_secret) =
        Config::key(path).map_or((Kind::Text, false), |key| (key.kind, key.secret));
    let bad = |problem: String| ConfigError::BadValue {
        origin: origin.clone(),
        key: path.to_owned(),
        problem,
    };
    if text.contains(char::REPLACEMENT_CHARACTER) {
        return Err(bad("it is not UTF-8".to_owned()));
    }
    let value = kind.parse_text(text, is_secret).map_err(bad)?;
    let mut given = given(path, value, origin)?;
    given.resolve_path(&std::env::current_dir().unwrap_or_default())?;
    Ok(given)
}

fn given(path: &str, value: Value, origin: Origin) -> Result<Given, ConfigError> {
    match Config::key(path) {
        Some(key) => Ok(Given { key, value, origin }),
        None => {
            let suggestion = nearest_key(path);
            Err(ConfigError::UnknownKey { origin, key: path.to_owned(), suggestion })
        }
    }
}

impl Given {
    /// A relative path is meant from `base`: in a file, from where the file is.
    fn resolve_path(&mut self, base: &Path) -> Result<(), ConfigError> {
        if self.key.kind == Kind::Path
            && let Value::String(text) = &mut self.value
            && !text.is_empty()
        {
            let path = expand_home(text).map_err(|problem| ConfigError::BadValue {
                origin: self.origin.clone(),
                key: self.key.path(),
                problem,
            })?;
            *text = base.join(path).display().to_string();
        }
        Ok(())
    }
}

/// Replaces a leading `~` as a shell would have done: quotes and files keep shells from it.
///
/// # Errors
/// Fails if there is no home directory, or it is another user's.
pub fn expand_home(path: &str) -> Result<PathBuf, String> {
    let Some(rest) = path.strip_prefix('~') else { return Ok(path.into()) };
    match (rest.strip_prefix('/'), home_dir()) {
        (Some(below), Some(home)) => Ok(home.join(below)),
        (None, Some(home)) if rest.is_empty() => Ok(home),
        (None, _) if !rest.is_empty() => {
            Err(format!("{path} begins with `~`: write the whole path, or ./{path}"))
        }
        _ => Err(format!("{path} begins with `~`, but there is no home directory")),
    }
}

/// Reads the whole of a text file.
pub(super) fn read_file(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_CONFIG_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_CONFIG_FILE_BYTES {
        return Err(ConfigError::TooLong { path: path.to_owned() });
    }
    decode(bytes).map_err(|encoding| ConfigError::Encoding { path: path.to_owned(), encoding })
}

/// Returns the value without the places where it stood.
fn plain_value(value: DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.into_owned()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or_else(|_| Value::String(number.to_string()), Value::Integer),
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::String(number.to_string()), Value::Float)
        }
        DeValue::Boolean(truth) => Value::Boolean(truth),
        DeValue::Datetime(time) => Value::Datetime(time),
        DeValue::Array(items) => {
            Value::Array(items.into_iter().map(|item| plain_value(item.into_inner())).collect())
        }
        DeValue::Table(table) => Value::Table(
            table
                .into_iter()
                .map(|(key, value)| {
                    (key.into_inner().into_owned(), plain_value(value.into_inner()))
                })
                .collect(),
        ),
    }
}
